"""OCSF 1.8 events (https://schema.ocsf.io/1.8.0/classes/http_activity): HTTP Activity, one an exchange."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from sluicegate import __version__
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.shown import findings, verdict_of

VERSION = "1.8.0"
_CLASS = 4002
_ACTIVITIES = {
    "CONNECT": 1,
    "DELETE": 2,
    "GET": 3,
    "HEAD": 4,
    "OPTIONS": 5,
    "POST": 6,
    "PUT": 7,
    "TRACE": 8,
    "PATCH": 9,
}
_OTHER = 99
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3


def write(items: Iterable[Recorded], _bodies: bool) -> Iterator[bytes]:
    """JSON lines, an event each. Bodies are never in them."""
    for item in items:
        yield json.dumps(event(item)).encode() + b"\n"


def event(item: Recorded) -> dict[str, Any]:
    """The event of one exchange."""
    method = item.request.line.partition(" ")[0]
    activity = _ACTIVITIES.get(method, _OTHER)
    refused = bool(item.text("refusal"))
    found: dict[str, Any] = {
        "activity_id": activity,
        "category_uid": 4,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + activity,
        "severity_id": _MEDIUM if findings(item) else _LOW if refused else _INFORMATIONAL,
        "time": _millis(item.started),
        "start_time": _millis(item.started),
        "end_time": _millis(max(item.finished, item.started)),
        "duration": max(0, _millis(item.finished) - _millis(item.started)),
        "status_id": 2 if refused or item.text("error") else 1,
        "status_detail": verdict_of(item),
        "action_id": 2 if refused else 1,
        "disposition_id": 2 if refused else 1,
        "message": f"{item.who or 'nobody'}: {verdict_of(item)}",
        "metadata": {
            "version": VERSION,
            "uid": item.id,
            "log_name": item.file,
            "profiles": ["host", "security_control"],
            "product": {"name": "Sluicegate", "vendor_name": "Sluicegate", "version": __version__},
        },
        "http_request": {
            "url": _url(item),
            "length": _length(item.request.body),
        },
        "src_endpoint": _endpoint(item.text("client")),
        "dst_endpoint": {"hostname": item.text("host") or item.hosts[1] or "unknown"},
        "unmapped": _unmapped(item),
    }
    if activity == _OTHER:
        found["activity_name"] = method or "unknown"  # the schema knows no other method than these
    else:
        found["http_request"]["http_method"] = method
    port = item.summary.get("port")
    if isinstance(port, int) and 0 <= port <= 65_535:
        found["dst_endpoint"]["port"] = port
    if item.response is not None:
        code = item.status or int(item.response.line.partition(" ")[0])
        found["http_response"] = {"code": code, "length": _length(item.response.body)}
    if item.text("subject"):
        user = {"uid": item.text("subject"), "name": item.who, "groups": _groups(item)}
        found["actor"] = {"user": user, "session": {"uid": item.text("session") or "none"}}
    if item.text("policy"):
        rules = ", ".join(item.texts("rules"))
        found["policy"] = {"uid": item.text("policy"), "name": rules or "none", "desc": " ".join(item.texts("reasons"))}
    return found


def _url(item: Recorded) -> dict[str, Any]:
    try:
        parts = urlsplit(item.url)
        said = {"hostname": parts.hostname, "scheme": parts.scheme, "path": parts.path, "query_string": parts.query}
    except ValueError:
        said = {}
    return {"url_string": item.url, **{name: value for name, value in said.items() if value}}


def _endpoint(client: str) -> dict[str, str]:
    try:
        return {"ip": str(ipaddress.ip_address(client))}
    except ValueError:
        return {"name": client or "unknown"}  # a pseudonym is no address


def _groups(item: Recorded) -> list[dict[str, str]]:
    return [{"name": group} for group in item.texts("groups")]


def _unmapped(item: Recorded) -> dict[str, Any]:
    names = ("service", "dataset", "kind", "job", "risk", "assurance", "approval", "exposure", "refusal")
    found = {name: item.summary[name] for name in names if item.summary.get(name) not in (None, "", [])}
    return {**found, "findings": findings(item), "rules": item.texts("rules")}


def _length(body: bytes | None) -> int:
    return len(body or b"")


def _millis(seconds: float) -> int:
    return int(max(0.0, min(seconds, 1e11)) * 1000)
