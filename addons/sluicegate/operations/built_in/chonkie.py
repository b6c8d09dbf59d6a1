"""chonkie (1.7) and its cloud: texts go in, and come back in chunks.

A text is an upload, whatever is in it; no request names a dataset. A file that was uploaded is named by a handle later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rows
from sluicegate.operations import addresses, body, multipart, saying
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

MAX_TEXT = 4 << 20
"""Largest body with texts; they are read for what stands beside them, and nothing in them is looked for here."""
_TEXTS = frozenset({"text", "chunks", "delim"})
_CHUNKERS = frozenset(
    {"token", "sentence", "recursive", "semantic", "code", "late", "neural", "slumber", "table", "fast"}
)


class ChonkieDialect(Dialect):
    """Reads `/v1/...` of a chonkie server."""

    def match(self, view: RequestView) -> str | None:
        segments = segments_of(view.path)
        if segments is None or (segments and segments[0] not in ("v1", "health")):
            return None
        return f"{view.method} /{'/'.join(segments[:2] if segments[1:2] == ('pipelines',) else segments[:3])}"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return replace(_read(view, known, session), route=self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if reply.status not in (200, 201) or operation.kind != "upload":
            return None
        try:
            document = orjson.loads(reply.body) if reply.decoded else None
        except orjson.JSONDecodeError:
            document = None
        uploaded = segments_of(view.path) == ("v1", "files")  # elsewhere an answer is made from what was sent
        if uploaded and isinstance(document, dict) and isinstance(document.get("name"), str):
            session.remember(f"file:{document['name']}", operation)
            return None
        if not isinstance(document, list):
            return Delivery(unreadable="it is not a list of chunks")
        several = bool(document) and all(isinstance(item, list) for item in document)
        if not several and not all(isinstance(item, dict) for item in document):
            return Delivery(unreadable="it is not a list of chunks")
        return Delivery((Rows(path="$[*]" if several else "$"),))

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """As FastAPI says it; the client shows the whole body."""
        return saying.as_json(refusal, {"detail": saying.sentence(refusal)})


def _read(view: RequestView, known: Known, session: Session) -> Operation:
    segments = segments_of(view.path)
    if segments is None or view.query:
        raise Unreadable("no route is of this form")
    if view.method in ("GET", "HEAD") and segments in ((), ("health",)) and not view.body:
        return Operation(known.service, "poll")
    if view.method == "POST" and segments == ("v1", "files"):
        multipart.read(view)
        return Operation(known.service, "upload")
    if view.method == "POST" and _takes_text(segments):
        return _texts(body.read_object(view, MAX_TEXT), known, session)
    if segments[:2] in (("v1", "pipelines"), ("v1", "pipeline")) and len(segments) <= 3:
        if view.method in ("GET", "HEAD") and not view.body:
            return Operation(known.service, "poll")
        if view.method in ("POST", "PUT"):
            destination, side = addresses.judged(addresses.addresses(body.read_object(view)), known)
            return Operation(known.service, "write", destination=destination, destination_side=side)
        if view.method == "DELETE" and not view.body:
            return Operation(known.service, "write")
    raise Unreadable("no route is of this form")


def _takes_text(segments: tuple[str, ...]) -> bool:
    match segments:
        case ("v1", "chunk", chunker):
            return chunker in _CHUNKERS
        case ("v1", "refine", refinery):
            return refinery in ("embeddings", "overlap")
        case ("v1", "pipelines" | "pipeline", _, "execute"):
            return True
    return False


def _texts(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """What stands beside the texts may name a model or an address; the texts themselves are only content."""
    result, owner = None, ""
    beside = {name: value for name, value in document.items() if name not in _TEXTS}
    file = beside.pop("file", None)
    if file is not None:
        if not isinstance(file, dict) or not isinstance(file.get("content"), str) or file.get("type") != "document":
            raise Unreadable("the file is not one that was uploaded")
        result = f"file:{file['content']}"
        owner = session.follow(result).owner
    destination, side = addresses.judged(addresses.addresses(beside), known)
    return Operation(
        known.service, "upload", result=result, owner=owner, destination=destination, destination_side=side
    )
