"""A double of GitHub's interface for secrets: libsodium holds the key and opens what comes. Prints its port. Where
KEYWHEEL_OPENAPI is set, Prism there says of each request whether it fits GitHub's description."""

import base64
import json
import os
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from nacl.public import PrivateKey, SealedBox

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "openapi"))
from run import faults  # noqa: E402

KEY = PrivateKey.generate()
changes = {}
opened = b""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fits(self, body=None):
        base = os.environ.get("KEYWHEEL_OPENAPI")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}
        found = base and faults(base, self.command, self.path.removeprefix("/api/v3"), headers, body)
        if found:
            self.answer(422, json.dumps(found).encode())
        return not found

    def do_GET(self):
        path = self.path.removeprefix("/api/v3").split("?")[0]
        if path == "/opened":
            return self.answer(200, opened)
        if not self.fits():
            return
        if path.endswith("/public-key"):
            key = base64.b64encode(bytes(KEY.public_key)).decode()
            return self.answer(200, json.dumps({"key_id": "568250167242549743", "key": key}).encode())
        if path.endswith("/repositories"):
            return self.answer(200, json.dumps({"total_count": 1, "repositories": [{"id": 7}]}).encode())
        time = f"2026-01-01T00:00:{changes.get(path, 0):02}Z"
        said = {"name": "API_KEY", "created_at": time, "updated_at": time}
        if path.startswith("/orgs/"):
            said["visibility"] = "selected"
        self.answer(200, json.dumps(said).encode())

    def do_PUT(self):
        global opened
        path = self.path.removeprefix("/api/v3")
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.fits(text):
            return
        body = json.loads(text)
        wanted = {"encrypted_value", "key_id"}
        if path.startswith("/orgs/"):
            wanted |= {"visibility", "selected_repository_ids"}
        if set(body) != wanted or body["key_id"] != "568250167242549743":
            return self.answer(422)
        opened = SealedBox(KEY).decrypt(base64.b64decode(body["encrypted_value"]))
        changes[path] = changes.get(path, 0) + 1
        self.answer(204)


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
