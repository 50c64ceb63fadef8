#!/usr/bin/env python3
"""Trains the model of src/detect/rank/model.txt. Needs numpy.

    tests/rank/train.py TABLES [MODEL]

TABLES is what make.py writes. Trees of four questions, each asked of every node of its level, are fitted to the
gradient of the logistic loss; the number of trees is chosen on valid, and the scores that are printed at the end are
those of test, which nothing was chosen on.
"""
import os
import sys

import numpy as np

DEPTH, BINS, TREES, RATE, L2 = 4, 28, 360, 0.12, 8.0
FIRST = 8  # columns before the features: path start end rule class secret dropped score


def load(path):
    names, rows, x = None, [], []
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        head = file.readline().rstrip("\n").split("\t")
        last = len(head) - (head[-1] == "value")
        names = head[FIRST:last]
        for line in file:
            parts = line.rstrip("\n").split("\t")
            if parts[5] == "-":
                continue
            rows.append((parts[0], parts[3], parts[4], int(parts[5]), parts[6], parts[last] if last < len(parts) else ""))
            x.append(np.array(parts[FIRST:last], dtype=np.int16))
    return names, rows, np.array(x)


def load_split(folder, split):
    names, neg, xn = load(os.path.join(folder, split + ".neg.tsv"))
    _, pos, xp = load(os.path.join(folder, split + ".pos.tsv"))
    rows, x = neg + pos, np.concatenate([xn, xp])
    y = np.array([r[3] for r in rows], dtype=np.float64)
    groups = {}
    for i, r in enumerate(rows):
        # A label that several rules reach, or a package with many lines alike, counts for less.
        groups.setdefault((r[0].split("/")[0], r[3]), []).append(i)
    w = np.zeros(len(rows))
    for group in groups.values():
        w[group] = len(group) ** -0.4
    w[y == 1] *= 1.0 / w[y == 1].sum()
    w[y == 0] *= 3.0 / w[y == 0].sum()
    return names, rows, x, y, w * len(rows) / 4


def grow(binned, g, h, rng, features):
    n, width = binned.shape
    at = np.zeros(n, dtype=np.int32)
    questions = []
    use = rng.choice(features, size=int(len(features) * 0.5), replace=False)
    for level in range(DEPTH):
        leaves = 1 << level
        best = (-1e18, None, None)
        for f in use:
            key = at * BINS + binned[:, f]
            gs = np.bincount(key, g, leaves * BINS).reshape(leaves, BINS).cumsum(1)
            hs = np.bincount(key, h, leaves * BINS).reshape(leaves, BINS).cumsum(1)
            gt, ht = gs[:, -1:], hs[:, -1:]
            gain = (gs**2 / (hs + L2) + (gt - gs) ** 2 / (ht - hs + L2)).sum(0)[:-1]
            b = int(gain.argmax())
            if gain[b] > best[0]:
                best = (gain[b], f, b)
        _, f, b = best
        questions.append((f, b))
        at = at * 2 + (binned[:, f] > b)
    gs = np.bincount(at, g, 1 << DEPTH)
    hs = np.bincount(at, h, 1 << DEPTH)
    return questions, np.clip(-gs / (hs + L2), -4, 4) * RATE, at


def f1_at(score, y, w, floor):
    said = score >= floor
    tp, fp, fn = (w * (said & (y == 1))).sum(), (w * (said & (y == 0))).sum(), (w * (~said & (y == 1))).sum()
    return 2 * tp / (2 * tp + fp + fn), tp / max(tp + fp, 1e-9), tp / max(tp + fn, 1e-9)


def main():
    folder = sys.argv[1]
    names, rows, x, y, w = load_split(folder, "train")
    _, _, xv, yv, wv = load_split(folder, "valid")
    print(len(names), "features;", int(y.sum()), "positives,", int((1 - y).sum()), "negatives", flush=True)
    cuts = []
    for f in range(len(names)):
        q = np.unique(np.quantile(x[:, f], np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
        more = np.unique(x[:, f])
        cuts.append((more[:-1] if len(more) <= BINS - 1 else q)[: BINS - 1])
    binned = np.stack([np.searchsorted(c, x[:, f], side="left") for f, c in enumerate(cuts)], 1).astype(np.int32)
    bv = np.stack([np.searchsorted(c, xv[:, f], side="left") for f, c in enumerate(cuts)], 1).astype(np.int32)
    features = np.array([f for f in range(len(names)) if len(cuts[f])])
    rng = np.random.default_rng(7)
    base = -1.0
    s, sv = np.full(len(y), base), np.full(len(yv), base)
    trees, best = [], (1e9, 0)
    for t in range(TREES):
        p = 1 / (1 + np.exp(-s))
        take = rng.random(len(y)) < 0.7
        g, h = (p - y) * w, np.maximum(p * (1 - p), 1e-4) * w
        questions, values, _ = grow(binned[take], g[take], h[take], rng, features)
        whole = np.round(values * 1000) / 1000
        at, av = np.zeros(len(y), int), np.zeros(len(yv), int)
        for f, b in questions:
            at, av = at * 2 + (binned[:, f] > b), av * 2 + (bv[:, f] > b)
        s, sv = s + whole[at], sv + whole[av]
        trees.append((questions, whole))
        loss = (np.log1p(np.exp(-np.where(yv == 1, sv, -sv))) * wv).mean()
        best = min(best, (loss, t + 1))
        if t % 20 == 19:
            print(t + 1, f"loss {loss:.4f}, F1 {f1_at(sv, yv, wv, 0.0)[0]:.4f}", flush=True)
        if t + 1 - best[1] > 40:
            break
    trees = trees[: best[1]]
    sv = np.full(len(yv), base)
    for questions, values in trees:
        av = np.zeros(len(yv), int)
        for f, b in questions:
            av = av * 2 + (bv[:, f] > b)
        sv += values[av]
    floors = np.arange(-1, 4, 0.1)
    scores = [f1_at(sv, yv, wv, c)[0] for c in floors]
    medium = float(os.environ.get("MEDIUM", floors[int(np.argmax(scores))]))
    high = max(medium + 2.5, float(np.quantile(sv[yv == 0], 0.9999)))
    print(f"medium {medium:.2f}: F1 {max(scores):.4f} on valid; high {high:.2f}")
    used = {}
    with open(sys.argv[2] if len(sys.argv) > 2 else os.path.join(folder, "model.txt"), "w") as out:
        out.write("# Made by tests/rank/train.py: docs/ranking.md tells on what, and how well it does.\n")
        out.write(f"base {round(base * 1000)}\nmedium {round(medium * 1000)}\nhigh {round(high * 1000)}\n")
        for questions, values in trees:
            asked = " ".join(f"{names[f]}>{cuts[f][b]}" for f, b in questions)
            for f, _ in questions:
                used[names[f]] = used.get(names[f], 0) + 1
            out.write(f"tree {asked} {' '.join(str(round(v * 1000)) for v in values)}\n")
    print("asked most:", ", ".join(f"{n} {c}" for n, c in sorted(used.items(), key=lambda i: -i[1])[:30]))
    _, rt, xt, yt, wt = load_split(folder, "test")
    bt = np.stack([np.searchsorted(c, xt[:, f], side="left") for f, c in enumerate(cuts)], 1)
    st = np.full(len(yt), base)
    for questions, values in trees:
        at = np.zeros(len(yt), int)
        for f, b in questions:
            at = at * 2 + (bt[:, f] > b)
        st += values[at]
    for name in ["all"] + sorted({r[2] for r in rt}):
        pick = np.array([name == "all" or r[2] == name for r in rt])
        f1, p, r = f1_at(st[pick], yt[pick], wt[pick], medium)
        print(f"test {name:10} F1 {f1:.4f} precision {p:.4f} recall {r:.4f} of {int(yt[pick].sum())} and {int((1 - yt[pick]).sum())}")
    with open(os.path.join(folder, "worst.txt"), "w", encoding="utf-8", errors="surrogateescape") as out:
        order = np.argsort(-st * (yt == 0) + 1e9 * (yt == 1))[:400]
        for i in order:
            out.write(f"{st[i]:.2f}\t{rt[i][1]}\t{rt[i][0]}\t{rt[i][5]}\n")
        out.write("missed\n")
        for i in np.argsort(st + 1e9 * (yt == 0))[:400]:
            out.write(f"{st[i]:.2f}\t{rt[i][1]}\t{rt[i][0]}\n")


main()
