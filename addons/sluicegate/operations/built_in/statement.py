"""What the dialects of services that take SQL over HTTP share: one way to read, to follow handles, and to refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Kind, Operation, Output, Rewrite
from sluicegate.operations.dialect import Dialect, Known
from sluicegate.operations.members import only
from sluicegate.operations.query import parameters
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import RequestView, Unreadable
from sluicegate.problem import Answer, render

MAX_LINKS = 1000
"""External links of one response that are remembered; a response with more is not let out."""
MAX_COLUMNS = 10_000
GZIP = b"\x1f\x8b"
_STATUS = frozenset(
    {
        *("use", "set", "begin", "commit", "rollback", "prepare", "deallocate", "put", "comment", "grant", "revoke"),
        *("create_stage", "create_table", "create_schema", "create_view", "drop", "truncate"),
    }
)
"""Statements whose results only say that they were done."""
_PLAIN = re.compile(r"[\w.:=+~-]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was understood, and what goes out in its place."""

    operation: Operation
    rewrite: Rewrite | None = None


class StatementDialect(Dialect):
    """A service that takes statements over HTTP. A dialect says how one request is asked, and raises Unreadable."""

    def __init__(self) -> None:
        self._fresh: tuple[RequestView, Rewrite | None] | None = None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        """What a request of a route asks for. Raises Unreadable."""
        raise NotImplementedError

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        self._fresh = None
        route = self.match(view)
        if route is None:
            return Operation(known.service, "unknown", column_scope="unknown", route="no route is of this form")
        try:
            asked = self.ask(route, view, known, session)
        except Unreadable as why:
            return Operation(known.service, "unknown", column_scope="unknown", route=f"{route}: {why}")
        self._fresh = (view, asked.rewrite)
        operation = asked.operation
        if operation.outputs is None and not operation.opaque and _only_done(operation):
            return replace(operation, outputs=())
        return operation

    def rewrite(self, view: RequestView, operation: Operation, known: Known) -> Rewrite | None:
        """What was made when the request was read, a moment ago; another request has none of its own."""
        if operation.kind == "unknown":
            return None
        if self._fresh is None or self._fresh[0] is not view:
            raise RuntimeError("this request was not the last that was read")
        return self._fresh[1]


def path_of(view: RequestView) -> tuple[str, ...] | None:
    """The decoded segments of the path, one slash at its end apart; None where one is not to be trusted."""
    path = view.path
    return segments_of(path[:-1] if len(path) > 1 and path.endswith("/") else path)


def simple(service: str, kind: Kind, route: str, claims: tuple[str, ...] = ()) -> Asked:
    """A request that asks for no data."""
    return Asked(Operation(service, kind, route=route, claims=claims))


def followed(
    found: Operation, route: str, handle: str, chunks: tuple[str, ...] = (), kind: Kind | None = None
) -> Asked:
    """More of a result that was asked for before: judged anew, with everything that the first request said.

    How far it is, and its end, run no statement again and hand out no rows: of those the dataset counts.
    """
    if kind in ("poll", "cancel"):
        about = Operation(found.service, kind, found.dataset, found.declared, claims=found.claims, owner=found.owner)
        return Asked(replace(about, route=route, result=handle, chunks=chunks))
    return Asked(replace(found, route=route, result=handle, chunks=chunks, kind=kind or found.kind))


def given(view: RequestView, *known: str) -> dict[str, str]:
    """The parameters of the query. Raises Unreadable for one that is not known, and for one that comes twice."""
    found = parameters(view.query)
    only(found, known, "the query")
    return found


def plain(text: str, what: str) -> str:
    """A handle or number as services make them. Raises Unreadable."""
    if not _PLAIN.fullmatch(text):
        raise Unreadable(f"the {what} is not of a form that services use")
    return text


def smaller(*limits: int | None) -> int | None:
    """The smallest of the limits that are set."""
    return min((limit for limit in limits if limit is not None), default=None)


def unreadable(why: str) -> Delivery:
    """A response whose rows cannot be found; it does not leave where masks are owed."""
    return Delivery(unreadable=why)


def member(document: Any, *names: str) -> Any:
    """The node below nested members, or None where one of them is not there."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def names_in(columns: Any, key: str = "name") -> tuple[str, ...] | None:
    """The names in a list of column descriptions; None where it is none."""
    if not isinstance(columns, list) or len(columns) > MAX_COLUMNS:
        return None
    names = [column.get(key) if isinstance(column, dict) else None for column in columns]
    return tuple(name for name in names if isinstance(name, str)) if all(isinstance(n, str) for n in names) else None


def placed(
    session: Session, operation: Operation, names: Sequence[str] | None, width: int | None = None
) -> tuple[Output, ...] | None:
    """The result's columns by position: what the statement says of each, under the name that the service gives it.

    Where statement and service do not agree on how many there are, it is not known what any of them is made of.
    None where not even the number is known.
    """
    outputs = operation.outputs
    if names is not None and _only_done(operation):
        return tuple(Output(name) for name in names)
    if names is None:
        outputs = _kept_columns(session, operation) if outputs is None else outputs
        if outputs is not None and width in (None, len(outputs)):
            return outputs
        names = [f"column {index}" for index in range(1, width + 1)] if width is not None else None
    if names is None:
        return None
    if outputs is not None and len(outputs) == len(names):
        return tuple(replace(output, name=name) for name, output in zip(names, outputs, strict=True))
    return tuple(Output(name, None) for name in names)


def _only_done(operation: Operation) -> bool:
    return bool(operation.statements) and _STATUS.issuperset(operation.statements)


def remember_result(
    session: Session, handle: str, operation: Operation, columns: tuple[Output, ...] | None = None
) -> None:
    """Keep what a handle stands for, and the columns that the service named where the statement did not say them.

    They are kept beside the operation, never in it: what was not known when it was judged is not known later. The
    answer to a poll or a cancel says nothing new of what was asked.
    """
    if operation.kind in ("poll", "cancel"):
        return
    session.remember(handle, operation)
    if operation.outputs is None and columns is not None:
        session.remember(f"columns:{handle}", Operation(session.service, "poll", outputs=columns))


def _kept_columns(session: Session, operation: Operation) -> tuple[Output, ...] | None:
    if operation.result is None:
        return None
    try:
        return session.follow(f"columns:{operation.result}").outputs
    except Unreadable:
        return None


def width_of(rows: Any) -> int | None:
    """How many values the first row has, where rows are lists."""
    return len(rows[0]) if isinstance(rows, list) and rows and isinstance(rows[0], list) else None


def link_handle(host: str, path: str) -> str:
    """The handle of an external link. What is behind `?` signs it and is another on each request."""
    return f"link:{host.lower().removesuffix('.')}{path}"


def remember_links(session: Session, urls: Iterable[Any], operation: Operation, format_: str) -> str:
    """Keep the external links of a response, with the format that they hand out. Says what is wrong, or nothing."""
    for count, url in enumerate(urls):
        if count >= MAX_LINKS:
            return "it has more external links than can be followed"
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
            host = parts.hostname if parts is not None else None
        except ValueError:
            host = None
        if parts is None or host is None or parts.scheme not in ("https", "http"):
            return "it has an external link that cannot be read"
        session.remember(link_handle(host, parts.path), replace(operation, route=format_))
    return ""


def resubmitted(given: str | None, operation: Operation, session: Session) -> Operation:
    """The same; where the id that the client gave its request came before, what was asked then counts as well.

    A service may answer an id that it knows with the result that it has, whatever statement comes with it. Raises
    Unreadable for the id of somebody else.
    """
    if not given:
        return operation
    handle = f"request:{plain(given, 'request id')}"
    if not session.free(handle):
        raise Unreadable("the request id is somebody else's")
    try:
        before = session.find(handle)
    except Unreadable:
        before = operation
    if before != operation:
        others = (replace(before, parts=()), *before.parts, *operation.parts)
        operation = replace(operation, outputs=None, parts=tuple(dict.fromkeys(others)))
    session.note(handle, operation)
    return operation


def find_link(view: RequestView, session: Session) -> Asked:
    """The operation behind an external link. Its format stands in `chunks`, behind its path. Raises Unreadable."""
    if view.body:
        raise Unreadable("a body was sent where none is read")
    found = session.follow(link_handle(view.host, view.path))
    return Asked(replace(found, route=LINK, chunks=(view.path[-200:], found.route)))


LINK = "an external link of a result"


def said(refusal: Refusal) -> str:
    """A refusal in one text, for clients that show only one."""
    return " ".join(part for part in (f"{refusal.title}.", refusal.detail, refusal.next_step) if part)


def answered(refusal: Refusal, status: int, content_type: str, body: Any, **headers: str) -> Answer:
    """A refusal in a service's shape: status, and a body that is JSON unless it is a text already."""
    plain_answer = render(refusal, "")
    fields = {**dict(plain_answer.headers), "content-type": content_type, **headers}
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Answer(status, plain_answer.reason, tuple(fields.items()), content)


def for_the_client(refusal: Refusal) -> bool:
    """Whether it is about what was asked. The rest is between proxy and client, and may pass if tried again."""
    return refusal.status != 407 and refusal.code not in ("not-serving", "recorder-down")
