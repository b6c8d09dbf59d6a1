"""Datasette (0.65): SQLite databases as pages, JSON and CSV.

A dataset is `database.table`, or the table alone where no other database has one of that name. A table's filters and
sort are read from the query; `?sql=` is read as SQLite's SQL. A stored query looks like a table on the wire: it is a
dataset of its own name, and the policy has to declare which of its columns are sensitive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite
from sluicegate.operations import names, query, saying
from sluicegate.operations.built_in import datasette_rows
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_FORMATS = frozenset({"", "json", "jsono", "csv"})
_FACETS = ("_facet", "_facet_array", "_facet_date")
_REPEATED = frozenset({"_col", "_nocol", "_json", *_FACETS})
_HARMLESS = frozenset(
    ("_shape", "_nl", "_size", "_next", "_stream", "_dl", "_json", "_json_infinity", "_timelimit", "_ttl")
) | {"_nofacet", "_nosuggest", "_nocount", "_facet_size", "_col", "_nocol", "_sort", "_sort_desc", *_FACETS}
"""Parameters of tables that are understood. Not `_where` and `_through` (SQL, and other tables), `_labels` (values of
other tables), `_extra`, `_header` (rows without names) and `_trace` (statements with their values)."""
_SHAPES = frozenset({"arrays", "objects", "object", "array"})
_STATUS = frozenset({"versions", "plugins", "settings", "threads", "databases", "actor", "metadata", "patterns"})
_OPERATORS = "exact not contains notcontains endswith startswith gt gte lt lte like notlike glob in notin"
_OPERATORS += " arraycontains arraynotcontains date isnull notnull isblank notblank"
OPERATORS = frozenset(_OPERATORS.split())


class Asked(NamedTuple):
    """A request taken apart: the path, the format that it ends in, and the query."""

    path: tuple[str, ...]
    format: str
    parameters: dict[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """The value of a parameter, or nothing."""
        return self.parameters.get(name, ("",))[0]


class DatasetteDialect(Dialect):
    """Reads the pages of a Datasette server, and their JSON and CSV."""

    def match(self, view: RequestView) -> str | None:
        try:
            asked = _asked(view)
        except Unreadable:
            return None
        shapes = ("/", "/{database}", "/{database}/{table}", "/{database}/{table}/{row}")
        if asked.path[:1] == ("-",):
            return f"{view.method} /-/{asked.path[1] if len(asked.path) == 2 else '...'}"
        return f"{view.method} {shapes[len(asked.path)]}" if len(asked.path) < len(shapes) else None

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return _read(view, _asked(view), known, self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def rewrite(self, view: RequestView, operation: Operation, known: Known) -> Rewrite | None:
        """Regenerated SQL instead of the text; and none of the facets that the service's own configuration adds."""
        asked = _asked(view)
        sql = asked.first("sql")
        if len(asked.path) == 1 and sql:
            clean = read_sql(sql, "sqlite", known, schema=asked.path[0]).regenerated
            return None if clean is None else Rewrite(query=query.write(view.query, {"sql": clean}))
        if len(asked.path) == 2 and operation.column_scope == "listed" and not asked.parameters.keys() & set(_FACETS):
            return Rewrite(query=query.write(view.query, {"_nofacet": "1", "_nosuggest": "1"}))
        return None

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        asked = _asked(view)
        if reply.status != 200 or len(asked.path) not in (1, 2, 3) or asked.path[0] == "-":
            return None
        if operation.kind == "export":
            return Delivery(unreadable="it is a whole database")
        if len(asked.path) == 1 and not asked.first("sql"):
            return None  # a list of tables: names, and no rows
        if asked.format == "":
            return Delivery(unreadable="it is a page; ask for .json or .csv")
        sensitive = known.columns.get(operation.dataset or "", frozenset())
        return datasette_rows.delivery(
            reply,
            operation,
            sensitive,
            shape="csv" if asked.format == "csv" else asked.first("_shape") or "arrays",
            lines=bool(asked.first("_nl")),
            sort=asked.first("_sort") or asked.first("_sort_desc"),
        )

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """As Datasette says that something went wrong."""
        text = saying.sentence(refusal)
        code = saying.status(refusal)
        return saying.as_json(refusal, {"ok": False, "error": text, "status": code, "title": refusal.title})


def _asked(view: RequestView) -> Asked:
    segments = segments_of(view.path.removesuffix("/") or "/")
    if segments is None:
        raise Unreadable("no route is of this form")
    form = ""
    if segments and "." in segments[-1] and segments[:1] != ("-",):
        last, _, form = segments[-1].rpartition(".")
        segments = (*segments[:-1], last) if last else segments[:-1]
    if any("~" in segment for segment in segments):
        raise Unreadable("the path has `~` in it, by which Datasette hides characters")
    return Asked(segments, form.lower(), query.grouped(view.query, _REPEATED, ("sql",)))


def _read(view: RequestView, asked: Asked, known: Known, route: str) -> Operation:
    path = asked.path
    if path[:1] == ("-",):
        return _about(view, asked, known, route)
    if view.method == "POST" and len(path) == 2:
        # A stored query that writes; nothing else takes a POST, and what it does only the service knows.
        dataset, declared = names.table(path, known)
        return Operation(known.service, "write", dataset, declared, column_scope="unknown", route=route)
    if view.method not in ("GET", "HEAD"):
        raise Unreadable("no route has this method")
    if view.body:
        raise Unreadable("a body was sent where none is read")
    if asked.format == "db" and len(path) == 1:
        return _whole(path[0], known, route)
    if asked.format not in _FORMATS:
        raise Unreadable(f"the format {asked.format[:20]!r} is not known")
    if asked.parameters.get("_shape", ("arrays",))[0] not in _SHAPES:
        raise Unreadable("rows of this shape are not read")
    if "-" in path:
        raise Unreadable("no route is of this form")  # `/-/` below a database is a later version's
    if len(path) == 1 and asked.first("sql"):
        _understood(asked)  # what has no underscore is a parameter of the statement: a value, and never SQL
        return replace(read_sql(asked.first("sql"), "sqlite", known, schema=path[0]).operation, route=route)
    if len(path) < 2:
        if asked.parameters.keys() - {"_shape"}:
            raise Unreadable("the query has parameters that are not known here")
        return Operation(known.service, "read", route=route)
    if len(path) == 2:
        return _table(asked, known, route)
    if len(path) == 3 and not asked.parameters.keys() - {"_shape"}:
        dataset, declared = names.table(path[:2], known)
        chunk = f"row:{names.plain(path[2])}"
        return Operation(
            known.service, "read", dataset, declared, chunks=(chunk,), column_scope="all", rows=1, route=route
        )
    raise Unreadable("no route is of this form")


def _about(view: RequestView, asked: Asked, known: Known, route: str) -> Operation:
    """Pages about the server itself. Those that change something are for administrators."""
    word = asked.path[1].partition(".")[0] if len(asked.path) == 2 else ""
    if view.method in ("GET", "HEAD") and not view.body and word in _STATUS and not asked.parameters:
        return Operation(known.service, "poll", route=route)
    if view.method in ("GET", "HEAD") and not view.body and asked.path[1:2] in (("static",), ("static-plugins",)):
        return Operation(known.service, "poll", route=route)
    if word in ("auth-token", "logout"):
        return Operation(known.service, "login", route=route)
    if word in ("permissions", "messages", "allow-debug"):
        return Operation(known.service, "admin", column_scope="unknown", route=route)
    raise Unreadable("no route is of this form")


def _whole(database: str, known: Known, route: str) -> Operation:
    """The SQLite file itself: everything in it, on its way out."""
    held = (
        key
        for wire, key in known.datasets.items()
        if "." not in wire or wire.casefold().startswith(f"{database.casefold()}.")
    )
    parts = tuple(
        Operation(known.service, "export", key, True, column_scope="all", destination_side="external", route=route)
        for key in held
    )
    return Operation(
        known.service,
        "export",
        names.plain(database),
        column_scope="all",
        destination_side="external",
        route=route,
        parts=parts,
    )


def _table(asked: Asked, known: Known, route: str) -> Operation:
    _understood(asked)
    dataset, declared = names.table(asked.path, known)
    sensitive = known.columns.get(dataset, frozenset())
    sort = [asked.first(name) for name in ("_sort", "_sort_desc") if asked.first(name)]
    beside = [*sort, *(column for name in _FACETS for column in asked.parameters.get(name, ()))]
    chosen = [_filtered(name) for name in asked.parameters if not name.startswith("_")]
    listed = list(asked.parameters.get("_col", ()))
    all_of_them = not listed or "_nocol" in asked.parameters
    # What sorts is in the paging token, and facets are values: both leave, so both are asked for.
    columns = names.columns([[*listed, *beside]], sensitive)
    size, token = asked.first("_size"), asked.first("_next")
    hidden = not sensitive.isdisjoint(sort)
    return Operation(
        known.service,
        "read",
        dataset,
        declared,
        chunks=(() if not token else ("next",) if hidden else (f"next:{token}",)),
        columns=columns,
        column_scope="all" if all_of_them else "listed",
        predicates=names.columns([[*chosen, *beside]], sensitive),
        rows=int(size) if size.isascii() and size.isdigit() and len(size) < 10 else None,
        route=route,
    )


def _understood(asked: Asked) -> None:
    for name in asked.parameters:
        if name.startswith("_") and name not in _HARMLESS:
            raise Unreadable(f"the parameter {name[:40]!r} is not known, or does more than can be read")


def _filtered(name: str) -> str:
    """The column that a filter such as `ssn__startswith` looks at."""
    column, mark, operator = name.rpartition("__")
    return column if mark and operator in OPERATORS else name
