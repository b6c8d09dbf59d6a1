"""What a declared route's answer hands out (handles, rows), and what a request means that names such a handle."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import orjson

from sluicegate import jsonpath
from sluicegate.exchange import Delivery, Kind, Operation, Rewrite, Rows
from sluicegate.operations import query
from sluicegate.operations.origins import outputs
from sluicegate.operations.results import Session
from sluicegate.operations.selector import Selector
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.settings import model

HANDLE = "handle:"
"""Stands before a handle where it is remembered."""
MAX_HANDED_OUT = 1000
"""How many handles of one answer are remembered; the others lead nowhere."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the parts of a route's answer are."""

    handles: tuple[tuple[jsonpath.Step, ...], ...] = ()
    headers: tuple[str, ...] = ()
    rows: str | None = None
    columns: tuple[jsonpath.Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.handles or self.headers or self.rows)

    @classmethod
    def compile(cls, route: model.Route) -> Answers:
        """Raises ValueError for a bad path."""
        named = [text.removeprefix("header:").lower() for text in route.hands_out if text.startswith("header:")]
        paths = [jsonpath.parse(text) for text in route.hands_out if not text.startswith("header:")]
        if route.rows is not None:
            jsonpath.parse(route.rows)
        columns = jsonpath.parse(route.row_columns) if route.row_columns is not None else ()
        return cls(tuple(paths), tuple(named), route.rows, columns)

    def read(
        self, operation: Operation, reply: ReplyView, session: Session, tokens: Collection[str]
    ) -> Delivery | None:
        """Remembers what the answer hands out. `tokens` are the query parameters that later requests name it by."""
        if not 200 <= reply.status < 300:
            return None
        try:
            document = orjson.loads(reply.body) if reply.decoded and (self.handles or self.rows) else None
        except orjson.JSONDecodeError:
            document = None
        found = [value for steps in self.handles for value in jsonpath.select(document, steps)]
        found += [value for name in self.headers for value in reply.headers.get(name, ())]
        asked = _asked_first(operation, session)
        for handle in [handle for value in found for handle in _handles(value, tokens)][:MAX_HANDED_OUT]:
            session.remember(HANDLE + handle, asked)
        return self._rows(document, operation) if self.rows is not None else None

    def _rows(self, document: Any, operation: Operation) -> Delivery:
        lists = [value for value in jsonpath.select(document, jsonpath.parse(self.rows or "$")) if value is not None]
        if document is None or not all(isinstance(value, list) for value in lists):
            return Delivery(unreadable="its rows are not where the policy says")
        rows = next((row for value in lists for row in value), None)
        if self.columns:
            names = _names(jsonpath.select(document, self.columns))
            if names is None or not (rows is None or isinstance(rows, list)):
                return Delivery(unreadable="its columns are not where the policy says")
            return Delivery((Rows(path=self.rows or "$", shape="arrays", columns=outputs(names, operation)),))
        if rows is not None and not isinstance(rows, dict):
            return Delivery(unreadable="its rows are not objects, and nothing says which column is where in them")
        every = [row for value in lists for row in value if isinstance(row, dict)]
        names = list(dict.fromkeys(name for row in every for name in row))
        aligned = all(len(row) == len(names) for row in every[:1])
        known = operation if aligned else replace(operation, outputs=None)
        return Delivery((Rows(path=self.rows or "$", columns=outputs(names, known)),))


def _asked_first(operation: Operation, session: Session) -> Operation:
    """The operation as handles are to remember it: the answer to a poll hands out what was asked for, and no poll."""
    if operation.kind not in ("poll", "cancel") or operation.result is None:
        return operation
    return session.follow(HANDLE + operation.result)


def following(found: Operation, own: Operation, handle: str, kind: Kind, takes_columns: bool) -> Operation:
    """The operation of a request that names a handle: what was asked first, unless the request says something else.

    A route that takes columns may send others with the same handle, and the service may heed either: both count.
    """
    for mine, first in (
        (own.dataset, found.dataset),
        (own.statement, found.statement),
        (own.destination, found.destination),
        (own.script_digest, found.script_digest),
    ):
        if mine is not None and mine != first:
            raise Unreadable("the request asks for something else than the one that its result comes from")
    if kind == "cancel" or (kind == "poll" and _plainly_named(found)):
        # Nothing is run again, and what it may show of the rows has the names by which masks find it.
        asked = Operation(found.service, kind, found.dataset, found.declared, claims=found.claims, owner=found.owner)
        return replace(asked, route=own.route, result=handle, chunks=own.chunks)
    operation = replace(
        found,
        kind=kind if kind in ("poll", "cancel") else found.kind,
        route=own.route,
        result=handle,
        chunks=own.chunks,
    )
    if takes_columns and found.statement is None:
        listed = tuple(dict.fromkeys((*found.columns, *own.columns)))
        wide = next((one.column_scope for one in (found, own) if one.column_scope in ("all", "unknown")), None)
        operation = replace(operation, columns=listed, column_scope=wide or ("listed" if listed else own.column_scope))
    return operation


def _plainly_named(operation: Operation) -> bool:
    """Whether each column of a statement's result has the name of what it is made of."""
    return operation.outputs is not None and all(
        output.origins is not None and all(column.casefold() == output.name.casefold() for _, column in output.origins)
        for output in operation.outputs
    )


def replaced(selector: Selector, view: RequestView, text: str) -> Rewrite | None:
    """The request with another text where the selector points; all else stays byte for byte. None where it cannot."""
    if selector.source == "query":
        return Rewrite(query=query.write(view.query, {selector.name: text}))
    names = selector.members
    if selector.source != "body" or names is None or len(names) != 1 or len(selector.steps) != 1:
        return None
    if view.header("content-encoding") is not None or "json" not in (view.header("content-type") or "").lower():
        return None
    members = msgspec.json.decode(view.body, type=dict[str, msgspec.Raw])
    members[next(iter(names))] = msgspec.Raw(msgspec.json.encode(text))
    return Rewrite(body=msgspec.json.encode(members))


def _handles(value: Any, tokens: Collection[str]) -> Iterator[str]:
    """A handle as it is; and of an address (also in `<...>; rel="next"`) what its parameters say."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    if not isinstance(value, str) or not value:
        return
    yield value
    for piece in value.split(","):
        address = piece.strip().partition(">")[0].removeprefix("<") if "<" in piece else piece
        if "?" in address:
            yield from (text for name, text in parse_qsl(_query_of(address)) if name in tokens)


def _query_of(address: str) -> str:
    try:
        return urlsplit(address).query
    except ValueError:
        return ""


def _names(values: list[Any]) -> list[str] | None:
    listed = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return listed if listed and all(isinstance(name, str) for name in listed) else None
