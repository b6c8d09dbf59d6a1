"""HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/): what browsers' tools and many others read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sluicegate import __version__
from sluicegate.recording.recorded import Message, Recorded
from sluicegate.recording.shown import verdict_of
from sluicegate_replay.export.bodies import as_text, content


def write(items: Iterable[Recorded], bodies: bool) -> Iterator[bytes]:
    """The file, in pieces."""
    creator = json.dumps({"name": "sluicegate-replay", "version": __version__})
    yield f'{{"log": {{"version": "1.2", "creator": {creator}, "entries": ['.encode()
    for number, item in enumerate(items):
        yield (b",\n" if number else b"\n") + json.dumps(entry(item, bodies)).encode()
    yield b"\n]}}\n"


def entry(item: Recorded, bodies: bool = True) -> dict[str, Any]:
    """One exchange. Times that are not known are -1 or nought, as the format has it."""
    request, response = item.request, item.response
    wait = max(0.0, (response.begun - request.ended) * 1000) if response and response.begun and request.ended else 0.0
    receive = max(0.0, (response.ended - response.begun) * 1000) if response and response.begun else 0.0
    send = max(0.0, (request.ended - request.begun) * 1000) if request.begun else 0.0
    return {
        "startedDateTime": _moment(item.started),
        "time": send + wait + receive,
        "request": _request(item, bodies),
        "response": _response(response, bodies),
        "cache": {},
        "timings": {"send": send, "wait": wait, "receive": receive},
        "comment": verdict_of(item),
        "_sluicegate": dict(item.summary),
    }


def _request(item: Recorded, bodies: bool) -> dict[str, Any]:
    message = item.request
    found = {
        "method": message.line.partition(" ")[0],
        "url": item.url,
        "httpVersion": message.version,
        "cookies": [],
        "headers": _headers(message),
        "queryString": [{"name": name, "value": value} for name, value in _query(item.url)],
        "headersSize": -1,
        "bodySize": len(message.body or b""),
    }
    if message.body and bodies:
        text, coded = as_text(content(message)[0])
        post = {"mimeType": message.header("content-type"), "params": [], "text": text}
        found["postData"] = {**post, "encoding": "base64"} if coded else post
    return found


def _response(message: Message | None, bodies: bool) -> dict[str, Any]:
    if message is None:  # nothing reached the client: status 0, as browsers write it
        empty = {"size": 0, "mimeType": "x-unknown"}
        return {
            "status": 0,
            "statusText": "",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "content": empty,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        }
    status, _, reason = message.line.partition(" ")
    body = content(message)[0]
    told: dict[str, Any] = {"size": len(body), "mimeType": message.header("content-type") or "x-unknown"}
    if bodies:
        told["text"], coded = as_text(body)
        told |= {"encoding": "base64"} if coded else {}
    return {
        "status": int(status),
        "statusText": reason,
        "httpVersion": message.version,
        "cookies": [],
        "headers": _headers(message),
        "content": told,
        "redirectURL": message.header("location"),
        "headersSize": -1,
        "bodySize": len(message.body or b""),
    }


def _headers(message: Message) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in message.headers]


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00.000Z"
