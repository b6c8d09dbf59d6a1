"""roapi (0.12): files as read-only tables, asked by parameters, GraphQL or SQL (DataFusion's, read as PostgreSQL).

Its read-only mode carries out `COPY ... TO` all the same, on its own disk: only the request can be stopped.
"""

from __future__ import annotations

import re
from dataclasses import replace

import orjson

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite, Rows
from sluicegate.operations import body, names, query, saying
from sluicegate.operations.built_in import graphql
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.origins import outputs
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

LANGUAGE = "postgres"
"""DataFusion reads strings, comments and quoted names as PostgreSQL does."""
_FILTER = re.compile(r"filter\[(.+)\](?:eq|neq|lt|lte|gt|gte|like|)")
_ARROW = {
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow-file",
    "application/parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
}


class RoapiDialect(Dialect):
    """Reads `/api/...` of a roapi server."""

    def match(self, view: RequestView) -> str | None:
        segments = segments_of(view.path)
        if segments is None or segments[:1] not in (("api",), ("health",)):
            return None
        return f"{view.method} /{'/'.join(segments[:2])}"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return replace(_read(view, known), route=self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def rewrite(self, view: RequestView, operation: Operation, known: Known) -> Rewrite | None:
        """Regenerated SQL instead of the text."""
        if not _is(view, "sql"):
            return None
        clean = read_sql(body.read_text(view), LANGUAGE, known).regenerated
        return None if clean is None else Rewrite(clean.encode())

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if reply.status != 200 or operation.kind == "poll":
            return None
        media = (reply.header("content-type") or "").partition(";")[0].strip().lower()
        if media == "application/json":
            return _json(operation, reply)
        form = _ARROW.get(media)
        if form is None:
            return Delivery(unreadable=f"its rows are {media[:60] or 'of no declared type'}")
        if operation.statement is not None and operation.outputs is None:
            return Delivery(unreadable="it is not known which column is made from what; ask for JSON")
        return Delivery((Rows(form, columns=operation.outputs),))  # type: ignore[arg-type]

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """As roapi says that something went wrong."""
        code = saying.status(refusal)
        return saying.as_json(refusal, {"code": code, "error": refusal.code, "message": saying.sentence(refusal)})


def _is(view: RequestView, word: str) -> bool:
    return segments_of(view.path) == ("api", word)


def _read(view: RequestView, known: Known) -> Operation:
    segments = segments_of(view.path) or ()
    if view.method == "POST" and segments == ("api", "sql"):
        _without(view, parameters=True)
        return read_sql(body.read_text(view), LANGUAGE, known).operation
    if view.method == "POST" and segments == ("api", "graphql"):
        _without(view, parameters=True)
        return _graphql(view, known)
    if view.method == "POST" and segments == ("api", "table"):
        # The server reads whatever file or address the body names, and shows it as a table.
        return Operation(known.service, "admin", column_scope="unknown", destination_side="external")
    if view.method not in ("GET", "HEAD") or view.body:
        raise Unreadable("no route is of this form")
    if segments in (("health",), ("api", "schema")) or segments[:2] == ("api", "schema"):
        _without(view, parameters=True)
        return Operation(known.service, "poll")
    if segments[:2] == ("api", "tables") and len(segments) == 3:
        return _table(view, segments[2], known)
    raise Unreadable("no route is of this form")


def _without(view: RequestView, *, parameters: bool) -> None:
    if parameters and view.query:
        raise Unreadable("the query has parameters that are not known here")
    if (view.header("content-type") or "").strip().lower().startswith("multipart/"):
        raise Unreadable("the body is said to be a form")


def _table(view: RequestView, name: str, known: Known) -> Operation:
    dataset, declared = names.table((name,), known)
    sensitive = known.columns.get(dataset, frozenset())
    predicates: list[str] = []
    listed: tuple[str, ...] = ()
    rows = None
    for parameter, value in query.parameters(view.query).items():
        if parameter == "columns":
            listed = names.columns([value], sensitive)
        elif parameter == "sort":
            # `-ssn` sorts downwards.
            predicates += [column.strip().removeprefix("-") for column in value.split(",")]
        elif parameter == "limit":
            rows = _count(value)
        elif found := _FILTER.fullmatch(parameter):
            predicates.append(found[1])
        else:
            raise Unreadable(f"the query parameter {parameter[:40]!r} is not known")
    return Operation(
        known.service,
        "read",
        dataset,
        declared,
        columns=listed,
        column_scope="listed" if listed else "all",
        predicates=names.columns([predicates], sensitive),
        rows=rows,
    )


def _graphql(view: RequestView, known: Known) -> Operation:
    asked = graphql.parse(body.read_text(view))
    dataset, declared = names.table((asked.table,), known)
    sensitive = known.columns.get(dataset, frozenset())
    for name in asked.arguments:
        if name not in ("filter", "sort", "limit"):
            raise Unreadable(f"the argument {name[:40]!r} is not known")
    # Operators and values stand among the names; as predicates they mean nothing and do no harm.
    said = graphql.fields([value for name, value in asked.arguments.items() if name != "limit"])
    limit = asked.arguments.get("limit")
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise Unreadable("the limit is not a number")
    folded = {column.casefold() for column in sensitive}
    return Operation(
        known.service,
        "read",
        dataset,
        declared,
        columns=names.columns([list(asked.columns)], sensitive),
        column_scope="listed",
        predicates=tuple(dict.fromkeys(word for word in said if word.isidentifier() or word.casefold() in folded)),
        rows=limit,
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Unreadable("the limit is not a number")
    return int(text)


def _json(operation: Operation, reply: ReplyView) -> Delivery:
    if not reply.decoded:
        return Delivery(unreadable="its body cannot be decoded")
    try:
        rows = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return Delivery(unreadable="it is not JSON")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return Delivery(unreadable="it is not a list of rows")
    # A value that is null is left out of its row, so one row alone does not name every column.
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    if operation.statement is not None and any(len(row) != len(columns) for row in rows[:1]):
        return Delivery((Rows(columns=outputs(columns, replace(operation, outputs=None))),))
    return Delivery((Rows(columns=outputs(columns, operation)),))
