"""What the JSON services of AWS share: one address, the action in X-Amz-Target, a body that SigV4 signs.

Nothing of a request can be rewritten: its body's digest is signed. So every member of it has to be understood.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from sluicegate.errors import Refusal
from sluicegate.exchange import Operation, Output
from sluicegate.operations import saying
from sluicegate.operations.body import read_object
from sluicegate.operations.built_in.signed import SIGNED, TOKENS
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.view import RequestView, Unreadable
from sluicegate.problem import Answer, render

MAX_BODY = 1 << 20
_MEDIA = ("application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json")

Action = Callable[[dict[str, Any], Known, Session], Operation]
"""Reads the body of an action. Raises Unreadable."""


class AwsDialect(Dialect):
    """A service whose actions are named in X-Amz-Target. What is not among `actions` is of kind `unknown`."""

    prefix: ClassVar[str]
    actions: ClassVar[Mapping[str, Action]]

    def match(self, view: RequestView) -> str | None:
        target = view.headers.get("x-amz-target", ())
        if view.method != "POST" or view.path != "/" or view.query or len(target) != 1:
            return None
        name = target[0].removeprefix(f"{self.prefix}.")
        return name if name != target[0] and name in self.actions else None

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        action = self.match(view)
        if action is None:
            said = ", ".join(view.headers.get("x-amz-target", ()))[:80]
            return unknown(known.service, f"no action is of this form: {view.method} {said}".rstrip())
        try:
            operation = self.actions[action](document_sent(view), known, session)
        except Unreadable as why:
            return unknown(known.service, f"{action}: {why}")
        return replace(operation, route=action, once=SIGNED + TOKENS)

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """The error of AWS's JSON protocols: a 400 that no SDK tries again."""
        said = render(refusal, "")
        body = json.dumps({"__type": "AccessDeniedException", "message": saying.sentence(refusal)}).encode()
        headers = {**dict(said.headers), "content-type": _media(view), "x-amzn-errortype": "AccessDeniedException"}
        return Answer(400, said.reason, tuple(headers.items()), body)


def _media(view: RequestView) -> str:
    sent = view.headers.get("content-type", ("",))[0].strip().lower()
    return sent if sent in _MEDIA else _MEDIA[1]


def document_sent(view: RequestView) -> dict[str, Any]:
    """The JSON object in a request. Raises Unreadable."""
    media, *rest = (part.strip(" \t").lower() for part in (view.header("content-type") or "").split(";"))
    if media not in _MEDIA or any(part not in ("charset=utf-8", 'charset="utf-8"') for part in rest):
        raise Unreadable("the body is not of a JSON type of AWS")
    if view.header("content-encoding") not in (None, "identity"):
        raise Unreadable("the body has a content-encoding")
    headers = {**view.headers, "content-type": ("application/json",)}
    return read_object(view._replace(headers=headers), MAX_BODY)


def short(value: object) -> str:
    """A token, or another value that must not be shown, as something that tells two of them apart."""
    data = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def placed(operation: Operation, names: Sequence[str]) -> tuple[Output, ...]:
    """The result's columns by position: what the statement says of each, under the service's name for it.

    Where the two do not agree on how many there are, it is not known what any of them is made of.
    """
    outputs = operation.outputs
    if outputs is not None and len(outputs) == len(names):
        return tuple(replace(output, name=name) for name, output in zip(names, outputs, strict=True))
    return tuple(Output(name, None) for name in names)


def together(operations: Sequence[Operation]) -> Operation:
    """Several operations of one request as one, with the others as its parts. Raises Unreadable for none."""
    flat = list(dict.fromkeys(one for each in operations for one in (replace(each, parts=()), *each.parts)))
    if not flat:
        raise Unreadable("the request asks for nothing")
    return replace(flat[0], parts=tuple(flat[1:]), outputs=flat[0].outputs if len(flat) == 1 else None)


def polled(found: Operation, handle: str) -> Operation:
    """A question about a result that asks for none of its rows."""
    return Operation(
        found.service, "poll", found.dataset, found.declared, column_scope="none", result=handle, owner=found.owner
    )


def again(found: Operation, handle: str, chunk: str) -> Operation:
    """Rows of a result that was asked for before. What a query wrote elsewhere is done; its rows are now read."""
    parts = tuple(_reading(part) for part in found.parts)
    return replace(_reading(found), parts=tuple(dict.fromkeys(parts)), result=handle, chunks=(chunk,))


def _reading(operation: Operation) -> Operation:
    if operation.kind != "export":
        return operation
    return replace(operation, kind="read", destination=None, destination_side=None)


def elsewhere(operation: Operation, destination: str, side: Any) -> Operation:
    """The same where its rows also go to a destination: an export, where that is not ours."""
    if side == "internal" and operation.kind == "read" and operation.destination is None:
        return replace(operation, destination=destination, destination_side=side)
    if side == "internal":
        return operation
    outward = replace(operation, kind="export", destination=destination, destination_side=side, parts=())
    if operation.kind == "read":
        parts = [replace(part, kind="export") if part.kind == "read" else part for part in operation.parts]
        return replace(outward, parts=tuple(parts))
    return replace(operation, parts=(*operation.parts, outward))
