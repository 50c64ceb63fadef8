#!/usr/bin/env python3
"""Sets peers beside Keywheel on the cases of tests/matrix and writes docs/matrix.md.

    python3 benches/matrix.py

Peers are taken from PATH, or from KINGFISHER, BETTERLEAKS and GITLEAKS. No peer calls out: validation is
off. A case counts as found if the tool reports the whole key in the case's file; the line is compared too.
"""
import datetime, json, os, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def jsonl(path, pick):
    records = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    # Kingfisher ends with a summary that is no finding.
    return [pick(r) for r in records if "finding" in r or "rule" in r]


def ours(out):
    return jsonl(out, lambda f: (f["path"], f["line"], f["secret"]))


def kingfisher(out):
    return jsonl(out, lambda f: (f["finding"]["path"], f["finding"]["line"], f["finding"]["snippet"]))


def betterleaks(out):
    pick = lambda f: (f["location"]["path"], f["location"].get("start_line"), f["match"]["value"])
    return [pick(f) for f in json.loads(out.read_text()).get("findings") or []]


def gitleaks(out):
    return [(f["File"], f["StartLine"], f["Secret"]) for f in json.loads(out.read_text()) or []]


# Name, variable with its path, how to ask its version, arguments by folder and report, reader of the report.
PEERS = [
    ("Kingfisher", "KINGFISHER", ["--version"],
     lambda d, o: ["scan", d, "--git-history", "none", "--no-validate", "--no-update-check", "--quiet",
                   "--format", "jsonl", "--output", o, "-j", "2"], kingfisher),
    ("Betterleaks", "BETTERLEAKS", ["--version"],
     lambda d, o: ["fs", d, "-s", "--no-banner", "--exit-code", "0", "-o", o + ".json"], betterleaks),
    ("Gitleaks", "GITLEAKS", ["version"],
     lambda d, o: ["dir", d, "--no-banner", "-f", "json", "-r", o, "--exit-code", "0"], gitleaks),
]


def verdict(case, found):
    here = [(line, secret) for path, line, secret in found if case["folder"] in path.replace("!", "/").split("/")]
    whole = [line for line, secret in here if secret == case["token"]]
    if case["line"] in whole:
        return "found"
    if whole:
        return f"found, line {whole[0]} for {case['line']}"
    if any(secret and secret in case["token"] for _, secret in here):
        return "part of it"
    # Some other rule took the line for something else, which at least makes a person look.
    return "another finding" if here else "–"


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="keywheel-matrix-"))
    cargo = ["cargo", "test", "-q", *sys.argv[1:], "--test", "matrix", "every_guise"]
    subprocess.run(cargo, cwd=ROOT, env=os.environ | {"KEYWHEEL_MATRIX_OUT": str(work)}, stdout=subprocess.DEVNULL)
    cases = json.loads((work / "manifest.json").read_text())
    columns = [("Keywheel", ours(work / "keywheel.jsonl"))]
    for name, variable, version, arguments, read in PEERS:
        tool = os.environ.get(variable) or shutil.which(variable.lower())
        if not tool:
            print(f"{name}: not found; name it in {variable}", file=sys.stderr)
            continue
        env = os.environ | {"BETTERLEAKS_VALIDATE": "false"}
        said = subprocess.run([tool, *version], capture_output=True, text=True, env=env).stdout.split()
        out = work / variable.lower()
        subprocess.run([tool, *arguments("cases", str(out))], cwd=work, capture_output=True, env=env)
        reports = [p for p in (out, pathlib.Path(f"{out}.json")) if p.exists()]
        if not reports:
            print(f"{name}: wrote no report", file=sys.stderr)
            continue
        columns.append((f"{name} {said[-1].lstrip('v')}", read(reports[0])))
    counts = {name: [verdict(c, found) for c in cases] for name, found in columns}
    lines = [
        "# Guises of a key",
        "",
        "One synthetic GitHub token with a valid checksum in each of these files; the same files for every",
        "tool, live checks off, all else at its defaults (Gitleaks opens archives only if asked to). `found` is",
        "the whole key at the right line.",
        "`tests/matrix` holds the cases and `benches/matrix.py` makes this table.",
        "",
        f"Run on {datetime.date.today()}.",
        "",
        "| case | " + " | ".join(counts) + " |",
        "|---|" + "---|" * len(counts),
    ]
    for i, case in enumerate(cases):
        name = case["name"].replace("|", "\\|").replace("\\u", "`\\u`").replace("\\x", "`\\x`")
        lines.append(f"| {name} | " + " | ".join(v[i] for v in counts.values()) + " |")
    whole = [f"{v.count('found')} of {len(cases)}" for v in counts.values()]
    lines.append("| **found at the right line** | " + " | ".join(whole) + " |")
    wrong = [str(sum(x.startswith("found,") for x in v)) for v in counts.values()]
    lines.append("| found at another line | " + " | ".join(wrong) + " |")
    (ROOT / "docs" / "matrix.md").write_text("\n".join(lines) + "\n")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
