#!/usr/bin/env python3
"""Requests to GitHub against GitHub's own description, which Prism serves on loopback: those that rules declare, and, by way of
the double of tests/stores, those that the store of Actions' secrets sends.

    tests/openapi/run.py PRISM DESCRIPTION [COMMAND...]

The command is run with KEYWHEEL_OPENAPI set to Prism's address.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request

HOST = "https://api.github.com"
RULES = pathlib.Path(__file__).resolve().parents[2] / "rules"


def main():
    prism, description, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(["node", prism, "mock", "--host", "127.0.0.1", "--port", str(port), description],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(server, port)
        checked = requests(base)
        print(f"{checked} declared requests fit GitHub's description")
        if command:
            subprocess.run(command, check=True, env={**os.environ, "KEYWHEEL_OPENAPI": base})
    finally:
        server.terminate()
        server.wait()


def wait(server, port):
    for _ in range(1500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if server.poll() is not None:
                sys.exit("Prism has ended")
            time.sleep(0.2)
    sys.exit("Prism does not answer")


def requests(base):
    # Whoever sees no fault sees none in these either.
    for method, path, body in [("POST", "/credentials/revoke", b'{"credential":"x"}'), ("GET", "/no/such/path/at/all", None),
                               ("PUT", "/repos/a/b/actions/secrets/X", b'{"encrypted_value":"!","key_id":"1"}')]:
        if not faults(base, method, path, {"Content-Type": "application/json"}, body):
            sys.exit(f"Prism takes a wrong request: {method} {path}")
    checked = 0
    for file in sorted(RULES.glob("*.toml")):
        for where, request in declared(tomllib.loads(file.read_text(encoding="utf-8")), file.name):
            url = filled(request["url"])
            if not url.startswith(HOST + "/"):
                continue
            headers = {name: filled(value) for name, value in request.get("headers", {}).items()}
            body = None
            if "json" in request:
                headers["Content-Type"] = "application/json"
                body = filled(json.dumps(request["json"])).encode()
            elif "body" in request or "form" in request:
                sys.exit(f"{where}: a body that this script does not make")
            found = faults(base, request["method"], url.removeprefix(HOST), headers, body)
            if found:
                sys.exit(f"{where}: {request['method']} {url}: {found}")
            checked += 1
    if checked < 10:
        sys.exit(f"only {checked} requests were found")
    return checked


def declared(node, where):
    """Every table with a method and a URL."""
    if isinstance(node, dict):
        if isinstance(node.get("url"), str) and "method" in node:
            yield where, node
        for name, inner in node.items():
            yield from declared(inner, f"{where}: {name}")
    elif isinstance(node, list):
        for inner in node:
            yield from declared(inner, where)


def filled(text):
    return re.sub(r"\{\{.*?\}\}", "abc123", text)


def faults(base, method, path, headers, body):
    """What Prism has against a request; empty if nothing."""
    # The description knows answers as application/json only; GitHub's pages ask for its own name of the same.
    headers = {name: value for name, value in headers.items() if name.lower() != "accept"}
    request = urllib.request.Request(base + path, data=body, headers=headers, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        found = [v for v in json.loads(answer.headers.get("sl-violations") or "[]") if v["location"][0] == "request"]
        text = answer.read()
    if answer.status >= 400 and not found:
        said = json.loads(text or b"{}")
        # Prism's own answer where the description has no path, or no answer to a wrong request.
        if "stoplight.io/prism" in said.get("type", "") and "VIOLATIONS" not in said["type"]:
            found = [said["type"]]
    return found


if __name__ == "__main__":
    main()
