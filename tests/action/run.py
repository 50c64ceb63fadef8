#!/usr/bin/env python3
"""Runs the action under act, on the host and without docker, on payloads of GitHub's events.

    tests/action/run.py --binary BINARY [--act ACT] [--only NAME]

The repository is served by git's own HTTP backend on the loopback address, which takes nothing but the token. Each
run begins with what actions/checkout leaves behind: one commit deep, no credential stored. The binary stands in the
runner's tool cache as a release would, so that its digest is checked too. Keys are made up at run time.
"""

import argparse
import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "loopback-token"
ZERO = "0" * 40
GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
WORKFLOW = """\
on: [push, pull_request, pull_request_target, merge_group, schedule]
jobs:
  scan:
    runs-on: ubuntu-latest
    steps:
      - run: cp -R "$CHECKOUT/." .
      - id: keywheel
        uses: keywheel/action@v0
        with:
          token: ${{ github.token }}
          category: test
      - if: always()
        run: |
          printf '%s' "$OUTPUTS" >"$KEPT/outputs.json"
          [ ! -s "$SARIF" ] || cp "$SARIF" "$KEPT/report.sarif"
        env:
          OUTPUTS: ${{ toJSON(steps.keywheel.outputs) }}
          SARIF: ${{ steps.keywheel.outputs.sarif-file }}
"""


def key(n):
    """The n-th synthetic token: GitHub's form, with the checksum that its rule demands."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body = base64.b64encode(hashlib.sha256(b"action %d" % n).digest()).decode()
    body = "".join(c for c in body if c.isalnum())[:30]
    total, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        total, digit = divmod(total, 62)
        tail = digits[digit] + tail
    return "_".join(["ghp", body + tail])


class Backend(http.server.BaseHTTPRequestHandler):
    """git http-backend behind basic authentication; two credentials are refused, as GitHub does."""

    folder = None
    seen = []

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.body())

    def body(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, body):
        given = self.headers.get_all("Authorization", [])
        expected = "basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        Backend.seen.append(given)
        if [g.lower().replace("basic ", "") for g in given] != [expected.lower().replace("basic ", "")]:
            self.send_response(401 if len(given) < 2 else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = GIT | {
            "GIT_PROJECT_ROOT": str(Backend.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server:
    """A bare repository on the server, and a clone in which its commits are made."""

    def __init__(self, scratch):
        self.bare = scratch / "server" / "owner" / "repo"
        self.clone = scratch / "clone"
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        git("-C", str(self.bare), "config", "uploadpack.allowAnySHA1InWant", "true")
        git("init", "--quiet", "--initial-branch=main", str(self.clone))

    def git(self, *args):
        return git("-C", str(self.clone), *args)

    def commit(self, message, **files):
        """Writes files (`a_py` is `a.py`; None removes) and commits them."""
        for name, text in files.items():
            path = self.clone / name.replace("_", ".")
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def idle(self, n):
        """Commits that change little: more than one shallow fetch brings."""
        for i in range(n):
            self.commit(f"idle {i}", idle_txt=f"{i}\n")

    def push(self, *refs):
        self.git("push", "--quiet", "--force", str(self.bare), *refs)


def git(*args):
    done = subprocess.run(["git", *args], env=GIT | {"HOME": "/nonexistent"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {' '.join(args)}: {done.stderr}")
    return done.stdout.strip()


class Run:
    """One run of the action, and what it left."""

    def __init__(self, bench, name, event, payload, sha, reference):
        self.name, self.secrets = name, bench.secrets
        folder = bench.scratch / "runs" / name
        work, kept = folder / "work", folder / "kept"
        kept.mkdir(parents=True)
        git("init", "--quiet", "--initial-branch=main", str(work))
        git("-C", str(work), "fetch", "--quiet", "--depth=1", f"file://{bench.server.bare}", sha)
        git("-C", str(work), "checkout", "--quiet", "--detach", sha)
        # What checkout stores with persist-credentials: a second credential would be refused.
        if bench.stored:
            key = f"http.{bench.url}/.extraheader"
            git("-C", str(work), "config", key, " ".join(("AUTHORIZATION:", "basic", "c3RvcmVk")))
        payload = payload | {"repository": {"default_branch": "main", "full_name": "owner/repo"}, "ref": reference}
        (folder / "event.json").write_text(json.dumps(payload))
        (folder / "workflow.yml").write_text(WORKFLOW)
        command = [bench.act, event, "--directory", str(work), "--eventpath", str(folder / "event.json")]
        command += ["--workflows", str(folder / "workflow.yml"), "--platform", "ubuntu-latest=-self-hosted"]
        command += ["--local-repository", f"keywheel/action@v0={bench.action}", "--no-cache-server", "--pull=false"]
        command += ["--action-cache-path", str(bench.scratch / "act"), "--secret", f"GITHUB_TOKEN={bench.token}"]
        env = {
            "GITHUB_SERVER_URL": bench.url,
            "GITHUB_REPOSITORY": "owner/repo",
            "GITHUB_SHA": sha,
            "GITHUB_REF": reference,
            "CHECKOUT": str(work),
            "KEPT": str(kept),
        }
        command += [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        outer = {"PATH": os.environ["PATH"], "HOME": str(bench.scratch / "home"), "TERM": "dumb"}
        done = subprocess.run(command, env=outer, capture_output=True, text=True, check=False, timeout=600)
        self.code, self.log = done.returncode, done.stdout + done.stderr
        read = lambda name: (kept / name).read_text() if (kept / name).exists() else ""
        self.outputs = json.loads(read("outputs.json") or "{}")
        self.sarif = read("report.sarif")

    def expect(self, passes, words=(), **outputs):
        """Whether the job passed, what its log says, and its outputs (`new_findings` is `new-findings`)."""
        faults = []
        if (self.code == 0) != passes:
            faults.append(f"act ended with {self.code}")
        for name, value in outputs.items():
            got = self.outputs.get(name.replace("_", "-"))
            if got != value:
                faults.append(f"the output {name} is {got!r}, not {value!r}")
        faults += [f"no {word!r} in the log" for word in words if word not in self.log]
        for text, place in [(self.log, "log"), (self.sarif, "SARIF file")]:
            faults += [f"a whole key in the {place}" for secret in self.secrets if secret in text]
        if faults:
            print(self.log)
            print(json.dumps(self.outputs, indent=1))
            raise SystemExit(f"{self.name}: {'; '.join(faults)}")
        print(f"  {self.name}: as expected")
        return self


class Bench:
    """What all runs share."""

    stored = False

    def __init__(self, scratch, binary, act):
        self.scratch, self.act, self.token, self.secrets = scratch, act, TOKEN, [key(n) for n in range(9)]
        (scratch / "home").mkdir()
        self.server = Server(scratch)
        Backend.folder = scratch / "server"
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{web.server_address[1]}"
        self.action = self.install(binary)

    def install(self, binary):
        """The action with a list that names the binary, and the binary in the runner's tool cache."""
        action = self.scratch / "action"
        (action / ".github").mkdir(parents=True)
        shutil.copy(ROOT / "action.yml", action)
        shutil.copytree(ROOT / ".github" / "action", action / ".github" / "action")
        target = f"{os.uname().machine}-linux"
        # act names its tool cache so.
        self.cached = self.scratch / "act/tool_cache/keywheel/0.0.0-test" / target / "keywheel.tar.gz"
        self.cached.parent.mkdir(parents=True)
        with tarfile.open(self.cached, "w:gz", compresslevel=1) as archive:
            archive.add(binary, "keywheel")
        digest = hashlib.sha256(self.cached.read_bytes()).hexdigest()
        with open(action / ".github/action/digests.txt", "a", encoding="utf-8") as file:
            # Nothing listens there, so a run passes only by the cache.
            file.write(f"0.0.0-test {target} {digest} https://127.0.0.1:1/keywheel.tar.gz\n")
        return action

    def run(self, name, event, payload, sha, reference="refs/heads/main"):
        return Run(self, name, event, payload, sha, reference)


def scenarios(bench):
    """A story of one repository, and a run of the action for each of its events."""
    s = bench.server
    first = s.commit("first", old_py=f"token = '{key(0)}'\n", keywheel_toml="[scan]\nbaseline = 'known'\n")
    s.idle(80)
    base = s.commit("base", main_py="print(1)\n")
    s.push("main")

    # A pull request whose key is gone again in its last commit, and that allows itself all keys.
    s.git("checkout", "--quiet", "-b", "topic")
    s.idle(70)
    allow = "[[allow]]\nrule = 'github-pat-classic'\nreason = 'trust me'\n"
    s.commit("key", sub_py=f"a = 1\ntoken = '{key(1)}'  # keywheel:allow reason=mine\n", keywheel_toml=allow)
    head = s.commit("gone", sub_py="a = 1\n")
    s.git("checkout", "--quiet", "main")
    s.git("merge", "--quiet", "--no-ff", "--message", "trial", "topic")
    merge = s.git("rev-parse", "HEAD")
    s.git("reset", "--quiet", "--hard", base)
    s.push("topic", f"{merge}:refs/pull/1/merge")
    pull = {"action": "synchronize", "pull_request": {"base": {"sha": base}, "head": {"sha": head}}}
    here = "refs/pull/1/merge"
    found = {"findings": "1", "new_findings": "1", "active_findings": "0", "exit_code": "1", "complete": "true"}
    words = ["::error file=sub.py,line=2", "keywheel: proposed:", "::stop-commands::"]

    def pull_request():
        run = bench.run("pull_request", "pull_request", pull, merge, here).expect(False, words, **found)
        if '"ruleId":"github-pat-classic"' not in run.sarif.replace(": ", ":"):
            raise SystemExit("pull_request: the SARIF file does not show the finding")
        if int(run.outputs["scanned-commits"]) != 73:
            raise SystemExit(f"pull_request: {run.outputs['scanned-commits']} commits were scanned, not 73")

    def pull_request_on_head():
        bench.run("pull_request-on-head", "pull_request", pull, head, here).expect(False, words, **found)

    def stored_credential():
        bench.stored = True
        bench.run("pull_request-stored-credential", "pull_request", pull, merge, here).expect(False, words, **found)
        bench.stored = False

    def no_token():
        bench.token = "wrong"
        told = ["is not in the repository", "fetch-depth: 0"]
        bench.run("pull_request-no-token", "pull_request", pull, head, here).expect(
            False, told, exit_code="2", complete="false"
        )
        bench.token = TOKEN

    def pull_request_target():
        told = ["::error title=Keywheel::pull_request_target runs with the rights"]
        bench.run("pull_request_target", "pull_request_target", pull, base).expect(False, told, exit_code="2")

    def push():
        payload = {"before": base, "after": head, "forced": False}
        bench.run("push", "push", payload, head).expect(False, words[:1], **found)

    def push_clean():
        payload = {"before": first, "after": base, "forced": False}
        run = bench.run("push-clean", "push", payload, base)
        run.expect(True, ["No findings"], findings="0", exit_code="0", complete="true")

    def push_new_branch():
        payload = {"before": ZERO, "after": head, "created": True}
        bench.run("push-new-branch", "push", payload, head, "refs/heads/topic").expect(False, words[:1], **found)

    def push_forced():
        payload = {"before": "1" * 40, "after": head, "forced": True}
        told = [words[0], "is gone"]
        bench.run("push-forced", "push", payload, head, "refs/heads/topic").expect(False, told, **found)

    def push_delete():
        payload = {"before": head, "after": ZERO, "deleted": True}
        bench.run("push-delete", "push", payload, base).expect(True, ["nothing to scan"], findings="0", exit_code="0")

    def merge_group():
        payload = {"action": "checks_requested", "merge_group": {"base_sha": base, "head_sha": merge}}
        where = "refs/heads/gh-readonly-queue/main/pr-1"
        bench.run("merge_group", "merge_group", payload, merge, where).expect(False, words[:1], **found)

    def schedule():
        run = bench.run("schedule", "schedule", {"schedule": "0 3 * * *"}, base)
        run.expect(False, findings="2", new_findings="2", exit_code="1", complete="true")

    def tampered_cache():
        whole = bench.cached.read_bytes()
        bench.cached.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        told = ["has another digest than the list", "could not be downloaded"]
        bench.run("tampered-cache", "pull_request", pull, merge, here).expect(False, told)
        bench.cached.write_bytes(whole)

    return [value for name, value in locals().items() if callable(value) and not isinstance(value, type)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--act", default="act")
    parser.add_argument("--only")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keywheel-action-") as folder:
        chosen = [s for s in scenarios(Bench(pathlib.Path(folder), args.binary, args.act)) if args.only in (None, s.__name__)]
        if not chosen:
            sys.exit(f"there is no scenario {args.only}")
        for scenario in chosen:
            scenario()
        if not Backend.seen:
            sys.exit("nothing was fetched from the server")
    print(f"{len(chosen)} passed, 0 failed")


if __name__ == "__main__":
    main()
