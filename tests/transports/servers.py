"""An SSH server and a web server for git on loopback ports, as the current user, with nothing of the system's set-up.

Programs that are missing are fetched from Debian and unpacked into the scratch folder, not installed: an installed
server would be started and would stay.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

PACKAGES = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "sshd": "openssh-server", "nginx": "nginx-light",
            "fcgiwrap": "fcgiwrap"}
CLEAN = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
# Connections and requests that are served at once.
AT_ONCE = 64


class Unavailable(Exception):
    """The programs cannot be had here; says why."""


def programs(scratch, packages=None):
    """The path of each program of `packages`, and the folders of libraries that the unpacked ones need."""
    packages = PACKAGES if packages is None else packages
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    found = {name: shutil.which(name, path=path) for name in packages}
    missing = sorted({packages[name] for name, at in found.items() if not at})
    if not missing:
        return found, []
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Unavailable(f"{', '.join(missing)} not installed, and this is no Debian to fetch them from")
    debs, root = scratch / "debs", scratch / "debian"
    for folder in (debs / "partial", root, scratch / "lists/partial"):
        folder.mkdir(parents=True)
    fetch = ["apt-get", "-y", "-qq", "--no-install-recommends", "-o", "Debug::NoLocking=1"]
    get = [f"-oDir::Cache::archives={debs}/", "--download-only", "install", *missing]
    lists = f"-oDir::State::lists={scratch / 'lists'}"
    # The second way is for a system without lists of packages.
    ways = [[[*fetch, *get]], [[*fetch, lists, "update"], [*fetch, lists, *get]]]
    said = ""
    for way in ways:
        for command in way:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = done.stderr
            if done.returncode:
                break
        else:
            break
    else:
        raise Unavailable(f"{', '.join(missing)} cannot be fetched from Debian: {said.strip()}")
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    for name, at in found.items():
        places = [root / folder / name for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
        found[name] = at or next((str(p) for p in places if p.exists()), None)
        if not found[name]:
            raise Unavailable(f"{packages[name]} of Debian holds no {name}")
    return found, sorted({str(p.parent) for p in root.rglob("*.so*")})


def as_root(scratch, command):
    """As root sshd wants a user and a folder of its own; it gets them where nobody else sees them."""
    mounts = []
    if not os.path.isdir("/run/sshd"):
        mounts.append("mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/sshd")
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        users = scratch / "passwd"
        users.write_text(pathlib.Path("/etc/passwd").read_text() + "sshd:*:65533:65534::/run/sshd:/bin/false\n")
        mounts.append(f"mount --bind {users} /etc/passwd")
    if not mounts:
        return command
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]
    if subprocess.run([*unshare, ":"], capture_output=True, check=False).returncode:
        raise Unavailable("as root sshd needs the user sshd and the folder /run/sshd, and mounts are not permitted")
    return [*unshare, " && ".join([*mounts, 'exec "$@"']), "sh", *command]


class Servers:
    """Serves the repositories below `scratch/root`; `urls` holds the address of that folder for each transport."""

    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.root = self.scratch / "root"
        self.root.mkdir()
        self.running = []
        if sys.platform == "linux":
            # PR_SET_CHILD_SUBREAPER: what a server leaves behind becomes a child of this program, which sees it end.
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        self.programs, libraries = programs(self.scratch)
        self.env = {**CLEAN, "HOME": str(self.scratch)}
        if libraries:
            self.env["LD_LIBRARY_PATH"] = ":".join(libraries)

    def __enter__(self):
        try:
            ssh, http = self.ssh(), self.http()
        except BaseException:
            self.stop()
            raise
        self.urls = {"local": str(self.root), "ssh": ssh, "http": http}
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends every server and what it started."""
        for process in reversed(self.running):
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, sign)
                except ProcessLookupError:
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        self.running = []
        end = time.monotonic() + 5
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < end:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.02)

    def start(self, name, command, ready):
        """Starts a server and waits until `ready` connects to it."""
        log = self.scratch / f"{name}.log"
        with open(log, "ab") as out:
            process = subprocess.Popen(command, env=self.env, cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, start_new_session=True)
        self.running.append(process)
        end = time.monotonic() + 20
        while True:
            try:
                ready().close()
                return
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} does not serve: {log.read_text()}") from None
                time.sleep(0.05)

    def ssh(self):
        """Starts sshd; gives the address."""
        scratch, user, port = self.scratch, pwd.getpwuid(os.getuid()).pw_name, free_port()
        for name in ("host", "user"):
            make = [self.programs["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", scratch / name]
            subprocess.run(make, env=self.env, check=True)
        (scratch / "known").write_text(f"[127.0.0.1]:{port} {(scratch / 'host.pub').read_text()}")
        serve = scratch / "serve"
        exports = "".join(f"export {name}='{value}'\n" for name, value in {**CLEAN, "HOME": scratch}.items())
        serve.write_text(f"#!/bin/sh\n{exports}exec git shell -c \"$SSH_ORIGINAL_COMMAND\"\n")
        serve.chmod(0o755)
        (scratch / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {scratch}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {scratch}/user.pub\nAllowUsers {user}\nPermitRootLogin prohibit-password\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups {2 * AT_ONCE}\n"
            f"PermitUserRC no\nForceCommand {serve}\nLogLevel ERROR\n")
        command = [self.programs["sshd"], "-D", "-e", "-f", str(scratch / "sshd_config")]
        self.start("sshd", as_root(self.scratch, command) if os.getuid() == 0 else command, lambda: connect(port))
        options = {"IdentitiesOnly": "yes", "IdentityAgent": "none", "BatchMode": "yes", "LogLevel": "ERROR",
                   "StrictHostKeyChecking": "yes", "UserKnownHostsFile": scratch / "known",
                   "GlobalKnownHostsFile": "/dev/null"}
        words = "".join(f" -o {name}={value}" for name, value in options.items())
        self.ssh_command = f"{self.programs['ssh']} -F /dev/null -i {scratch}/user{words}"
        return f"ssh://{user}@127.0.0.1:{port}{self.root}"

    def http(self):
        """Starts nginx and fcgiwrap; gives the address."""
        scratch, port, gate = self.scratch, free_port(), self.scratch / "fcgi"
        self.start("fcgiwrap", [self.programs["fcgiwrap"], "-c", str(AT_ONCE), "-s", f"unix:{gate}"],
                   lambda: connect(gate))
        backend = pathlib.Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
        # REMOTE_USER is what lets git http-backend take pushes.
        params = {**CLEAN, "HOME": scratch, "SCRIPT_FILENAME": backend, "GIT_PROJECT_ROOT": self.root,
                  "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "pusher", "REMOTE_ADDR": "$remote_addr",
                  "PATH_INFO": "$uri", "QUERY_STRING": "$query_string", "REQUEST_METHOD": "$request_method",
                  "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length"}
        lines = "".join(f'      fastcgi_param {name} "{value}";\n' for name, value in params.items())
        temps = "".join(f"  {kind}_temp_path {scratch}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.getuid() == 0 else ""
        (scratch / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 1;\npid {scratch}/nginx.pid;\nevents {{ }}\n"
            "http {\n  access_log off;\n"
            f"{temps}  client_max_body_size 0;\n  server {{\n    listen 127.0.0.1:{port};\n    allow 127.0.0.1;\n"
            "    deny all;\n    location / {\n"
            f"      fastcgi_pass unix:{gate};\n      fastcgi_read_timeout 300;\n{lines}"
            "    }\n  }\n}\n")
        self.start("nginx", [self.programs["nginx"], "-p", str(scratch), "-e", str(scratch / "nginx.log"), "-c",
                             str(scratch / "nginx.conf")], lambda: connect(port))
        return f"http://127.0.0.1:{port}"


def connect(to):
    """Connects to a port or a socket file."""
    if isinstance(to, int):
        return socket.create_connection(("127.0.0.1", to), 1)
    gate = socket.socket(socket.AF_UNIX)
    try:
        gate.connect(str(to))
    except OSError:
        gate.close()
        raise
    return gate


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
