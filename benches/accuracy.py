#!/usr/bin/env python3
"""Scores Keywheel and its peers on the own labelled set of tests/eval and writes docs/accuracy.md.

    python3 benches/accuracy.py            arguments go to cargo, such as --release

Peers are found and asked as in matrix.py; live checks are off. Every tool at its defaults. A secret counts as found
if a tool reports anything on its line; a line without a secret counts as wrong if a tool reports anything on it.
"""
import collections, datetime, json, os, pathlib, shutil, subprocess, sys, tempfile

import matrix


HEAD = """# Accuracy: a comparison

The own labelled set of `tests/eval`, whose secrets are drawn when it is made. Each tool at its defaults, live checks off,
in one run over the same files. A secret is found if anything is reported on its line, and a line without one is wrong if
anything is reported on it. Precision / recall / F1. The lines and the rules come from the same hands, so that this
flatters Keywheel.

Made by `{command}` on {date}.
"""
UNNAMED = """## Unnamed secrets
{labels} lines, {secrets} of them with a secret. Peers that leave passwords out by choice are judged by what they leave
out."""
STRUCTURED = """## Keys of named providers
{labels} places, {secrets} of them with a key: each kind of key that a rule of ours names, in the lines of many file types,
so that a peer is also judged by the providers that it does not know. *shaped* kinds are known by their own form, *named*
ones by a word beside them, *paired* ones by another part, *block* is private keys. *blank* lines have such names and a
placeholder, *other* ones hashes, ids and digests."""


def ours(root, folder, out):
    command = ["cargo", "run", "-q", *sys.argv[1:], "--", "scan", str(folder), "--exclude", "labels.jsonl", "--quiet",
               "--exit-zero", "--show-secrets", "--format", f"jsonl={out}"]  # fmt: skip
    subprocess.run(command, cwd=root, check=True)
    return matrix.ours(out)


def scores(labels, found, folder):
    lines = collections.defaultdict(set)
    for path, line, _ in found:
        path = pathlib.Path(path)
        name = str(path.relative_to(folder)) if path.is_absolute() else str(path).removeprefix("./").removeprefix(f"{folder.name}/")
        lines[name].add(line)
    classes = collections.defaultdict(lambda: [0, 0, 0])
    for label in labels:
        hit = label["line"] in lines[label["path"]]
        for name in ("all", label["class"]):
            counts = classes[name]
            if label["secret"]:
                counts[0 if hit else 2] += 1
            elif hit:
                counts[1] += 1
    return classes


def rates(found, wrong, missed):
    precision = found / (found + wrong) if found + wrong else 1.0
    recall = found / (found + missed) if found + missed else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="keywheel-accuracy-"))
    cargo = ["cargo", "test", "-q", *sys.argv[1:], "--test", "eval", "the_set_can_be_left"]
    env = os.environ | {"KEYWHEEL_EVAL_OUT": str(work)}
    subprocess.run(cargo, cwd=matrix.ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
    tables = [compare(work / half, work) for half in ("unnamed", "structured")]
    lines = [HEAD.format(command="python3 benches/accuracy.py", date=datetime.date.today())]
    for title, (labels, columns) in zip((UNNAMED, STRUCTURED), tables):
        secrets = sum(label["secret"] for label in labels)
        lines += [title.format(labels=f"{len(labels):,}", secrets=f"{secrets:,}"), ""]
        lines += ["| class | " + " | ".join(name for name, _ in columns) + " |", "|---|" + "---|" * len(columns)]
        for name in ["all"] + sorted({label["class"] for label in labels}):
            cells = [" / ".join(f"{rate:.3f}" for rate in rates(*classes[name])) for _, classes in columns]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    (matrix.ROOT / "docs" / "accuracy.md").write_text("\n".join(lines))
    shutil.rmtree(work)


def compare(folder, work):
    """The labels of a set, and by tool the counts by class."""
    labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    (folder / "labels.jsonl").unlink()
    columns = [("Keywheel", scores(labels, ours(matrix.ROOT, folder, work / "keywheel"), folder))]
    for name, variable, version, arguments, read in matrix.PEERS:
        tool = os.environ.get(variable) or shutil.which(variable.lower())
        if not tool:
            print(f"{name}: not found; name it in {variable}", file=sys.stderr)
            continue
        env = os.environ | {"BETTERLEAKS_VALIDATE": "false"}
        said = subprocess.run([tool, *version], capture_output=True, text=True, env=env).stdout.split()
        out = work / f"{variable.lower()}-{folder.name}"
        subprocess.run([tool, *arguments(str(folder), str(out))], cwd=work, capture_output=True, env=env)
        reports = [p for p in (out, pathlib.Path(f"{out}.json")) if p.exists()]
        if not reports:
            print(f"{name}: wrote no report", file=sys.stderr)
            continue
        columns.append((f"{name} {said[-1].lstrip('v')}", scores(labels, read(reports[0]), folder)))
    return labels, columns


if __name__ == "__main__":
    main()
