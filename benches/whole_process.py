#!/usr/bin/env python3
"""Compares whole processes: Keywheel beside other scanners, on the same trees, with the same threads.

    benches/whole_process.py                   every workload whose corpus is there
    benches/whole_process.py linux minified    only these
    benches/whole_process.py --list            workloads, tools and commands

Settings come from the environment:
    KEYWHEEL                                         our binary [target/release/keywheel, or on PATH]
    KINGFISHER, BETTERLEAKS, GITLEAKS, RIPSECRETS    the others; one that is not on PATH is left out
    LINUX_TREE                                       an unpacked source tree; three workloads are made of it
    MINIFIED                                         a minified script, repeated to 50 MB; else made of the tree
    BENCH_DIR                                        where corpora and results go [a folder in the temporary one]
    ROUNDS, THREADS, TIMEOUT                         [5, all cores, 900 s]

Every timed tree, the one tiny file excepted, holds 200 planted keys. They are looked up in our own jsonl report;
a run of ours that misses one is marked invalid and its workload has no ratio. Live checks are off in every command. All tools run once to warm
the caches, then in turn, so that a drift of the machine meets all of them. Wall time is this script's; CPU
time and peak memory are the kernel's account of the finished process and the children that it waited for.
"""

import argparse
import base64
import binascii
import json
import os
import random
import shutil
import signal
import statistics
import string
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ENV = os.environ.get
ROUNDS = int(ENV("ROUNDS", "5"))
THREADS = ENV("THREADS", str(len(os.sched_getaffinity(0))))
TIMEOUT = float(ENV("TIMEOUT", "900"))
HOME = Path(ENV("BENCH_DIR", os.path.join(tempfile.gettempdir(), "keywheel-bench"))).absolute()
ROOT = Path(__file__).absolute().parent.parent
ALNUM = string.ascii_letters + string.digits
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
PLANTS = 200


# ------------------------------------------------------------------------------------------ plants


def token(rnd):
    """A synthetic token of GitHub's form with its true checksum."""
    body = "".join(rnd.choices(ALNUM, k=30))
    left, tail = binascii.crc32(body.encode()), ""
    for _ in range(6):
        left, digit = divmod(left, 62)
        tail = BASE62[digit] + tail
    return f"ghp_{body}{tail}"


def password(rnd):
    """8 to 12 characters as a person would choose them: letters, digits, a sign."""
    heads = ["Blue", "Rain", "Wolf", "Mint", "Rust", "Sky", "Oak", "Fjord", "Lime", "Dusk"]
    word = rnd.choice(heads) + "".join(rnd.choices(string.ascii_lowercase + string.digits, k=12))
    return word[: rnd.randint(7, 11)] + rnd.choice("!#%+=?*")


class Plant:
    """A key in a file of its own: the text, and the line on which it must be reported."""

    def __init__(self, index, rnd):
        self.kind = ("plain", "password", "base64", "joined")[index % 4]
        lines = [f"# part {index}", ""]
        self.line = len(lines) + 1
        if self.kind == "password":
            self.secret = password(rnd)
            lines.append(f'db_password = "{self.secret}"')
        else:
            self.secret = token(rnd)
        if self.kind == "plain":
            lines.append(f'client = connect("{self.secret}")')
        elif self.kind == "base64":
            text = f"user=deploy\ntoken={self.secret}\nregion=north\n"
            wrapped = base64.b64encode(text.encode()).decode()
            width = 40 if index % 8 < 4 else 76
            lines += [f"  {wrapped[i:i + width]}" for i in range(0, len(wrapped), width)]
        elif self.kind == "joined":
            cut = rnd.randint(6, 34)
            glue = '" + "' if index % 8 < 4 else '" +\n    "'
            lines.append(f'key = "{self.secret[:cut]}{glue}{self.secret[cut:]}"')
        self.last = self.line + sum(line.count("\n") + 1 for line in lines[2:]) - 1
        self.text = "\n".join(lines + ["", "# end", ""])
        self.name = f"plant_{index:03}.py"


def plants():
    rnd = random.Random(20)
    return [Plant(i, rnd) for i in range(PLANTS)]


def plant_files(folders):
    """Writes every plant into one of the folders, in turn, and says where each lies."""
    where = []
    for i, plant in enumerate(plants()):
        path = folders[i * len(folders) // PLANTS] / plant.name
        path.write_text(plant.text)
        where.append((plant, path, plant.line, plant.last))
    return where


def missed(at, where, report):
    """The plants that no line of the jsonl report, whose paths are relative to `at`, covers."""
    seen = {}
    for line in report.read_text(errors="replace").splitlines():
        item = json.loads(line)
        seen.setdefault(str(at / item["path"]), []).append((item["line"], item["end_line"], item["secret"]))
    lost = []
    for plant, path, first, last in where:
        hits = seen.get(str(path), [])
        if not any(a <= last and b >= first and value == plant.secret for a, b, value in hits):
            lost.append(f"{plant.kind} at {path}:{first}")
    return lost


# ----------------------------------------------------------------------------------------- corpora


def tree():
    source = ENV("LINUX_TREE")
    return Path(source) if source and Path(source).is_dir() else None


def sources(suffixes):
    """The tree's regular files of these kinds, in a fixed order."""
    for folder, folders, names in os.walk(tree()):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(suffixes) and not path.is_symlink():
                yield path


def spread(root):
    """Folders of a tree, evenly chosen, to lay the plants in."""
    found = sorted(Path(folder) for folder, _, _ in os.walk(root))
    return found if len(found) <= PLANTS else [found[i * len(found) // PLANTS] for i in range(PLANTS)]


def build_linux(at):
    if not tree():
        return None
    shutil.copytree(tree(), at, symlinks=True)
    return plant_files(spread(at))


def build_small(at):
    """40,000 files of 200 to 2,000 bytes."""
    if not tree():
        return None
    rnd = random.Random(21)
    for n, path in enumerate(sources((".c", ".h", ".rst", ".py", ".sh", ".yaml"))):
        if n == 40_000:
            break
        folder = at / f"{n // 400:03}"
        folder.mkdir(parents=True, exist_ok=True)
        with open(path, "rb") as source:
            folder.joinpath(f"{n:05}{path.suffix}").write_bytes(source.read(rnd.randint(200, 2000)))
    return plant_files(spread(at))


def sown(path, size, chunks, between):
    """One file of about `size` bytes out of chunks, with the plants set between them at even steps."""
    where, todo, at, line = [], plants(), 0, 1
    with open(path, "wb") as out:

        def put(data):
            nonlocal at, line
            out.write(data)
            at += len(data)
            line += data.count(b"\n")

        for chunk in chunks:
            # Fewer places than plants, as in a small corpus, puts several at one place.
            while todo and at >= (PLANTS - len(todo)) * size // PLANTS:
                plant = todo.pop(0)
                put(between)
                where.append((plant, path, line + plant.line - 1, line + plant.last - 1))
                put(plant.text.encode())
            put(chunk[: size - at])
            if at >= size:
                break
        for plant in todo:
            put(between)
            where.append((plant, path, line + plant.line - 1, line + plant.last - 1))
            put(plant.text.encode())
    return where


def build_big(at):
    """One file of 1 GiB."""
    if not tree():
        return None
    at.mkdir()

    def chunks():
        while True:
            for path in sources((".c", ".h", ".rst")):
                yield path.read_bytes()

    return sown(at / "big.txt", 1 << 30, chunks(), b"\n")


def build_minified(at):
    """50 MB on one line, and the plants in files beside it."""
    seed = ENV("MINIFIED")
    if seed:
        text = b" ".join(Path(seed).read_bytes().split())
    elif tree():
        text = b" ".join(b" ".join(p.read_bytes().split()) for p, _ in zip(sources((".c",)), range(2000)))
    else:
        return None
    at.mkdir()
    with open(at / "bundle.min.js", "wb") as out:
        left = 50_000_000
        while left > 0:
            left -= out.write(text[:left] + b" " * (left < len(text)))
    return plant_files([at])


def build_keywords(at):
    """20 MB with a word that scanners look for on every line, and nothing behind it."""
    words = (
        "api_key apikey secret token password passwd auth access client aws AKIA ghp_ github slack xoxb stripe "
        "sk_live private BEGIN azure google AIza jwt eyJ db mysql mongodb redis heroku twilio"
    ).split()
    rnd = random.Random(22)
    at.mkdir()

    def chunks():
        while True:
            a, b, c = rnd.choice(words), rnd.choice(words), rnd.choice(words)
            yield f'{a} = get("{b}", {c}) // todo\n'.encode()

    return sown(at / "keywords.txt", 20_000_000, chunks(), b"\n")


def build_hits(at):
    """About 70,000 assignments of something that looks like a secret, in 4 MB."""
    rnd = random.Random(23)
    at.mkdir()

    def chunks():
        while True:
            name = rnd.choice(["api_key", "client_secret", "auth_token", "db_password", "access_key"])
            yield f'{name} = "{"".join(rnd.choices(ALNUM, k=40))}"\n'.encode()

    return sown(at / "hits.txt", 4_200_000, chunks(), b"\n")


def build_tiny(at):
    """One small file: what is left is start-up. It holds no plant."""
    at.mkdir()
    (at / "a.py").write_text('import os\n\n\ndef main():\n    print(os.environ["HOME"])\n')
    return []


WORK = {
    "linux": build_linux,
    "small": build_small,
    "big": build_big,
    "minified": build_minified,
    "keywords": build_keywords,
    "hits": build_hits,
    "tiny": build_tiny,
}


def corpus(name):
    """The folder of a workload and its plants; made once. `None` if what it is made of is not there."""
    at, index = HOME / "corpora" / name, HOME / "corpora" / f"{name}.plants.json"
    if not index.exists():
        shutil.rmtree(at, ignore_errors=True)
        at.parent.mkdir(parents=True, exist_ok=True)
        print(f"making the corpus {name}", file=sys.stderr)
        where = WORK[name](at)
        if where is None:
            return None
        index.write_text(json.dumps([(str(path), first, last) for _, path, first, last in where]))
    kept = json.loads(index.read_text())
    return at, [(plant, path, first, last) for plant, (path, first, last) in zip(plants(), kept)]


def weight(at):
    sizes = [p.lstat().st_size for p in at.rglob("*") if p.is_file() and not p.is_symlink()]
    return len(sizes), sum(sizes)


# ------------------------------------------------------------------------------------------- tools


def binary(name):
    given = ENV(name.upper())
    if given:
        return shutil.which(given)
    ours = ROOT / "target" / "release" / name
    return str(ours) if name == "keywheel" and ours.exists() else shutil.which(name)


def keywheel(exe, path, out):
    return [exe, "scan", path, "--jobs", THREADS, "--quiet", "--min-confidence", "low", "--show-secrets",
            "--exit-zero", "--format", f"jsonl={out}"]  # fmt: skip


def kingfisher(exe, path, out):
    return [exe, "scan", path, "--turbo", "--jobs", THREADS, "--no-validate", "--no-update-check", "--quiet",
            "--git-history", "none", "--max-file-size", "0", "--rule-cache-dir", str(HOME / "kingfisher-cache"),
            "--format", "jsonl", "--output", out]  # fmt: skip


def betterleaks(exe, path, out):
    return [exe, "fs", path, "-j", THREADS, "--silent", "--no-banner", "--no-color", "--exit-code", "0",
            "-o", f"{out}.json"]  # fmt: skip


def gitleaks(exe, path, out):
    return [exe, "dir", path, "--no-banner", "--no-color", "--log-level", "error", "--exit-code", "0",
            "--report-format", "json", "--report-path", out]  # fmt: skip


def ripsecrets(exe, path, out):
    return [exe, path]


TOOLS = {f.__name__: f for f in (keywheel, kingfisher, betterleaks, gitleaks, ripsecrets)}


def count(tool, out, stdout):
    """Findings as the tool itself lists them."""
    try:
        if tool == "keywheel":
            return sum(1 for line in open(out) if line.strip())
        if tool == "kingfisher":
            return sum(1 for line in open(out) if line.strip() and "audit" not in json.loads(line))
        if tool == "betterleaks":
            with open(f"{out}.json") as report:
                return len(json.load(report)["findings"])
        if tool == "gitleaks":
            with open(out) as report:
                return len(json.load(report) or [])
        return sum(1 for line in open(stdout, errors="replace") if line.strip())
    except (OSError, ValueError, KeyError) as error:
        return f"? ({type(error).__name__})"


# A fresh interpreter starts and awaits the tool, so that the peak memory of this one (a child starts as
# a copy) is not taken for the tool's.
WAITER = """
import json, os, sys, time
answer = int(sys.argv[1])
os.set_inheritable(answer, False)
begun = time.monotonic()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.monotonic() - begun
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]),
      file=os.fdopen(answer, "w"))
"""


def run(command, stdout):
    """Wall and CPU seconds, peak MiB and exit code of one process."""
    env = dict(os.environ, NO_COLOR="1", GOMAXPROCS=THREADS, RAYON_NUM_THREADS=THREADS, BETTERLEAKS_VALIDATE="false")
    read, write = os.pipe()
    with open(stdout, "wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WAITER, str(write), *command], stdin=subprocess.DEVNULL, stdout=sink,
            stderr=subprocess.DEVNULL, env=env, start_new_session=True, pass_fds=(write,),
        )  # fmt: skip
    os.close(write)
    timer = threading.Timer(TIMEOUT, lambda: os.killpg(process.pid, signal.SIGKILL))
    timer.start()
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    process.wait()
    timer.cancel()
    if not answer:
        return dict(wall=TIMEOUT, cpu=0, rss=0, code="cut off")
    return dict(zip(("wall", "cpu", "rss", "code"), json.loads(answer)))


# --------------------------------------------------------------------------------------- the rounds


def measure(name, tools):
    """All rounds of one workload: a record for each run."""
    made = corpus(name)
    if made is None:
        print(f"{name}: left out, LINUX_TREE is not set", file=sys.stderr)
        return None
    at, where = made
    records = []
    for number in range(ROUNDS + 1):
        for tool, exe in tools.items():
            if any(r["tool"] == tool and r["code"] == "cut off" for r in records):
                continue
            with tempfile.TemporaryDirectory(dir=HOME) as folder:
                out, stdout = Path(folder, "report"), Path(folder, "stdout")
                record = dict(work=name, tool=tool, round=number, **run(TOOLS[tool](exe, str(at), str(out)), stdout))
                record["findings"] = count(tool, out, stdout)
                if tool == "keywheel":
                    lost = missed(at, where, out) if out.exists() else ["everything: there is no report"]
                    record["missed"] = lost
                    if lost:
                        print(f"{name}: INVALID, {len(lost)} of {len(where)} plants missed, the first: {lost[0]}",
                              file=sys.stderr)  # fmt: skip
            records.append(record)
            print(f"{name:9} {tool:12} round {number} {record['wall']:8.3f} s wall {record['cpu']:8.2f} s CPU "
                  f"{record['rss']:7.0f} MiB {record['findings']} findings", file=sys.stderr)  # fmt: skip
    files, size = weight(at)
    with open(HOME / "runs.jsonl", "a") as log:
        log.writelines(json.dumps(r) + "\n" for r in records)
    return dict(name=name, files=files, bytes=size, plants=len(where), records=records)


def table(result):
    """Medians over the rounds, and medians of the ratios ours / theirs within each round."""
    # Round 0 only warms the caches.
    runs = [r for r in result["records"] if r["round"] > 0 or r["code"] == "cut off"]
    ours = {r["round"]: r for r in runs if r["tool"] == "keywheel" and r["code"] == 0}
    lost = max((len(r.get("missed", [])) for r in result["records"]), default=0)
    print(f"\n### {result['name']}: {result['files']:,} files, {result['bytes'] / 1e6:,.1f} MB, {result['plants']} plants")
    if lost:
        print(f"**INVALID**: {lost} plants missed.")
    print("\n| tool | wall s | CPU s | peak MiB | findings | our wall / its | our CPU / its |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for tool in dict.fromkeys(r["tool"] for r in runs):
        mine = [r for r in runs if r["tool"] == tool]
        middle = {k: statistics.median(r[k] for r in mine) for k in ("wall", "cpu", "rss")}
        ratios = []
        for key in ("wall", "cpu"):
            each = [ours[r["round"]][key] / r[key] for r in mine if r["round"] in ours and r[key] > 0]
            ratios.append(f"{statistics.median(each):.3f}" if each and not lost and tool != "keywheel" else "")
        codes = sorted({str(r["code"]) for r in mine if r["code"] != 0})
        note = f" (exit {', '.join(codes)})" if codes else ""
        print(f"| {tool}{note} | {middle['wall']:.3f} | {middle['cpu']:.3f} | {middle['rss']:.0f} "
              f"| {mine[-1]['findings']} | {ratios[0]} | {ratios[1]} |")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="*", metavar="WORKLOAD", help=", ".join(WORK))
    parser.add_argument("--list", action="store_true", help="print workloads and commands, run nothing")
    args = parser.parse_args()
    unknown = [w for w in args.work if w not in WORK]
    if unknown:
        parser.error(f"there is no workload {unknown[0]}; there are {', '.join(WORK)}")
    tools = {name: exe for name in TOOLS if (exe := binary(name))}
    if args.list:
        for name, build in WORK.items():
            print(f"{name:9} {(build.__doc__ or 'The tree itself.').splitlines()[0]}")
        for name, command in TOOLS.items():
            print(" ".join(command(name, "PATH", "REPORT")))
        return
    if "keywheel" not in tools:
        parser.error("build ours first: cargo build --release; or set KEYWHEEL")
    absent = [name for name in TOOLS if name not in tools]
    if absent:
        print(f"not on PATH, left out: {', '.join(absent)}", file=sys.stderr)
    (HOME / "kingfisher-cache").mkdir(parents=True, exist_ok=True)
    results = [r for name in args.work or WORK if (r := measure(name, tools))]
    print(f"{ROUNDS} rounds, {THREADS} threads, medians; ratios are medians of the rounds' own ratios.")
    for result in results:
        table(result)
    if any(r.get("missed") for result in results for r in result["records"]):
        sys.exit("some runs are invalid")


if __name__ == "__main__":
    main()
