"""docling-serve (1.38): documents go in, converted or in chunks they come out, or go elsewhere.

Targets, callbacks, sources that the service fetches and models that it asks are all destinations: what is sent to
them leaves from the service, where nothing is seen of it. The result of an asynchronous task is named by its id alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rows
from sluicegate.operations import addresses, body, multipart, query, saying
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

MAX_DOCUMENT = 8 << 20
"""Largest JSON body, with documents in base64 in it."""
_MEMBERS = frozenset(
    ("options", "convert_options", "chunking_options", "sources", "target", "callbacks", "include_converted_doc")
)
_ABOUT = frozenset({"health", "ready", "readyz", "livez", "version", "api"})
_STAYS = frozenset({"inbody", "zip"})
"""Targets that are the response itself."""


class DoclingDialect(Dialect):
    """Reads `/v1/...` of a docling-serve."""

    def match(self, view: RequestView) -> str | None:
        segments = segments_of(view.path)
        if segments is None or not segments or (segments[0] != "v1" and segments[0] not in _ABOUT):
            return None
        return f"{view.method} /{'/'.join(segments[:3] if segments[1:2] in (('status',), ('result',)) else segments)}"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return replace(_read(view, known, session), route=self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if reply.status not in (200, 202) or operation.kind == "poll":
            return None
        try:
            document = orjson.loads(reply.body) if reply.decoded else None
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            return Delivery(unreadable="it is not JSON; ask for the target `inbody`")
        task = document.get("task_id")
        if isinstance(task, str) and operation.result is None:
            session.remember(f"task:{task}", operation)
        if "chunks" in document:
            return Delivery((Rows(path="$.chunks"),), leaks=("$.documents", "$.errors"))
        return None

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """As FastAPI says it."""
        return saying.as_json(refusal, {"detail": saying.sentence(refusal)})


def _read(view: RequestView, known: Known, session: Session) -> Operation:
    segments = segments_of(view.path) or ()
    if view.method in ("GET", "HEAD") and not view.body:
        if len(segments) == 1 and segments[0] in _ABOUT and not view.query:
            return Operation(known.service, "poll")
        if segments[:3] == ("v1", "status", "poll") and len(segments) == 4:
            if query.parameters(view.query).keys() - {"wait"}:
                raise Unreadable("the query has parameters that are not known here")
            handle = f"task:{segments[3]}"
            return replace(session.follow(handle), kind="poll", result=handle)
        if segments[:2] == ("v1", "result") and len(segments) == 3 and not view.query:
            handle = f"task:{segments[2]}"
            return replace(session.follow(handle), result=handle)
        if segments[:2] in (("v1", "clear"), ("v1", "memory")):
            return Operation(known.service, "admin")
    if view.method == "POST" and not view.query and segments[:1] == ("v1",) and _takes_documents(segments[1:]):
        if "source" in segments:
            return _sources(body.read_object(view, MAX_DOCUMENT), known)
        return _files(view, known)
    raise Unreadable("no route is of this form")


def _takes_documents(segments: tuple[str, ...]) -> bool:
    tail = segments[1:] if segments[:1] == ("convert",) else segments[2:] if segments[:1] == ("chunk",) else ()
    return tail[:1] in (("source",), ("file",)) and tail[1:] in ((), ("async",), ("batch",))


def _sources(document: dict[str, Any], known: Known) -> Operation:
    for name in document:
        if name not in _MEMBERS:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    fetched: list[str] = []
    sources = document.get("sources")
    if not isinstance(sources, list):
        raise Unreadable("the body has no list of sources")
    for source in sources:
        fetched += _place(source, "file")
    target = document.get("target") or {"kind": "inbody"}
    sent = [*_place(target, *_STAYS), *_callbacks(document.get("callbacks"))]
    options = [document.get(name) for name in ("options", "convert_options", "chunking_options")]
    sent += addresses.addresses(options)  # models that are asked get the document
    return _operation(sent, fetched, known)


def _files(view: RequestView, known: Known) -> Operation:
    sent: list[str] = []
    for part in multipart.read(view):
        if part.name == "files":
            continue
        if part.filename is not None or not part.name.replace("_", "").isalnum():
            raise Unreadable(f"the form has a field {part.name[:40]!r} that is not known")
        if part.name == "target_type":
            sent += [] if part.text in _STAYS else [part.text]
        elif part.name == "callbacks":
            sent += _callbacks([part.text])
        else:
            sent += addresses.addresses(_value(part.text), part.name)
    return _operation(sent, [], known)


def _value(text: str) -> Any:
    """A field of a form may be JSON; what is none is text."""
    try:
        return json.loads(text) if text[:1] in "[{" else text
    except (ValueError, RecursionError):
        raise Unreadable("a field of the form is not valid JSON") from None


def _operation(sent: list[str], fetched: list[str], known: Known) -> Operation:
    destination, side = addresses.judged([*sent, *fetched], known)
    kind = "export" if sent else "upload"
    return Operation(known.service, kind, destination=destination, destination_side=side)  # type: ignore[arg-type]


def _place(value: Any, *harmless: str) -> Iterator[str]:
    """Where a source or target is. What has no address of its own is shown by its kind, which no policy calls ours."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise Unreadable("a source or target has no kind")
    if kind in harmless:
        return
    endpoint, bucket, url = (value.get(name) for name in ("endpoint", "bucket", "url"))
    if isinstance(url, str):
        yield url
    elif isinstance(bucket, str):
        scheme = {"s3": "s3", "google_cloud_storage": "gs"}.get(kind, kind)
        # A bucket of another endpoint is not the one that the policy means by its name.
        yield f"https://{str(endpoint).split('://')[-1]}/{bucket}" if endpoint else f"{scheme}://{bucket}"
    else:
        yield kind


def _callbacks(value: Any) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, list):
        raise Unreadable("the callbacks are not a list")
    for callback in value:
        spec = _value(callback) if isinstance(callback, str) else callback
        url = spec.get("url") if isinstance(spec, dict) else spec
        if not isinstance(url, str):
            raise Unreadable("a callback has no address")
        yield url
