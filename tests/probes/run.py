#!/usr/bin/env python3
"""Logins at real servers: PostgreSQL, MariaDB, Redis, a mail server and OpenSSH, on loopback ports.

    tests/probes/run.py [COMMAND…]      without a command, the tests of `cargo test --test probes`

The servers run without privileges, with passwords made up for this run, and end with this program; missing ones are
fetched from Debian and unpacked, not installed. The mail server is aiosmtpd, of the Python that runs this. Where each
one listens is told to the tests in the file that KEYWHEEL_PROBES names. Exit code 77 says that the servers cannot be
had here.
"""

import base64
import contextlib
import importlib.util
import json
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Nothing is written beside the sources.
sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/transports"))

from servers import Unavailable, as_root, programs

PACKAGES = {"redis-server": "redis-server", "redis-check-rdb": "redis-tools", "mariadbd": "mariadb-server-core",
            "openssl": "openssl", "sshd": "openssh-server", "ssh-keygen": "openssh-client"}
NOBODY = 65534


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Servers:
    """The servers, in a folder of their own."""

    def __init__(self, scratch, packages=PACKAGES):
        self.scratch = pathlib.Path(scratch)
        self.scratch.chmod(0o755)
        self.running = []
        needed = dict(packages)
        if not self.postgres_bin():
            needed["postgresql"] = "postgresql"
        self.programs, libraries = programs(self.scratch, needed)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.scratch), "LC_ALL": "C"}
        if libraries:
            self.env["LD_LIBRARY_PATH"] = ":".join(libraries)
        self.about = {"ca": str(self.scratch / "ca.pem")}

    def postgres_bin(self):
        """The folder of PostgreSQL's newest programs."""
        folders = [pathlib.Path("/usr/lib/postgresql"), self.scratch / "debian/usr/lib/postgresql"]
        found = [p.parent for folder in folders for p in folder.glob("*/bin/initdb")]
        return max(found, default=None, key=lambda p: int(p.parent.name))

    def run(self, command, input=""):
        """Runs a program to its end, without privileges."""
        done = subprocess.run([str(c) for c in command], env=self.env, cwd=self.scratch, capture_output=True,
                              input=input, text=True, check=False, **self.demoted())
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")

    def demoted(self):
        if os.getuid() != 0:
            return {}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def folder(self, name):
        folder = self.scratch / name
        folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        return folder

    def start(self, name, command, port, demoted=True):
        log = self.scratch / f"{name}.log"
        with open(log, "ab") as out:
            process = subprocess.Popen([str(c) for c in command], env=self.env, cwd=self.scratch, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, start_new_session=True,
                                       **(self.demoted() if demoted else {}))
        self.running.append(process)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} does not serve: {log.read_text()}") from None
                time.sleep(0.1)

    def stop(self):
        for process in reversed(self.running):
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                    break

    def certificates(self):
        """An authority, and a certificate for loopback by it."""
        folder = self.folder("tls")
        openssl = self.programs["openssl"]
        new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        self.run([*new, "-subj", "/CN=probes", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
                  "-addext", "keyUsage=critical,keyCertSign"])
        self.run([*new, "-subj", "/CN=127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
                  "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-addext", "basicConstraints=critical,CA:FALSE",
                  "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        shutil.copy(folder / "ca.pem", self.scratch / "ca.pem")
        (self.scratch / "ca.pem").chmod(0o644)
        return folder / "cert.pem", folder / "key.pem", folder / "ca.pem"

    def postgres(self, cert, key):
        binaries, data, port, password = self.postgres_bin(), self.folder("postgres") / "data", free_port(), made_up()
        self.run([binaries / "initdb", "-D", data, "-U", "owner", "-A", "trust", "--no-sync"])
        self.write(data / "pg_hba.conf", "\n".join([
            "local all owner trust", "host all svc 127.0.0.1/32 scram-sha-256", "host all old 127.0.0.1/32 md5",
            "host all nobody 127.0.0.1/32 scram-sha-256", "host all clear 127.0.0.1/32 password",
            "host all idle 127.0.0.1/32 scram-sha-256", "host all open 127.0.0.1/32 trust",
            "host all +turning 127.0.0.1/32 scram-sha-256", ""]))
        for name in (cert, key):
            self.write(data / name.name, name.read_text(), 0o600)
        sockets = data.parent
        self.start("postgres", [binaries / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", sockets,
                                "-c", "ssl=on", "-c", f"ssl_cert_file={cert.name}", "-c", f"ssl_key_file={key.name}",
                                "-c", "fsync=off", "-c", "log_statement=all"], port)
        sql = "".join(f"SET password_encryption = '{how}'; CREATE ROLE {role} {may} PASSWORD '{password}';"
                      for role, how, may in [("svc", "scram-sha-256", "LOGIN"), ("old", "md5", "LOGIN"),
                                             ("clear", "scram-sha-256", "LOGIN"), ("idle", "scram-sha-256", "NOLOGIN"),
                                             ("open", "md5", "LOGIN"), ("barred", "md5", "LOGIN")])
        # Who makes roles that take turns, and who turns them over.
        sql += (f"SET password_encryption = 'scram-sha-256'; CREATE ROLE turning;"
                f"CREATE ROLE boss LOGIN SUPERUSER IN ROLE turning PASSWORD '{password}';"
                f"CREATE ROLE turner LOGIN CREATEROLE IN ROLE turning, pg_signal_backend, "
                f"pg_read_all_stats PASSWORD '{password}';")
        self.sql(binaries / "psql", sockets, port, sql)
        psql = binaries / "psql" if (binaries / "psql").exists() else shutil.which("psql")
        self.about["postgres"] = {"port": port, "password": password, "psql": str(psql),
                                  "log": str(self.scratch / "postgres.log")}

    def sql(self, psql, sockets, port, sql):
        psql = psql if psql.exists() else shutil.which("psql")
        command = [psql, "-v", "ON_ERROR_STOP=1", "-h", sockets, "-p", port, "-U", "owner", "-d", "postgres", "-c"]
        # It takes connections before it serves them.
        for _ in range(50):
            with contextlib.suppress(RuntimeError):
                self.run([*command, "SELECT 1"])
                break
            time.sleep(0.1)
        self.run([*command, sql])

    def mariadb(self, cert, key):
        daemon, data, port, password = self.programs["mariadbd"], self.folder("mariadb"), free_port(), made_up()
        base = pathlib.Path(daemon).resolve().parents[1]
        start = data / "start.sql"
        users = "".join(f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{password}'{more};"
                        for name, host, more in [("svc", "127.0.0.1", ""), ("locked", "127.0.0.1", " ACCOUNT LOCK"),
                                                 ("old", "127.0.0.1", " PASSWORD EXPIRE"), ("away", "192.0.2.1", "")])
        # What mariadb-install-db does, whose helpers stand in further packages.
        (data / "mysql").mkdir()
        if os.getuid() == 0:
            os.chown(data / "mysql", NOBODY, NOBODY)
        tables = ["USE mysql;\nSET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\nSET @current_hostname='localhost';\n"]
        for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql"):
            tables.append((base / "share/mysql" / name).read_text())
        self.run([daemon, "--no-defaults", "--bootstrap", f"--basedir={base}", f"--datadir={data}"], input="".join(tables))
        self.write(start, users.replace(";", ";\n"))
        self.start("mariadb", [daemon, "--no-defaults", f"--basedir={base}", f"--datadir={data}", f"--port={port}",
                               "--bind-address=127.0.0.1", f"--socket={data}/s", f"--pid-file={data}/pid",
                               f"--ssl-cert={cert}", f"--ssl-key={key}", f"--init-file={start}",
                               "--disconnect-on-expired-password=ON"], port)
        self.about["mysql"] = {"port": port, "password": password}

    def redis(self, cert, key, ca):
        data, port, tls, password, other = self.folder("redis"), free_port(), free_port(), made_up(), made_up()
        self.write(data / "redis.conf", "\n".join([
            "bind 127.0.0.1", f"port {port}", f"tls-port {tls}", f"tls-cert-file {cert}", f"tls-key-file {key}",
            f"tls-ca-cert-file {ca}", "tls-auth-clients no", "save \"\"", f"dir {data}", f"requirepass {other}",
            f"user svc on >{password} +ping", f"user named on >{password} +@all", f"user off off >{password} +@all",
            "user open on nopass +@all", ""]))
        self.start("redis", [self.programs["redis-server"], data / "redis.conf"], port)
        bare = free_port()
        self.start("redis-open", [self.programs["redis-server"], "--port", bare, "--bind", "127.0.0.1", "--save", "",
                                  "--dir", data], bare)
        self.about["redis"] = {"port": port, "tls": tls, "open": bare, "password": password, "default": other}

    def mail(self, cert, key):
        port, within, bare, password = free_port(), free_port(), free_port(), made_up()
        told = json.dumps({"cert": str(cert), "key": str(key), "port": port, "within": within, "bare": bare,
                           "password": password})
        # This Python may stand where nobody else can read it.
        self.start("mail", [sys.executable, pathlib.Path(__file__).with_name("mail.py"), told], bare, demoted=False)
        self.about["smtp"] = {"port": port, "within": within, "bare": bare, "password": password}

    def ssh(self):
        """OpenSSH, twice: as it comes, at several ports with rules of their own, and with the choices of FIPS."""
        folder = self.folder("ssh")
        kinds = {"ed25519": ["-t", "ed25519"], "p256": ["-t", "ecdsa", "-b", "256"], "p384": ["-t", "ecdsa", "-b", "384"],
                 "rsa": ["-t", "rsa", "-b", "2048"]}
        keygen = self.programs["ssh-keygen"]
        new = [keygen, "-q", "-C", "", "-f"]
        for kind, how in kinds.items():
            self.run([*new, folder / f"host-{kind}", "-N", "", *how])
        own = {**kinds, "rsa-3072": ["-t", "rsa", "-b", "3072"], "rsa-pkcs1": ["-t", "rsa", "-m", "PEM"],
               "rsa-pkcs8": ["-t", "rsa", "-m", "PKCS8"], "p256-sec1": ["-t", "ecdsa", "-m", "PEM"],
               "p384-pkcs8": ["-t", "ecdsa", "-b", "384", "-m", "PKCS8"], "p521": ["-t", "ecdsa", "-b", "521"]}
        for name, how in own.items():
            self.run([*new, folder / name, "-N", "", *how])
        # ssh-keygen has Ed25519 in its own form only. The public key is the end of what OpenSSL writes.
        pkcs8, der = folder / "ed25519-pkcs8", folder / "ed25519.der"
        self.run([self.programs["openssl"], "genpkey", "-algorithm", "ed25519", "-out", pkcs8])
        self.run([self.programs["openssl"], "pkey", "-in", pkcs8, "-pubout", "-outform", "DER", "-out", der])
        parts = (b"ssh-ed25519", der.read_bytes()[-32:])
        public = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        self.write(folder / "ed25519-pkcs8.pub", f"ssh-ed25519 {base64.b64encode(public).decode()}\n")
        own["ed25519-pkcs8"] = None
        self.run([*new, folder / "locked", "-N", made_up(), *kinds["ed25519"]])
        self.run([*new, folder / "stranger", "-N", "", *kinds["rsa"]])
        listed = "".join((folder / f"{name}.pub").read_text() for name in [*own, "locked"])
        self.write(folder / "authorized", listed)
        ports = {name: free_port() for name in ("port", "more", "older", "barred", "fips")}
        user = pwd.getpwuid(os.getuid()).pw_name
        common = ["PidFile none", "StrictModes no", "UsePAM no", f"AuthorizedKeysFile {folder}/authorized",
                  "PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel ERROR", f"AllowUsers {user}",
                  "PermitRootLogin prohibit-password",
                  *(f"HostKey {folder}/host-{kind}" for kind in kinds), *self.newer_sshd()]
        several = [*(f"Port {ports[name]}" for name in ports if name != "fips"), "ListenAddress 127.0.0.1", *common,
                   # A second key is demanded after the first.
                   f"Match LocalPort {ports['more']}", "AuthenticationMethods publickey,publickey",
                   f"Match LocalPort {ports['older']}", "PubkeyAcceptedAlgorithms rsa-sha2-256",
                   f"Match LocalPort {ports['barred']}", f"DenyUsers {user}"]
        fips = [f"Port {ports['fips']}", "ListenAddress 127.0.0.1", *common, "KexAlgorithms ecdh-sha2-nistp384",
                "Ciphers aes256-gcm@openssh.com"]
        for name, lines in [("sshd", several), ("sshd-fips", fips)]:
            self.write(folder / name, "\n".join([*lines, ""]))
            port = ports["fips" if name == "sshd-fips" else "port"]
            command = [self.programs["sshd"], "-D", "-e", "-f", str(folder / name)]
            # Others than root have their shadow entries locked, or none.
            self.start(name, as_root(self.scratch, command) if os.getuid() == 0 else command, port, demoted=False)
        hosts = {kind: (folder / f"host-{kind}.pub").read_text().strip() for kind in kinds}
        keys = {name: (folder / name).read_text() for name in [*own, "locked", "stranger"]}
        self.about["ssh"] = {**ports, "user": user, "hosts": hosts, "keys": keys}

    def newer_sshd(self):
        """Where the parts of an unpacked server are: since 9.8 it has several, at places of its own."""
        found = {}
        for option, name in [("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")]:
            found[option] = next((self.scratch / "debian").rglob(name), None)
        limits = ["PerSourcePenalties no"] if found["SshdSessionPath"] else []
        return [f"{option} {path}" for option, path in found.items() if path] + limits

    def write(self, path, text, mode=0o644):
        path.write_text(text)
        path.chmod(mode)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)


def made_up():
    return "p" + secrets.token_hex(12)


def main():
    command = sys.argv[1:] or ["cargo", "test", "--quiet", "--profile", "quick", "--locked", "--test", "probes", "--",
                               "--nocapture"]
    if not importlib.util.find_spec("aiosmtpd"):
        print("there is no aiosmtpd here: pip install aiosmtpd")
        return 77
    with tempfile.TemporaryDirectory(prefix="keywheel-probes-", ignore_cleanup_errors=True) as scratch:
        try:
            servers = Servers(scratch)
        except Unavailable as why:
            print(why)
            return 77
        try:
            cert, key, ca = servers.certificates()
            servers.postgres(cert, key)
            servers.mariadb(cert, key)
            servers.redis(cert, key, ca)
            servers.mail(cert, key)
            servers.ssh()
            about = servers.scratch / "about.json"
            about.write_text(json.dumps(servers.about))
            return subprocess.run(command, cwd=ROOT, env={**os.environ, "KEYWHEEL_PROBES": str(about)}, check=False).returncode
        except Unavailable as why:
            print(why)
            return 77
        finally:
            servers.stop()


if __name__ == "__main__":
    sys.exit(main())
