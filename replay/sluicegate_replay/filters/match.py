"""Whether an exchange fits a filter expression, as mitmproxy would say of its flow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sluicegate.codings import CodingError, decode
from sluicegate.recording.recorded import Message, Recorded
from sluicegate_replay.filters.tree import Atom, Node, atoms, holds

MAX_BODY = 64 << 20
"""Bytes of a decoded body that patterns look at; of a larger one, what is on the wire."""
_ASSETS = re.compile(
    "text/javascript|application/x-javascript|application/javascript|text/css|image/|font/|application/font"
)
_ALWAYS = {"http": True, "all": True}
_ALWAYS |= dict.fromkeys(("marked", "replay", "replayq", "replays", "tcp", "udp", "dns", "websocket"), False)
"""What is the same for each exchange that Sluicegate recorded."""

Addresses = Callable[[Recorded], tuple[str, str]]


def needs_addresses(node: Node) -> bool:
    """Whether the addresses of the connections are asked for."""
    return any(atom.code in ("src", "dst") for atom in atoms(node))


def fits(node: Node, item: Recorded, addresses: Addresses) -> bool:
    """Whether the exchange fits; `addresses` finds `host:port` of its client and its service when that is asked."""
    return holds(node, lambda atom: _atom(atom, item, addresses))


def _atom(atom: Atom, item: Recorded, addresses: Addresses) -> bool:
    if atom.code in _ALWAYS:
        return _ALWAYS[atom.code]
    request, response = item.request, item.response
    both = (request, response) if response else (request,)
    match atom.code:
        case "e":
            return bool(item.text("error")) or item.summary.get("error") == ""
        case "q":
            return response is None
        case "s":
            return response is not None
        case "a":
            return response is not None and any(_ASSETS.match(value) for value in _types(response))
        case "c":
            return response is not None and response.line.partition(" ")[0] == str(atom.number)
        case "m":
            return _search(atom, request.line.partition(" ")[0])
        case "u":
            return _search(atom, item.url)
        case "d":
            return any(_search(atom, host) for host in item.hosts)
        case "comment":
            return _search(atom, item.comment)
        case "marker":
            return _search(atom, "")
        case "meta":
            return _search(atom, f"sluicegate: {dict(item.summary)!r}")
        case "src" | "dst":
            address = addresses(item)[atom.code == "dst"]
            return bool(address) and _search(atom, address)
        case "t" | "tq" | "ts":
            return any(_search(atom, kind) for message in _chosen(atom, request, both) for kind in _types(message))
        case "h" | "hq" | "hs":
            return any(_search(atom, _head(message)) for message in _chosen(atom, request, both))
        case "b" | "bq" | "bs":
            bodies = (_content(message) for message in _chosen(atom, request, both))
            return any(body is not None and _search(atom, body) for body in bodies)
    raise AssertionError(atom.code)


def _chosen(atom: Atom, request: Message, both: tuple[Message, ...]) -> tuple[Message, ...]:
    return {"q": (request,), "s": both[1:]}.get(atom.code[-1] if len(atom.code) > 1 else "", both)


def _search(atom: Atom, value: str | bytes) -> bool:
    pattern: Any = atom.pattern
    if isinstance(pattern.pattern, bytes) and isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return pattern.search(value) is not None


def _types(message: Message) -> Iterator[str]:
    return (value for name, value in message.headers if name.lower() == "content-type")


def _head(message: Message) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in message.headers)


def _content(message: Message) -> bytes | None:
    if message.body is None:
        return None
    coding = message.header("content-encoding")
    try:
        return decode(message.body, coding, MAX_BODY) if coding else message.body
    except CodingError:
        return message.body
