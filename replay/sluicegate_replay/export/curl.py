"""Shell scripts that send the requests again with curl. What was taken out as a secret is `[removed]` in them, too."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Iterator

from sluicegate.recording.recorded import Recorded
from sluicegate_replay.escape import moment, plain

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_OWN = {"content-length", "transfer-encoding", "connection", "proxy-connection", "proxy-authorization"}
"""Headers that curl makes itself."""
_HEAD = """#!/bin/sh
# Requests that were recorded, one command each. Running this sends them again: every one of them acts.
"""


def write(items: Iterable[Recorded], bodies: bool) -> Iterator[bytes]:
    """The script, in pieces. A CONNECT is no request that could be sent so, and is left out."""
    yield _HEAD.encode()
    for item in items:
        if not item.request.line.startswith("CONNECT "):
            yield command(item, bodies).encode("utf-8", "backslashreplace")


def command(item: Recorded, bodies: bool = True) -> str:
    """The command for one exchange, with a comment that says which it is."""
    method, request = item.request.line.partition(" ")[0], item.request
    # -q: no settings of whoever runs it; --globoff and --path-as-is: the URL goes out as it is.
    words = ["curl", "-q", "--globoff", "--path-as-is", "--request", method]
    if method == "HEAD":
        words.append("--head")
    for name, value in request.headers:
        if _TOKEN.match(name) and name.lower() not in _OWN:
            words += ["--header", f"{name}: {value}" if value.strip() else f"{name};"]
    before = ""
    if request.body and bodies:
        try:
            text = request.body.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text or len(text) > 65_536:
            before = f"printf %s {base64.b64encode(request.body).decode()} | base64 -d | "
            words += ["--data-binary", "@-"]
        else:
            words += ["--data-raw", text]  # which, unlike --data, reads no file
        if not request.header("content-type"):
            words += ["--header", "content-type:"]
    words += ["--url", item.url]
    about = plain(f"{item.id} {moment(item.started)} {item.who or 'nobody'}")
    return f"\n# {about}\n{before}{shlex.join(words)}\n"
