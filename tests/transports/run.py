#!/usr/bin/env python3
"""Pushes to the hook of a server over git's own transports: a local path, SSH (sshd) and HTTP (nginx, fcgiwrap and
git http-backend).

    tests/transports/run.py             every shape of push, 50 pushes at once, 50,000 refs; takes minutes
    tests/transports/run.py --sample    six shapes and 8 pushes at once

The servers listen on loopback ports, run as the current user and end with this program; missing ones are fetched from
Debian and unpacked, not installed. The shapes are those of tests/git/shapes.rs, pushed by the tests of
tests/git/receive.rs. KEYWHEEL names the binary; without it the one of the profile `quick` is built. Exit code 77 says
that the servers cannot be had here.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

import load
from servers import Servers, Unavailable

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ["receive::every_shape", "receive::clean_pushes", "receive::a_bypass", "receive::what_no_ref"]
CARGO = ["cargo", "test", "--quiet", "--profile", "quick", "--locked", "--test", "git"]


def built():
    """The binary, built with the tests."""
    subprocess.run([*CARGO, "--no-run"], cwd=ROOT, check=True)
    if named := os.environ.get("KEYWHEEL"):
        return str(pathlib.Path(named).resolve(strict=True))
    about = subprocess.check_output(["cargo", "metadata", "--format-version=1", "--no-deps", "--locked"], cwd=ROOT)
    return str(pathlib.Path(json.loads(about)["target_directory"]) / "quick/keywheel")


def shapes(servers, keywheel, transport, some):
    """The tests of the hook, over a transport."""
    env = {**os.environ, "KEYWHEEL": keywheel, "TMPDIR": str(servers.root), "KEYWHEEL_SSH": servers.ssh_command,
           "KEYWHEEL_TRANSPORT": servers.urls[transport]}
    if some:
        env["KEYWHEEL_SHAPES"] = str(some)
    done = subprocess.run([*CARGO, "--", "--nocapture", *TESTS], cwd=ROOT, env=env, capture_output=True, text=True,
                          check=False)
    passed = re.search(r"test result: ok\. (\d+) passed", done.stdout)
    # A filter that names no test passes too.
    if done.returncode or not passed or int(passed[1]) < len(TESTS):
        raise load.Wrong(f"over {transport}:\n{done.stdout}{done.stderr}")
    what = f"{some or 'all'} shapes, loose and packed, and clean pushes"
    print(f"{what}, {transport}: {passed[1]} tests passed", flush=True)


def main():
    """Runs all; gives the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", action="store_true", help="six shapes and 8 pushes at once")
    args = parser.parse_args()
    # Ended from outside, the servers end too.
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: sys.exit(1))
    keywheel = built()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="keywheel-wire-")).resolve()
    try:
        with Servers(scratch) as servers:
            for transport in servers.urls:
                shapes(servers, keywheel, transport, 6 if args.sample else None)
            for transport in servers.urls:
                load.at_once(servers, keywheel, transport, 8 if args.sample else 50)
            if not args.sample:
                load.many_refs(servers, keywheel, 50_000)
    except Unavailable as why:
        print(f"skipped: {why}")
        return 77
    except load.Wrong as why:
        print(f"wrong: {why}")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
