#!/usr/bin/env python3
"""Compares whole processes on git histories: all of one, its last commit, its last 500 commits.

    HISTORIES=/repos/redis:/repos/rails benches/histories.py            everything
    HISTORIES=/repos/redis benches/histories.py history last            only these workloads
    HISTORIES=/repos/redis benches/histories.py --curve                 ours alone, on ever more of the history

Each repository is cloned with --no-local, so that its pack holds just what its refs lead to, and 40 commits with
a planted key each are put on top: in new files, in old ones, removed again in half of the cases. A run of ours
that misses one is marked invalid. Settings are those of whole_process.py, whose tools, waiter and tables are used.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import whole_process as base

PLANTED = 40
WORK = {"history": None, "last": 1, "recent": 500}


def git(at, *args, data=None):
    env = {"PATH": base.ENV("PATH", ""), "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", "-C", str(at), *args], input=data, stdout=subprocess.PIPE, env=env, check=True)
    return done.stdout.decode(errors="replace").strip()


def planted(source):
    """A clone with the planted commits on top, made once."""
    at = base.HOME / "histories" / Path(source).name.removesuffix(".git")
    keys = at / "planted.json"
    if keys.exists():
        return at, json.loads(keys.read_text())
    print(f"cloning {source}", file=sys.stderr)
    at.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "-q", "--bare", "--no-local", f"file://{Path(source).absolute()}", str(at)], check=True)
    head, branch = git(at, "rev-parse", "HEAD"), git(at, "symbolic-ref", "HEAD")
    rnd = random.Random(30)
    paths = git(at, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    texts = [p for p in paths if p.endswith((".c", ".h", ".rb", ".go", ".py", ".md", ".sh"))]
    out, secrets, parent = [], [], head

    def commit(message, path, text):
        nonlocal parent
        body = text.encode()
        out.append(f"commit {branch}\ncommitter B <b@example.invalid> 1900000000 +0000\ndata {len(message)}\n{message}\n".encode())
        out.append(f"from {parent}\n".encode() if parent else b"")
        out.append(f'M 100644 inline "{path}"\ndata {len(body)}\n'.encode() + body + b"\n")
        parent = None

    for n in range(PLANTED):
        secret = base.token(rnd)
        secrets.append(secret)
        path = f"planted/{n}.py" if n % 2 else rnd.choice(texts)
        old = "" if n % 2 else git(at, "show", f"{head}:{path}") + "\n"
        lines = old.splitlines(keepends=True)
        place = rnd.randrange(len(lines) + 1)
        new = "".join(lines[:place]) + f'client = connect("{secret}")\n' + "".join(lines[place:])
        commit("plant", path, new)
        if n % 4 < 2:
            commit("remove", path, old or "# gone\n")
    git(at, "fast-import", "--quiet", "--force", data=b"".join(out))
    git(at, "repack", "-q", "-a", "-d")
    keys.write_text(json.dumps(secrets))
    return at, secrets


def keywheel(exe, at, start, out):
    what = ["--range", f"{start}..HEAD"] if start else ["--history"]
    return [exe, "scan", *what, str(at), "--jobs", base.THREADS, "--quiet", "--show-secrets", "--exit-zero",
            "--format", f"jsonl={out}"]  # fmt: skip


def kingfisher(exe, at, start, out):
    since = ["--since-commit", start] if start else []
    return [exe, "scan", str(at), "--turbo", "--jobs", base.THREADS, "--no-validate", "--no-update-check", "--quiet",
            *since, "--max-file-size", "0", "--rule-cache-dir", str(base.HOME / "kingfisher-cache"),
            "--format", "jsonl", "--output", out]  # fmt: skip


def betterleaks(exe, at, start, out):
    since = ["--log-opts", f"{start}..HEAD"] if start else []
    return [exe, "git", str(at), "--silent", "--no-banner", "--no-color", "--exit-code", "0", *since,
            "-o", f"{out}.json"]  # fmt: skip


def gitleaks(exe, at, start, out):
    since = ["--log-opts", f"{start}..HEAD"] if start else []
    return [exe, "git", str(at), "--no-banner", "--no-color", "--log-level", "error", "--exit-code", "0", *since,
            "--report-format", "json", "--report-path", out]  # fmt: skip


TOOLS = {f.__name__: f for f in (keywheel, kingfisher, betterleaks, gitleaks)}


def lost(secrets, report):
    seen = {json.loads(line)["secret"] for line in report.read_text().splitlines()} if report.exists() else set()
    return [s[:8] + "…" for s in secrets if s not in seen]


def measure(source, work, tools):
    at, secrets = planted(source)
    depth = WORK[work]
    start = git(at, "rev-parse", f"HEAD~{depth}") if depth else None
    # Of the last commit only the last key is new; of the last 500 all are.
    wanted = [] if work == "last" else secrets
    records = []
    for number in range(base.ROUNDS + 1):
        for tool, exe in tools.items():
            if any(r["tool"] == tool and r["code"] == "cut off" for r in records):
                continue
            with tempfile.TemporaryDirectory(dir=base.HOME) as folder:
                out, stdout = Path(folder, "report"), Path(folder, "stdout")
                command = TOOLS[tool](exe, at, start, str(out))
                record = dict(work=work, tool=tool, round=number, **base.run(command, stdout))
                record["findings"] = base.count(tool, out, stdout)
                if tool == "keywheel":
                    record["missed"] = lost(wanted, out)
            records.append(record)
            print(f"{at.name} {work:8} {tool:12} round {number} {record['wall']:8.3f} s wall {record['cpu']:8.2f} s CPU "
                  f"{record['rss']:7.0f} MiB {record['findings']} findings", file=sys.stderr)  # fmt: skip
    objects = int(git(at, "count-objects", "-v").split("in-pack: ")[1].split()[0])
    size = sum(p.stat().st_size for p in (at / "objects" / "pack").glob("*.pack"))
    return dict(name=f"{at.name}, {work} (objects, pack)", files=objects, bytes=size, plants=len(wanted), records=records)


def curve(source, exe):
    """What ever more of a history costs: by commits, bytes of the pack, bytes of its blobs."""
    at, _ = planted(source)
    total = int(git(at, "rev-list", "--count", "--first-parent", "HEAD"))
    print(f"\n### {at.name}: what more history costs\n\n| objects | pack MB | blobs MB | wall s | CPU s |\n|---:|---:|---:|---:|---:|")
    for part in (16, 8, 4, 2, 1):
        with tempfile.TemporaryDirectory(dir=base.HOME) as folder:
            small = Path(folder, "part")
            tip = git(at, "rev-parse", f"HEAD~{total - total // part}" if part > 1 else "HEAD")
            git(at, "update-ref", "refs/heads/keywheel-bench", tip)
            subprocess.run(["git", "clone", "-q", "--bare", "--no-local", "--single-branch", "--branch", "keywheel-bench",
                            f"file://{at}", str(small)], check=True)  # fmt: skip
            runs = [base.run(keywheel(exe, small, None, str(Path(folder, "out"))), Path(folder, "stdout")) for _ in range(3)]
            best = min(runs, key=lambda r: r["wall"])
            kinds = git(small, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize)").splitlines()
            blobs = sum(int(k.split()[1]) for k in kinds if k.startswith("blob"))
            pack = sum(p.stat().st_size for p in (small / "objects" / "pack").glob("*.pack"))
            print(f"| {len(kinds):,} | {pack / 1e6:.1f} | {blobs / 1e6:.1f} | {best['wall']:.3f} | {best['cpu']:.2f} |")
    git(at, "update-ref", "-d", "refs/heads/keywheel-bench")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="*", metavar="WORKLOAD", help=", ".join(WORK))
    parser.add_argument("--curve", action="store_true", help="only ours, on parts of each history")
    args = parser.parse_args()
    if unknown := [w for w in args.work if w not in WORK]:
        parser.error(f"there is no workload {unknown[0]}; there are {', '.join(WORK)}")
    sources = [s for s in base.ENV("HISTORIES", "").split(":") if s]
    if not sources:
        parser.error("name repositories in HISTORIES, separated by colons")
    tools = {name: exe for name in TOOLS if (exe := base.binary(name))}
    if "keywheel" not in tools:
        parser.error("build ours first: cargo build --release; or set KEYWHEEL")
    (base.HOME / "kingfisher-cache").mkdir(parents=True, exist_ok=True)
    if args.curve:
        for source in sources:
            curve(source, tools["keywheel"])
        return
    results = [measure(s, w, tools) for s in sources for w in args.work or WORK]
    print(f"{base.ROUNDS} rounds, {base.THREADS} threads, medians; ratios are medians of the rounds' own ratios.")
    for result in results:
        base.table(result)
    if any(r.get("missed") for result in results for r in result["records"]):
        sys.exit("some runs are invalid")


if __name__ == "__main__":
    main()
