"""Tiled (bluesky): trees of tables, arrays and containers, handed out in partitions and blocks.

A dataset is a path in the tree, segments joined by `/`. The columns of a table can also be asked for as nodes below it
(`array/full/emp/ssn`), so the longest declared beginning of a path is the dataset, and the rest of it a column.
"""

from __future__ import annotations

from sluicegate.errors import Refusal
from sluicegate.exchange import ColumnScope, Delivery, Kind, Operation, Rows
from sluicegate.operations import body, names, query, saying
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_PAGE = ("page[offset]", "page[cursor]", "page[limit]")
_DESCRIBING = ("fields", "select_metadata", "max_depth", "omit_links", "include_data_sources", "root_path", "sort")
_SHOWN = ("format", "filename")
_REPEATED = frozenset({"column", "field", "fields", "metadata", "sort"})

_COLUMNS: dict[tuple[str, ...], tuple[str, ...]] = {
    # What each route calls its columns; a name that it does not know it ignores, and sends them all.
    ("table", "partition"): ("column", "field"),
    ("table", "full"): ("column",),
    ("container", "full"): ("field",),
    ("node", "full"): ("field",),
    ("array", "block"): (),
    ("array", "full"): (),
    ("ragged", "full"): (),
    ("awkward", "full"): (),
    ("awkward", "buffers"): (),
}
_PIECES = {"partition": "partition", "block": "block", "slice": "slice"}
_MORE = ("expected_shape", "form_key")
_FORMATS = {
    "application/vnd.apache.arrow.file": "arrow-file",
    "application/x-parquet": "parquet",
    "text/csv": "csv",
    "text/plain": "csv",
}


class TiledDialect(Dialect):
    """Reads `/api/v1/...` of a Tiled server."""

    def match(self, view: RequestView) -> str | None:
        route = _route(view)
        return f"{view.method} {'/'.join(route[0])}" if route else None

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            return _read(view, known)
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        found = _route(view)
        if found is None or reply.status != 200:
            return None
        if found[0] not in _COLUMNS:
            # What is in the tree and of which types, in msgpack: names, and never a row.
            return Delivery(bare=found[0][:1] in _DESCRIPTIONS or found[0] in ((), ("auth", "whoami")))
        if found[0][0] != "table":
            return Delivery(unreadable="its rows are not a table")
        media = (reply.header("content-type") or "").partition(";")[0].strip().lower()
        if media == "application/json":
            return None  # columns by name, which masking finds
        form = _FORMATS.get(media)
        if form is None:
            return Delivery(unreadable=f"its rows are {media[:60] or 'of no declared type'}")
        return Delivery((Rows(form, header_row=form == "csv"),))  # type: ignore[arg-type]

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """Clients show `detail`, and of anything that is not exactly application/json the reason phrase alone."""
        return saying.as_json(refusal, {"detail": saying.sentence(refusal)})


def _route(view: RequestView) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """What is asked for (`("table", "partition")`) and of which path; None for what is not under /api/v1."""
    segments = segments_of(view.path.removesuffix("/") or "/")
    if segments is None or segments[:2] != ("api", "v1"):
        return None
    rest = segments[2:]
    if rest[:2] in _COLUMNS or rest[:1] == ("asset",) or rest[:1] in _WITHOUT_A_VERB:
        length = 1 if rest[:1] in _WITHOUT_A_VERB else 2
        return rest[:length], rest[length:]
    return rest, ()


_DESCRIPTIONS = frozenset({("metadata",), ("search",), ("distinct",), ("revisions",)})
_WITHOUT_A_VERB = frozenset(
    {("metadata",), ("search",), ("distinct",), ("revisions",), ("register",), ("data_source",)}
)


def _read(view: RequestView, known: Known) -> Operation:
    found = _route(view)
    if found is None:
        raise Unreadable("no route is of this form")
    asked, path = found
    route = f"{view.method} {'/'.join(asked)}"
    dataset, declared, rest = names.inside(path, known)
    if asked in _COLUMNS and view.method in ("GET", "HEAD", "POST"):
        return _data(view, known, asked, path, route)
    if asked[:1] == ("asset",) and view.method in ("GET", "HEAD"):
        return _asset(view, known, asked, path, route)
    if asked[:1] in _DESCRIPTIONS and view.method in ("GET", "HEAD"):
        _known_only(view, (*_PAGE, *_DESCRIBING, "structure_families", "specs", "counts", "metadata"), "filter[")
        scope: ColumnScope = "listed" if rest else "none"
        return Operation(known.service, "read", dataset, declared, columns=rest, column_scope=scope, route=route)
    if asked in ((), ("auth", "whoami")) and view.method in ("GET", "HEAD"):
        _known_only(view, ())
        return Operation(known.service, "poll", route=route)
    if asked[:1] == ("auth",):
        signing_in = asked[1:2] in (("provider",), ("session",), ("logout",))  # the rest makes keys that stay
        return Operation(known.service, "login" if signing_in else "admin", route=route)
    kind = _CHANGING.get(view.method)
    if kind is not None and (asked in _COLUMNS or asked[:1] in _CHANGED):
        if asked[:1] in (("register",), ("data_source",)):
            kind = "admin"  # it makes the server read files and addresses that the request names
        return Operation(known.service, kind, dataset, declared, route=route)
    raise Unreadable("no route is of this form")


_CHANGING: dict[str, Kind] = {"PUT": "write", "PATCH": "write", "POST": "write", "DELETE": "admin"}
_CHANGED = frozenset({("metadata",), ("register",), ("data_source",), ("revisions",)})


def _data(view: RequestView, known: Known, asked: tuple[str, ...], path: tuple[str, ...], route: str) -> Operation:
    parameters = query.grouped(view.query, _REPEATED)
    named = _COLUMNS[asked]
    for name in parameters:
        if name not in (*named, *_PIECES, *_SHOWN, *_MORE):
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
    dataset, declared, rest = names.inside(path, known)
    columns_declared = known.columns.get(dataset or "", frozenset())
    chosen = [parameters[name] for name in named if name in parameters]
    if len(chosen) > 1:
        raise Unreadable("columns are listed in two ways")
    listed = list(chosen[0]) if chosen else []
    if view.method == "POST":
        if listed:
            raise Unreadable("columns are listed in two ways")
        listed = _listed(view)
    elif view.body:
        raise Unreadable("a body was sent where none is read")
    if rest:
        # A column as a node of its own. Deeper nodes do not exist in a table, but may in what is declared as one.
        listed = [rest[0], *listed]
    columns = names.columns([listed], columns_declared)
    chunks = tuple(f"{name}:{parameters[name][0]}" for name in _PIECES if name in parameters)
    operation = Operation(
        known.service,
        "read",
        dataset,
        declared,
        chunks=chunks,
        columns=columns,
        column_scope="listed" if columns else "all",
        route=route,
    )
    if asked[0] not in ("container", "node") or declared:
        return operation
    return _with_parts(operation, known, path)


def _with_parts(operation: Operation, known: Known, path: tuple[str, ...]) -> Operation:
    """The same, with everything that lies below the path: a container hands out what is in it."""
    parts = tuple(
        Operation(known.service, operation.kind, key, True, column_scope="all", route=operation.route)
        for key in names.below(path, known)
    )
    return Operation(
        known.service, operation.kind, operation.dataset, column_scope="all", route=operation.route, parts=parts
    )


def _listed(view: RequestView) -> list[str]:
    if not view.body:
        return []
    document = body.read_document(view)
    if document is None:
        return []
    if not isinstance(document, list) or not all(isinstance(name, str) for name in document):
        raise Unreadable("the body is not a list of columns")
    return document


def _asset(view: RequestView, known: Known, asked: tuple[str, ...], path: tuple[str, ...], route: str) -> Operation:
    """The files behind a node, as they lie on the server's disk: all columns, and nothing in them can be masked."""
    _known_only(view, ("id", "relative_path"))
    dataset, declared, _ = names.inside(path, known)
    if asked[1:] not in (("bytes",), ("manifest",)):
        raise Unreadable("no route is of this form")
    scope: ColumnScope = "all" if asked[1] == "bytes" else "none"
    return Operation(known.service, "read", dataset, declared, column_scope=scope, route=route)


def _known_only(view: RequestView, accepted: tuple[str, ...], prefix: str | None = None) -> None:
    if view.body:
        raise Unreadable("a body was sent where none is read")
    # Filters choose entries by their metadata, never by their rows; the same one may be sent many times.
    filters = {name for name, _ in query.pairs(view.query) if prefix is not None and name.startswith(prefix)}
    for name in query.grouped(view.query, _REPEATED | filters):
        if name not in accepted and name not in filters:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
