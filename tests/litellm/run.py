#!/usr/bin/env python3
"""What LiteLLM's own proxy tells of its requests is what `keywheel usage` keeps: pulled, and taken in as a log.

    tests/litellm/run.py KEYWHEEL

Run by a Python that has `litellm[proxy]` and psycopg. The proxy and its PostgreSQL listen on loopback, and the model
behind it answers without a provider. Exit code 77 says that the servers cannot be had here.
"""

import csv
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("tests/transports", "tests/probes"):
    sys.path.insert(0, str(ROOT / folder))

import psycopg
from run import Servers, Unavailable, free_port

# More than `/spend/logs` gives of a range, more than a page, and a number of whole pages.
MANY = 10_500
PRICE = {"input_cost_per_token": 0.000002, "output_cost_per_token": 0.00001}


def hash_token(key):
    """What the proxy keeps of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def call(port, path, key, body=None):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "X-Forwarded-For": "192.0.2.9"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def postgres(servers):
    """Starts PostgreSQL and makes the proxy's tables by the package's own migrations."""
    programs, data, port = servers.postgres_bin(), servers.folder("postgres") / "data", free_port()
    servers.run([programs / "initdb", "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync"])
    servers.start("postgres", [programs / "postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", data.parent,
                               "-c", "fsync=off"], port)
    import litellm_proxy_extras
    database = f"host=127.0.0.1 port={port} user=owner dbname=postgres"
    steps = sorted((pathlib.Path(litellm_proxy_extras.__file__).parent / "migrations").glob("*/migration.sql"))
    joined = servers.scratch / "migrations.sql"
    joined.write_text("\n".join(step.read_text() for step in steps))
    joined.chmod(0o644)
    psql = programs / "psql"
    servers.run([psql if psql.exists() else "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", data.parent, "-p", port,
                 "-U", "owner", "-d", "postgres", "-f", joined])
    return database


def proxy(servers, database, keys, master):
    config, port = servers.scratch / "config.yaml", free_port()
    model = {"model": "openai/made-up", "api_key": "none", **PRICE}
    config.write_text(json.dumps({
        "model_list": [{"model_name": "fine", "litellm_params": {**model, "mock_response": "Hello."}},
                       {"model_name": "broken", "litellm_params": {**model, "mock_response": "litellm.InternalServerError"}}],
        "general_settings": {"master_key": master, "use_x_forwarded_for": True},
        "litellm_settings": {"num_retries": 0}}))
    servers.env.update(HOME=str(servers.scratch), PYTHONDONTWRITEBYTECODE="1")
    servers.start("proxy", [sys.executable, ROOT / "tests/litellm/serve.py", config, port, database, *keys], port,
                  demoted=False)
    call(port, "/test/ready", master, {})
    return port


def ask(port, key, model="fine"):
    body = {"model": model, "messages": [{"role": "user", "content": "Hello there, who are you?"}]}
    try:
        return call(port, "/v1/chat/completions", key, body)
    except urllib.error.HTTPError as refused:
        assert model == "broken", refused.read()


def keywheel(binary, folder, *args, code=0, **env):
    done = subprocess.run([binary, *args], cwd=folder, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == code, (args, done)
    return done.stdout


def rows(text):
    """What a table tells of each key."""
    figures = ("requests", "input_tokens", "output_tokens", "cost_usd", "errors")
    return {row["key"]: tuple(round(float(row[name]), 9) for name in figures) for row in csv.DictReader(io.StringIO(text))}


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="keywheel-litellm-", ignore_cleanup_errors=True) as scratch:
        try:
            servers = Servers(scratch, {})
        except Unavailable as why:
            print(why)
            return 77
        try:
            return test(binary, servers)
        finally:
            servers.stop()


def test(binary, servers):
    folder = servers.folder("work")
    master, *keys = [f"sk-{secrets.token_urlsafe(16)}" for _ in range(3)]
    database = postgres(servers)
    port = proxy(servers, database, keys, master)
    for n, key in enumerate([*keys, master]):
        for _ in range(n + 2):
            ask(port, key)
    ask(port, keys[0], "broken")
    call(port, "/test/flush", master, {})
    with psycopg.connect(database, autocommit=True) as table:
        made = table.execute('SELECT count(*) FROM "LiteLLM_SpendLogs"').fetchone()[0]
        assert made == 10, f"{made} requests were written down"
        # They were made two hours ago, and there were many more of one of them, some in the same instant.
        table.execute("""UPDATE "LiteLLM_SpendLogs" SET "startTime" = "startTime" - interval '2 hours',
                         "endTime" = "endTime" - interval '2 hours'""")
        columns = [c[0] for c in table.execute("""SELECT column_name FROM information_schema.columns
            WHERE table_name = 'LiteLLM_SpendLogs' AND column_name NOT IN ('request_id', 'startTime')""").fetchall()]
        names = ", ".join(f'"{c}"' for c in columns)
        table.execute(f"""INSERT INTO "LiteLLM_SpendLogs" (request_id, "startTime", {names})
            SELECT 'more-' || n, date_trunc('hour', "startTime") - interval '2 hours' + (n / 3) * interval '1 second', {names}
            FROM "LiteLLM_SpendLogs", generate_series(1, {MANY}) n
            WHERE request_id = (SELECT min(request_id) FROM "LiteLLM_SpendLogs" WHERE api_key = '{hash_token(keys[1])}')""")
        held = table.execute("""SELECT api_key, count(*), sum(prompt_tokens), sum(completion_tokens), sum(spend),
            count(*) FILTER (WHERE status = 'failure') FROM "LiteLLM_SpendLogs" GROUP BY 1""").fetchall()
        wanted = {row[0]: tuple(round(float(n), 9) for n in row[1:]) for row in held}
    assert {hash_token(key) for key in keys} < set(wanted) and len(wanted) == 3, wanted
    assert wanted[hash_token(keys[0])][0] == 3 and wanted[hash_token(keys[0])][4] == 1, wanted

    (folder / "org.toml").write_text(f'[endpoint.litellm]\nbase = "http://127.0.0.1:{port}"\nplain = true\ninternal = true\n')
    pull = ["usage", "pull", "--store", "u.db", "--org-config", "org.toml", "--admin", "litellm=env:MASTER", "--since", "1d"]
    show = ["usage", "show", "--since", "2d", "--format", "csv", "--by"]
    told = keywheel(binary, folder, *pull, MASTER=master)
    got = rows(keywheel(binary, folder, *show, "key", "--store", "u.db"))
    assert got == wanted, f"pulled {got}, but the proxy holds {wanted}; {told}"
    places = keywheel(binary, folder, *show, "place,model", "--store", "u.db")
    assert "192.0.2.9," in places and "made-up" in places, places
    again = keywheel(binary, folder, *pull, MASTER=master)
    assert ": 0 new" in again, again
    refused = keywheel(binary, folder, *pull[:3], "v.db", *pull[4:], code=3, MASTER=keys[0][:-2])
    assert keys[0] not in refused

    # The other call, saved as a file: fewer than it cuts off at.
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 7200)), time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
    with psycopg.connect(database, autocommit=True) as table:
        table.execute("""DELETE FROM "LiteLLM_SpendLogs" WHERE request_id LIKE 'more-%'""")
        small = call(port, f"/spend/logs/v2?start_date={day[0]}&end_date={day[1]}&page_size=1000", master)
    (folder / "spend.jsonl").write_text("".join(json.dumps(row) + "\n" for row in small["data"]))
    keywheel(binary, folder, "usage", "import", "--store", "w.db", "--format", "litellm-lines", "--name", "proxy", "spend.jsonl")
    few = rows(keywheel(binary, folder, *show, "key", "--store", "w.db"))
    assert sum(row[0] for row in few.values()) == 10 and few[hash_token(keys[0])] == wanted[hash_token(keys[0])], few
    for kept in folder.iterdir():
        assert not any(key.encode() in kept.read_bytes() for key in [master, *keys]), f"{kept.name} holds a key"
    print(f"{sum(int(row[0]) for row in wanted.values())} requests of LiteLLM {importlib.metadata.version('litellm')} were told as it holds them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
