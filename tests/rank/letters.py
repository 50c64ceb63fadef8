#!/usr/bin/env python3
"""Makes src/detect/rank/letters.txt: how likely a letter is after two others, in the words of names and texts.

    tests/rank/letters.py FOLDER… > src/detect/rank/letters.txt

A word counts once for each folder below FOLDER in which it stands, at most eight times, if at least two have it:
so neither a common word nor one package decides, and drawn letters do not count at all. Position 0 of the three
is the start of a word. Levels from a (hardly ever) to p (nearly always) are log2 of the share, 1.5 a bit.
"""
import math
import os
import re
import sys
from collections import Counter

WORD = re.compile(rb"[A-Z]?[a-z]{2,19}|[A-Z]{3,20}")
TEXT = {".py", ".js", ".ts", ".java", ".c", ".h", ".cpp", ".go", ".rs", ".rb", ".php", ".cs", ".pl", ".sh", ".md",
        ".rst", ".txt", ".yml", ".yaml", ".xml", ".html", ".conf", ".ini", ".properties", ".toml", ".sql", ".po"}


def words(folder):
    seen = set()
    read = 0
    for at, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() not in TEXT or read > 1 << 20:
                continue
            path = os.path.join(at, name)
            if os.path.islink(path) or os.path.getsize(path) > 200_000:
                continue
            with open(path, "rb") as file:
                for line in file:
                    read += len(line)
                    if len(line) < 300:
                        seen.update(w.lower() for w in WORD.findall(line))
    return seen


def main():
    counts = Counter()
    for top in sys.argv[1:]:
        for folder in sorted(os.listdir(top)):
            if os.path.isdir(os.path.join(top, folder)):
                counts.update(words(os.path.join(top, folder)))
    triples = [[[0.0] * 27 for _ in range(27)] for _ in range(27)]
    for word, n in counts.items():
        if n < 2:
            continue
        a = b = 0
        for c in (x - 96 for x in word):
            triples[a][b][c] += min(n, 8)
            a, b = b, c
    for a in range(27):
        row = []
        for b in range(27):
            total = sum(triples[a][b])
            for c in range(27):
                share = (triples[a][b][c] + 0.02) / (total + 0.02 * 27 + 4)
                row.append(chr(97 + max(0, min(15, round(15 + 1.5 * math.log2(share))))))
        print("".join(row))
    print(f"{sum(1 for n in counts.values() if n > 1)} words", file=sys.stderr)


main()
