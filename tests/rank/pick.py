#!/usr/bin/env python3
"""Picks the text files of packages and splits them by package.

    tests/rank/pick.py OUT FOLDER…     each folder below FOLDER is a package

OUT gets train/, valid/ and test/ with one folder a package: at most some megabytes of each, so that no package
decides. The split goes by a digest of the package's name, without its version.
"""
import hashlib
import os
import random
import re
import shutil
import sys

MOST = 4 << 20
LARGEST = 160_000
BINARY = re.compile(r"\.(png|jpe?g|gif|ico|svg|webp|woff2?|ttf|otf|eot|mp[34]|ogg|wav|flac|zip|gz|bz2|xz|jar|whl|pdf|"
                    r"so|dll|exe|o|a|pyc|class|wasm|map|mo|gmo|po|pot|ts\.map|node|db|sqlite|bin|dat|gpg|asc|odt)$", re.I)


def main():
    out, tops = sys.argv[1], sys.argv[2:]
    for top in tops:
        for package in sorted(os.listdir(top)):
            root = os.path.join(top, package)
            if not os.path.isdir(root):
                continue
            name = re.sub(r"-v?\d.*$", "", package.split("+")[-1]).lower()
            n = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10
            split = "train" if n < 6 else "valid" if n < 8 else "test"
            files = []
            for at, _, names in os.walk(root):
                for f in names:
                    path = os.path.join(at, f)
                    if not BINARY.search(f) and not os.path.islink(path) and 16 < os.path.getsize(path) < LARGEST:
                        files.append(path)
            files.sort()
            random.Random(package).shuffle(files)
            size = 0
            for path in files:
                if size > MOST:
                    break
                with open(path, "rb") as file:
                    head = file.read(4096)
                if b"\0" in head:
                    continue
                size += os.path.getsize(path)
                to = os.path.join(out, split, package, os.path.relpath(path, root))
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copyfile(path, to)


main()
