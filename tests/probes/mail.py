"""A mail server that takes one login: with STARTTLS, within TLS, and one that takes any password."""

import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

told = json.loads(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(told["cert"], told["key"])


class Login:
    """Nobody sends mail here."""


def knows(_server, _session, _envelope, _mechanism, data):
    right = (data.login, data.password) == (b"svc", told["password"].encode())
    return AuthResult(success=right, handled=False)


def anybody(_server, _session, _envelope, _mechanism, _data):
    return AuthResult(success=True)


class Opportunistic(Controller):
    def factory(self):
        return SMTP(Login(), authenticator=knows, auth_required=True, tls_context=context, require_starttls=True,
                    hostname="localhost")


class Within(Controller):
    def factory(self):
        return SMTP(Login(), authenticator=knows, auth_require_tls=False, hostname="localhost")


class Bare(Controller):
    def factory(self):
        return SMTP(Login(), authenticator=anybody, auth_require_tls=False, hostname="localhost")


Opportunistic(Login(), hostname="127.0.0.1", port=told["port"]).start()
Within(Login(), hostname="127.0.0.1", port=told["within"], ssl_context=context).start()
Bare(Login(), hostname="127.0.0.1", port=told["bare"]).start()
threading.Event().wait()
