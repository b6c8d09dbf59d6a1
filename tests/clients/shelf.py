"""What clients of docs/clients.md fetch besides rows: a repository, a package of Python, a package of npm.

All of it is called `sluicegate-canary` and stands in memory; an origin of the tests hands it out.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile

COMMIT = "5" * 40
WHEEL = "sluicegate_canary-1.0-py3-none-any.whl"
TARBALL = "sluicegate-canary-1.0.0.tgz"
ASKS = {"rows": "/datasets/customers/chunks/7", "refs": "/git/canary", "wheel": "/simple", "tarball": "/npm"}
"""Where a client that wants this begins."""

POLICY = (
    """
[services.shelf]
hosts = ["localhost:@PORT@"]
dialect = "shelf"
addresses = ["127.0.0.0/8"]
credential = { header = "Authorization", value = "Bearer ${CHUNKS_TOKEN}" }
"""
    + "".join(
        f"""
[[dialects.shelf.routes]]
request = "GET {path}"
kind = "{kind}"
accepts = ["service", "x-id", "write"]
"""
        for path, kind in (
            ("/git/{repository}/info/refs", "read"),
            ("/git/{repository}/HEAD", "read"),
            ("/simple/{package}/", "read"),
            ("/files/{file}", "read"),
            ("/npm/{package}", "read"),
            ("/npm/{package}/-/{file}", "read"),
            ("/denied/{thing}", "admin"),
            ("/denied/{thing}/", "admin"),
            ("/denied/{thing}/{more}", "admin"),
            ("/denied/{thing}/info/refs", "admin"),
        )
    )
    + """
[[rules]]
id = "shelf"
effect = "allow"
who = ["group:engineering"]
service = ["shelf"]
kind = ["read"]

[[rules]]
id = "not-the-canary"
effect = "deny"
service = ["shelf"]
kind = ["admin"]
reason = "The canary stays in its mine."
next_step = "Ask the miners."
"""
)
SENTENCE = "The canary stays in its mine."


def _wheel() -> bytes:
    files = {
        "sluicegate_canary.py": "SONG = 'tweet'\n",
        "sluicegate_canary-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sluicegate-canary\nVersion: 1.0\n",
        "sluicegate_canary-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "sluicegate_canary-1.0.dist-info/RECORD": "",
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def _tarball() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in {
            "package/package.json": json.dumps({"name": "sluicegate-canary", "version": "1.0.0", "main": "index.js"}),
            "package/index.js": "module.exports = 'tweet';\n",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()


class Shelf:
    """Answers as a dumb Git server (gitprotocol-http(5)), a simple index (PEP 503) and a registry of npm do."""

    def __init__(self) -> None:
        self.wheel, self.tarball = _wheel(), _tarball()
        self.root = ""
        """Its own address, which the registry writes into what it answers."""

    def respond(self, request: bytes) -> bytes:
        path = request.split(b" ", 2)[1].decode().partition("?")[0]
        status, media, body = self._answer(path)
        head = f"HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _answer(self, path: str) -> tuple[str, str, bytes]:
        match path:
            case "/git/canary/info/refs":
                return "200 OK", "text/plain", f"{COMMIT}\trefs/heads/main\n".encode()
            case "/git/canary/HEAD":
                return "200 OK", "text/plain", b"ref: refs/heads/main\n"
            case "/simple/sluicegate-canary/":
                digest = hashlib.sha256(self.wheel).hexdigest()
                return "200 OK", "text/html", f'<a href="/files/{WHEEL}#sha256={digest}">{WHEEL}</a>'.encode()
            case "/npm/sluicegate-canary":
                return "200 OK", "application/json", json.dumps(self._package()).encode()
            case _ if path == f"/files/{WHEEL}":
                return "200 OK", "application/octet-stream", self.wheel
            case _ if path == f"/npm/sluicegate-canary/-/{TARBALL}":
                return "200 OK", "application/octet-stream", self.tarball
        return "404 Not Found", "text/plain", b"not here"

    def _package(self) -> dict[str, object]:
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
        dist = {"tarball": f"{self.root}/npm/sluicegate-canary/-/{TARBALL}", "integrity": integrity}
        version = {"name": "sluicegate-canary", "version": "1.0.0", "dist": dist}
        return {"name": "sluicegate-canary", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
