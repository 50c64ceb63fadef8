#!/usr/bin/env python3
"""What DuckDB reads from the Parquet files of `keywheel usage` is what the tables of the same questions hold.

    tests/parquet/run.py KEYWHEEL

Run by a Python that has duckdb.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import duckdb

# More than a group of rows.
ROWS = 70_000
MAP = """form = "jsonl"
provider = "openai"
[columns]
at = "/t"
key = "/k"
model = "/m"
place = "/p"
requests = "/n"
input = ["/in"]
output = ["/out"]
cost = "/usd"
"""
TYPES = {"at": "TIMESTAMP WITH TIME ZONE", "hour": "TIMESTAMP WITH TIME ZONE", "day": "TIMESTAMP WITH TIME ZONE",
         "requests": "BIGINT", "input_tokens": "BIGINT", "output_tokens": "BIGINT", "errors": "BIGINT", "cost_usd": "DOUBLE"}
QUESTIONS = [["show", "--by", "service,key,model"], ["show", "--by", "provider,place,hour"], ["show", "--by", "day,key"],
             ["export"]]


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="keywheel-parquet-") as scratch:
        return test(binary, pathlib.Path(scratch))


def test(binary, folder):
    draw, now = random.Random(11), int(time.time())
    # One gateway names a key by its value: it must be in no file.
    value = "sk-proj-" + "".join(draw.choices("abcdefghijkmnpqrstuvwxyz23456789", k=74)) + "T3BlbkFJ" + "".join(
        draw.choices("abcdefghijkmnpqrstuvwxyz23456789", k=74))
    names = [value, "=key", "key_ü", *(f"key_{n}" for n in range(200))]
    with open(folder / "log", "w", encoding="utf-8") as log:
        for n in range(ROWS):
            row = {"t": now - n // 200 * 3600, "k": names[n % len(names)], "m": draw.choice(["", "small", 'l"arge, x']),
                   "p": draw.choice([None, "192.0.2.1", "CH"]), "n": draw.randrange(1000), "in": draw.randrange(10**9),
                   "out": draw.randrange(10**6), "usd": draw.randrange(10**12) / 10**9}
            log.write(json.dumps(row) + "\n")
    (folder / "map.toml").write_text(MAP)
    (folder / "policy.toml").write_text(
        'version = 1\n[team.web]\n[[key]]\nid = "web/shop/production/openai"\nteam = "web"\nservice = "shop"\n'
        'environment = "production"\nprovider = "openai"\nrule = "openai-project-key"\naccount = "web"\nknown-as = ["key_7"]\n')

    def run(*args):
        done = subprocess.run([binary, "usage", *args], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (args, done)

    run("import", "--store", "u.db", "--mapping", "map.toml", "--name", "gateway", "log")
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    rows = 0
    for question in QUESTIONS:
        ask = [*question, "--store", "u.db", "--since", "60d"]
        ask += ["--policy", "policy.toml"] if question[0] == "show" else []
        for form in ("csv", "parquet"):
            run(*ask, "--format", form, "--output", f"out.{form}")
        columns = db.execute(f"DESCRIBE SELECT * FROM '{folder}/out.parquet'").fetchall()
        for name, kind, *_ in columns:
            assert kind == TYPES.get(name, "VARCHAR"), (question, name, kind)
        # In a table a name that looks like a formula has a mark before it, and what is not there is empty or 0.
        mine = ", ".join(f'coalesce("{n}", 0)' if k in ("BIGINT", "DOUBLE") else f'epoch("{n}")' if k.startswith("TIME") else
                         f"""coalesce("{n}", '')""" for n, k, *_ in columns)
        theirs = ", ".join(f'epoch("{n}"::{k})' if k.startswith("TIME") else f'"{n}"::{k}' if k != "VARCHAR" else
                           f"""regexp_replace("{n}", '^''=', '=')""" for n, k, *_ in columns)
        read = f"read_csv('{folder}/out.csv', all_varchar = true, header = true, nullstr = 'none-at-all')"
        here, there = (db.execute(f"SELECT {what} FROM {where}").fetchall()
                       for what, where in ((mine, f"'{folder}/out.parquet'"), (theirs, read)))
        assert here == there and len(here) > 5, (question, len(here), len(there),
                                                 next((pair for pair in zip(here, there) if pair[0] != pair[1]), None))
        rows += len(here)
        for form in ("csv", "parquet"):
            assert value.encode() not in (folder / f"out.{form}").read_bytes(), (question, form)
        used = db.execute(f"SELECT count(*) FROM '{folder}/out.parquet' WHERE key LIKE 'kw1:%'").fetchone() \
            if any(name == "key" for name, *_ in columns) else (1,)
        assert used[0] > 0, f"{question}: the key that was named by its value is not there by its fingerprint"
    nulls = db.execute(f"""SELECT count(errors), count(place), count(*) FROM '{folder}/out.parquet'""").fetchone()
    assert nulls[0] == 0 and 0 < nulls[1] < nulls[2], f"what is not told is not null: {nulls}"
    groups = db.execute(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{folder}/out.parquet')").fetchone()[0]
    assert groups > 1, "there is one group of rows only"
    print(f"{rows} rows of {len(QUESTIONS)} questions are the same to DuckDB {duckdb.__version__} as in the tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
