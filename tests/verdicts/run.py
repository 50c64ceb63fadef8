#!/usr/bin/env python3
"""What scanners say of the same answers: a proxy on loopback stands in for GitHub and OpenAI, with an authority that is made
for the run, and gives each token its own answer. Keywheel's verdicts are held against what they must be; those of the
peers that are found are printed beside them, as the table of docs/verify.md.

    tests/verdicts/run.py KEYWHEEL [--kingfisher PATH] [--betterleaks PATH]

Nothing leaves this machine: all programs run where there is nothing but loopback, and where the names of the providers lead
there. Exit code 77 without `openssl`, or where `unshare` may not make such a place.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import zlib

HTML = "<html><head><title>Attention Required</title></head><body><h1>Sorry, you have been blocked</h1></body></html>"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SEED = random.Random(7)
INSIDE = "KEYWHEEL_VERDICTS_INSIDE"


def letters(n):
    return "".join(SEED.choice(DIGITS) for _ in range(n))


def github():
    body = letters(30)
    total, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        total, digit = divmod(total, 62)
        tail = DIGITS[digit] + tail
    return "gh" + "p_" + body + tail


def openai():
    return "sk-" + "proj-" + letters(74) + "T3Blbk" + "FJ" + letters(74)


def said(message, **more):
    return json.dumps({"message": message, **more})


def fault(message, code, kind="invalid_request_error"):
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


JSON, WEB = "application/json", "text/html"
# Host, what it is, what it must be judged as: status, kind, body, further header fields.
CASES = [
    ("api.github.com", "works", "active", 200, JSON, said("", login="octo", id=1, name="Octo"), ["X-OAuth-Scopes: repo"]),
    ("api.github.com", "wrong token (401)", "inactive", 401, JSON, said("Bad credentials", status="401"), []),
    ("api.github.com", "scope is missing (403)", "active-restricted", 403, JSON,
     said("Resource not accessible by personal access token", status="403"), []),
    ("api.github.com", "secondary rate limit (403)", "unknown", 403, JSON,
     said("You have exceeded a secondary rate limit. Please wait a few minutes before you try again."), ["Retry-After: 60"]),
    ("api.github.com", "page of a firewall (403)", "unknown", 403, WEB, HTML, []),
    ("api.github.com", "page of a portal (200)", "unknown", 200, WEB, HTML, []),
    ("api.github.com", "maintenance (503)", "unknown", 503, WEB, HTML, []),
    ("api.openai.com", "works", "active", 200, JSON, json.dumps({"object": "list", "data": []}), []),
    ("api.openai.com", "wrong key (401)", "inactive", 401, JSON, fault("Incorrect API key provided.", "invalid_api_key"), []),
    ("api.openai.com", "scope is missing (403)", "active-restricted", 403, JSON,
     fault("You have insufficient permissions for this operation. Missing scopes: api.model.read.", None), []),
    ("api.openai.com", "rate limit (429)", "unknown", 429, JSON,
     fault("Rate limit reached for requests", "rate_limit_exceeded", "requests"), ["Retry-After: 60"]),
    ("api.openai.com", "page of a firewall (403)", "unknown", 403, WEB, HTML, []),
    ("api.openai.com", "page of a portal (200)", "unknown", 200, WEB, HTML, []),
    ("api.openai.com", "maintenance (503)", "unknown", 503, WEB, HTML, []),
]
REASONS = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable", 200: "OK"}
# To a token that nobody issued, such as one made up as a control.
NOBODY = {"api.github.com": (401, JSON, said("Bad credentials", status="401"), []),
          "api.openai.com": (401, JSON, fault("Incorrect API key provided.", "invalid_api_key"), [])}


def authority(folder):
    """An authority, and a certificate by it for each host."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*new, "-subj", "/CN=verdicts", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
                    "-addext", "keyUsage=critical,keyCertSign"], **quiet)
    contexts = {}
    for host in NOBODY:
        subprocess.run([*new, "-subj", f"/CN={host}", "-keyout", folder / f"{host}.key", "-out", folder / f"{host}.pem",
                        "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-addext", "basicConstraints=critical,CA:FALSE",
                        "-addext", f"subjectAltName=DNS:{host}", "-addext", "extendedKeyUsage=serverAuth"], **quiet)
        contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[host].load_cert_chain(folder / f"{host}.pem", folder / f"{host}.key")
    return contexts


def head(stream):
    """The bytes up to the empty line."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            return ""
        text += byte
    return text.decode("latin-1")


def answer(host, asked, answers):
    token = next((l.split()[-1] for l in asked.split("\r\n") if l.lower().startswith("authorization:")), "")
    status, kind, body, more = answers.get((host, token), NOBODY[host])
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def serve(stream, contexts, answers):
    with stream:
        stream.settimeout(60)
        host = (head(stream).split() or ["", ""])[1].partition(":")[0]
        if host not in contexts:
            stream.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        stream.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contexts[host].wrap_socket(stream, server_side=True) as tls:
            while asked := head(tls):
                tls.sendall(answer(host, asked, answers))


def direct(stream, contexts, answers):
    """A program that takes no proxy, and is led here by the name of the host."""
    first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    named = []

    def choose(tls, host, _):
        named.append(host)
        tls.context = contexts[host]

    first.sni_callback = choose
    with first.wrap_socket(stream, server_side=True) as tls:
        while asked := head(tls):
            tls.sendall(answer(named[0], asked, answers))


def proxy(port, serve, contexts, answers):
    listener = socket.create_server(("127.0.0.1", port))

    def one(stream):
        # A client that goes away is its own business.
        try:
            serve(stream, contexts, answers)
        except (OSError, KeyError):
            pass

    def accept():
        while True:
            threading.Thread(target=one, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def run(command, env, folder):
    done = subprocess.run([str(c) for c in command], env=env, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    return done.stdout, done.stderr


# One token a run: a pause that a host asks for would hold for all that come after.

def keywheel(program, env, folder, token, tree):
    out, err = run([program, "scan", tree, "--verify", "--verify-cache", "none", "--format", "json"], env, folder)
    assert token not in out + err, "a token was shown"
    return {finding["validity"] for finding in json.loads(out)["findings"]}


def kingfisher(program, env, folder, _, tree):
    # It looks names up by itself even where there is a proxy.
    env = {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}
    out, _ = run([program, "scan", tree, "--format", "json", "--no-update-check", "--quiet",
                  "--tls-mode", "off", "--allow-internal-ips"], env, folder)
    return {finding.get("finding", finding)["validation"]["status"].lower() for finding in json.loads(out)["findings"]}


def betterleaks(program, env, folder, _, tree):
    run([program, "fs", tree, "--validate", "--no-banner", "-s", "--exit-code", "0", "-o", folder / "b.json"], env, folder)
    findings = json.loads((folder / "b.json").read_text())
    findings = findings["findings"] if isinstance(findings, dict) else findings
    return {str(status(finding)).lower() for finding in findings}


def status(finding):
    """The status of the validation, wherever a version puts it."""
    for key, value in finding.items():
        if "status" in key.lower():
            return value
    return next((status(value) for value in finding.values() if isinstance(value, dict) and status(value)), None)


def verdicts(how, program, env, folder, tokens):
    words = (how(program, env, folder, token, f"tree{n}") for n, token in enumerate(tokens))
    return ["; ".join(sorted(found)) or "not found" for found in words]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("keywheel", type=pathlib.Path)
    parser.add_argument("--kingfisher", type=pathlib.Path)
    parser.add_argument("--betterleaks", type=pathlib.Path)
    args = parser.parse_args()
    if not shutil.which("openssl"):
        print("there is no openssl here")
        return 77
    with tempfile.TemporaryDirectory(prefix="keywheel-verdicts-") as scratch:
        folder = pathlib.Path(scratch)
        tokens = [github() if host == "api.github.com" else openai() for host, *_ in CASES]
        answers = {(case[0], token): case[3:] for case, token in zip(CASES, tokens)}
        contexts = authority(folder)
        proxy(443, direct, contexts, answers)
        port = proxy(0, serve, contexts, answers)
        for n, (case, token) in enumerate(zip(CASES, tokens)):
            name = "GITHUB_TOKEN" if case[0] == "api.github.com" else "OPENAI_API_KEY"
            (folder / f"tree{n}").mkdir()
            (folder / f"tree{n}/a.py").write_text(f'{name} = "{token}"\n')
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "SSL_CERT_FILE": str(folder / "ca.pem")}
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            env[name] = f"http://127.0.0.1:{port}"
        tools = [("Keywheel", keywheel, args.keywheel), ("Kingfisher", kingfisher, args.kingfisher),
                 ("Betterleaks", betterleaks, args.betterleaks)]
        tools = [(name, verdicts(how, at.resolve(), env, folder, tokens)) for name, how, at in tools if at]
        print("| provider | answer | " + " | ".join(name for name, _ in tools) + " |")
        print("|---|---|" + "---|" * len(tools))
        for n, (host, what, *_) in enumerate(CASES):
            print(f"| {host} | {what} | " + " | ".join(words[n] for _, words in tools) + " |")
        wrong = [(case[:2], verdict) for case, verdict in zip(CASES, tools[0][1]) if verdict != case[2]]
        for case, verdict in wrong:
            print(f"wrong: {case}: {verdict}", file=sys.stderr)
        return 1 if wrong else 0


def enter():
    """Begins anew where there is nothing but loopback, if we may make such a place."""
    hosts = "".join(f"127.0.0.1 {host}\\n" for host in ["localhost", *NOBODY])
    script = f"ip link set lo up; printf '{hosts}' > \"$0\"; mount --bind \"$0\" /etc/hosts; exec \"$@\""
    with tempfile.NamedTemporaryFile() as file:
        command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec", script, file.name]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            return 77
        return subprocess.run([*command, sys.executable, *sys.argv], env={**os.environ, INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    if INSIDE in os.environ:
        sys.exit(main())
    there = all(shutil.which(program) for program in ("unshare", "ip", "mount"))
    sys.exit(enter() if there else 77)
