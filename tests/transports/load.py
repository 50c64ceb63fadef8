"""Many pushes at once, and pushes into a repository with many refs: verdicts, times and memory of the hook."""

import concurrent.futures
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import zlib

from servers import CLEAN

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
REJECTED = "remote: keywheel: push rejected: it holds 1 secret"
# Goals: seconds, bytes and seconds.
P99, MEMORY, MANY_REFS = 1.0, 100_000_000, 0.03
# Runs the hook, and notes its time, its work and the most memory it held, which Python's own, some 10 MB, may hide.
TIMED = """#!{python} -IS
import json, os, sys, time
begun = time.monotonic()
real = {real!r}
_, status, usage = os.wait4(os.posix_spawn(real, [real], os.environ), 0)
took = time.monotonic() - begun
line = json.dumps([took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]) + "\\n"
out = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(out, line.encode())
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Wrong(Exception):
    """A verdict or a measure that must not be."""


def key(n):
    """The n-th made-up token: GitHub's form, with the checksum that its rule demands."""
    digest = hashlib.sha256(b"transports %d" % n).digest() * 2
    body = "".join(DIGITS[b % 62] for b in digest[:30])
    total, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        total, tail = total // 62, DIGITS[total % 62] + tail
    return "ghp_" + body + tail


class Bench:
    """A server's repository with the hook under a watch, and a clone of it."""

    def __init__(self, servers, keywheel, name):
        self.name, self.urls = name, servers.urls
        self.server, self.clone = servers.root / f"{name}.git", servers.scratch / f"{name}-clone"
        self.log = servers.scratch / f"{name}.jsonl"
        self.env = {**CLEAN, "HOME": str(servers.scratch), "GIT_SSH_COMMAND": servers.ssh_command}
        for who in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@example.com"}
        self.git(servers.root, "init", "-q", "--bare", "-b", "main", self.server)
        self.git(self.server, "config", "gc.auto", "0")
        self.git(servers.root, "init", "-q", "-b", "main", self.clone)
        (self.clone / "file").write_text("some text\n" * 1000)
        self.commit("start")
        self.push("local", "main").check_returncode()
        # The budget is wide: a busy machine must not decide what a push is.
        subprocess.run([keywheel, "hook", "install", "pre-receive", self.server, "--", "--budget", "60s"], check=True,
                       capture_output=True)
        hook = self.server / "hooks/pre-receive"
        real = hook.rename(hook.with_suffix(".real"))
        hook.write_text(TIMED.format(python=sys.executable, real=str(real), log=str(self.log)))
        hook.chmod(0o755)

    def git(self, at, *args, **more):
        """What git says; it must not fail."""
        command = ["git", *map(str, args)]
        done = subprocess.run(command, cwd=at, env=self.env, check=True, stdout=subprocess.PIPE, **more)
        return done.stdout.decode().strip()

    def commit(self, message):
        """Commits all there is."""
        self.git(self.clone, "add", "-A")
        self.git(self.clone, "commit", "-q", "-m", message)

    def push(self, transport, what):
        """Pushes to the address: no name of a remote, so that pushes at once share no refs."""
        url = f"{self.urls[transport]}/{self.server.name}"
        return subprocess.run(["git", "push", "-q", url, what], cwd=self.clone, env=self.env, capture_output=True,
                              text=True, check=False, timeout=600)

    def judge(self, n, done, branch):
        """Raises if the n-th push, with a key if n is odd, did not end as it must."""
        said = done.stdout + done.stderr
        sent = self.git(self.clone, "rev-parse", f"push/{n}")
        held = self.git(self.server, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        if n % 2 == 0:
            good = done.returncode == 0 and held == sent
        else:
            good = done.returncode == 1 and held != sent and REJECTED in said and key(n) not in said
            good = good and any(line.startswith("remote: ") and f"at file{n}:1 in commit {sent[:12]}" in line
                                for line in said.splitlines())
        if not good:
            raise Wrong(f"push {n} to {branch} ended with {done.returncode}, the server holds {held or 'nothing'}: "
                        f"{said.replace(key(n), '[key]')}")

    def branch(self, n, base="main"):
        """Makes the branch `push/n`; it holds a key if n is odd."""
        self.git(self.clone, "checkout", "-q", "-b", f"push/{n}", base)
        (self.clone / f"file{n}").write_text(f"token = {key(n)}\n" if n % 2 else f"text {n}\n")
        self.commit(f"push {n}")

    def measured(self, pushes):
        """Times in order, median of the work in seconds, and most memory of the hooks that ran; one for each push."""
        rows = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.log.unlink()
        if len(rows) != pushes:
            raise Wrong(f"of {pushes} pushes {len(rows)} came to the hook")
        times, work, memory = zip(*rows, strict=True)
        return sorted(times), statistics.median(work), max(memory)


def percentile(ordered, share):
    """The nearest rank."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def goal(value, limit):
    """How a measure stands to its goal."""
    return "met" if value <= limit else "MISSED"


def at_once(servers, keywheel, transport, count):
    """`count` pushes at once to as many branches of one repository; every second one carries a key."""
    bench = Bench(servers, keywheel, f"at-once-{transport}")
    for n in range(count):
        bench.branch(n)
    start = threading.Barrier(count)

    def push(n):
        start.wait()
        return bench.push(transport, f"push/{n}")

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        done = list(pool.map(push, range(count)))
    for n, each in enumerate(done):
        bench.judge(n, each, f"push/{n}")
    times, work, memory = bench.measured(count)
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    print(f"{count} pushes at once, {transport}: no wrong verdict; hook p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms "
          f"(goal {P99 * 1e3:.0f}: {goal(p99, P99)}), of work {work * 1e3:.0f} ms, at most "
          f"{memory / 1e6:.0f} MB (goal {MEMORY / 1e6:.0f}: {goal(memory, MEMORY)})", flush=True)
    # Time hangs on how busy the machine is, memory does not.
    if memory > MEMORY:
        raise Wrong("a hook held more memory than it may")


def many_refs(servers, keywheel, count):
    """Pushes of one commit to a repository with `count` refs to as many commits, loose and then packed."""
    bench = Bench(servers, keywheel, "many-refs")
    older = bench.git(bench.clone, "rev-parse", "main")
    (bench.clone / "file").write_text("another text\n")
    bench.commit("go on")
    bench.push("local", "main").check_returncode()
    bench.log.unlink()
    stream = "".join(
        f"commit refs/heads/old/{n % 256}/{n}\nmark :{n + 1}\ncommitter A <a@example.com> {n} +0000\ndata 1\nx\n"
        f"from {f':{n}' if n else older}\n" for n in range(count))
    bench.git(bench.server, "fast-import", "--quiet", input=stream.encode())
    # Where a push stands on a commit that no ref names, all refs are read.
    kinds = [("onto their branches", "on", 20, "main"), ("as new branches", "new", 6, "main"),
             ("as new branches on an older commit", "aside", 6, older)]
    n = 0
    for state in ("loose", "packed"):
        for what, place, pushes, base in kinds:
            mine = range(n, n + pushes)
            n += pushes
            for each in mine:
                bench.branch(each, base)
                if place == "on":
                    bench.git(bench.server, "update-ref", f"refs/heads/on/{each}", "main")
            if state == "packed":
                bench.git(bench.server, "pack-refs", "--all")
            loose = sum(len(names) for _, _, names in os.walk(bench.server / "refs"))
            if (loose > count) != (state == "loose"):
                raise Wrong(f"{loose} refs are loose where they should be {state}")
            for each in mine:
                bench.judge(each, bench.push("local", f"push/{each}:refs/heads/{place}/{each}"), f"{place}/{each}")
            times, work, memory = bench.measured(pushes)
            median = statistics.median(times)
            print(f"{pushes} pushes {what}, {count} {state} refs: no wrong verdict; hook median {median * 1e3:.0f} ms "
                  f"(goal {MANY_REFS * 1e3:.0f}: {goal(median, MANY_REFS)}), fastest {times[0] * 1e3:.0f} ms, of work "
                  f"{work * 1e3:.0f} ms, at most {memory / 1e6:.0f} MB", flush=True)
