"""BigQuery's REST API: queries, jobs and their results, rows of tables. From its documentation.

Extract jobs and copies leave on the service's side, so the request is where they are judged. Legacy SQL, sessions and
connection properties change what a statement means and are not understood.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Kind, Operation, Output, Rewrite, Rows, Side
from sluicegate.operations import body
from sluicegate.operations.built_in.statement import (
    Asked,
    StatementDialect,
    answered,
    followed,
    for_the_client,
    given,
    member,
    names_in,
    path_of,
    placed,
    plain,
    remember_result,
    said,
    smaller,
    unreadable,
)
from sluicegate.operations.copied import copied, targets
from sluicegate.operations.destination import SEVERAL, judge
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import flag_of, list_of, object_in, only, table_of, text_of
from sluicegate.operations.names import columns as plain_columns
from sluicegate.operations.results import Session
from sluicegate.operations.sql import Read, read_sql
from sluicegate.operations.sql.tables import Tables
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_QUERY, _RESULTS, _JOB, _POLL, _CANCEL, _DATA = "query", "results", "job", "poll", "cancel", "table data"
_ASKED = frozenset(
    {
        *("kind", "query", "useLegacySql", "formatOptions", "timeoutMs", "maxResults", "requestId", "defaultDataset"),
        *("location", "dryRun", "useQueryCache", "parameterMode", "queryParameters", "labels", "maximumBytesBilled"),
        *("jobCreationMode", "jobTimeoutMs", "preserveNulls", "reservation", "maxSlots"),
    }
)
_CONFIGURED = frozenset(
    {
        *("query", "useLegacySql", "defaultDataset", "destinationTable", "createDisposition", "writeDisposition"),
        *("priority", "allowLargeResults", "useQueryCache", "flattenResults", "maximumBytesBilled", "parameterMode"),
        *("queryParameters", "schemaUpdateOptions", "timePartitioning", "rangePartitioning", "clustering"),
        *("destinationEncryptionConfiguration", "maximumBillingTier"),
    }
)
_RUN = frozenset({"jobType", "query", "extract", "copy", "load", "dryRun", "jobTimeoutMs", "labels", "reservation"})


class BigQueryDialect(StatementDialect):
    """Requests below /bigquery/v2/projects."""

    def match(self, view: RequestView) -> str | None:
        path = path_of(view)
        if path is None or path[:3] != ("bigquery", "v2", "projects") or len(path) < 4:
            return None
        match (view.method, *path[4:]):
            case ("POST", "queries"):
                return _QUERY
            case ("GET", "queries", _):
                return _RESULTS
            case ("POST", "jobs"):
                return _JOB
            case ("GET", "jobs", _):
                return _POLL
            case ("POST", "jobs", _, "cancel"):
                return _CANCEL
            case ("GET", "datasets", _, "tables", _, "data"):
                return _DATA
        return None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        path = path_of(view) or ()
        project = plain(path[3], "project")
        match route:
            case "query":
                _given(view)
                return _query(view, project, known)
            case "job":
                _given(view)
                return _job(view, project, known)
            case "table data":
                return Asked(_table_data(view, path, known))
        if view.body and route != _CANCEL:
            raise Unreadable("a body was sent where none is read")
        job = _handle(project, plain(path[5], "job id"))
        found = session.follow(job)
        asked = _given(view, *_PAGED, "timeoutMs", "location", "projection")
        chunks = tuple(f"{name}={asked[name][:200]}" for name in ("startIndex", "pageToken") if name in asked)
        kinds: dict[str, Kind] = {_POLL: "poll", _CANCEL: "cancel"}
        return followed(found, route, job, chunks, kinds.get(route))

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        route = self.match(view)
        if route is None or operation.kind == "unknown":
            return None
        document = object_in(reply)
        if document is None:
            return unreadable("it is not a JSON object")
        names = names_in(member(document, "schema", "fields"))
        reference = document.get("jobReference")
        project, job = member(reference, "projectId"), member(reference, "jobId")
        if isinstance(project, str) and isinstance(job, str):
            columns = None if names is None else placed(session, operation, names)
            remember_result(session, _handle(project, job), operation, columns)
        leaks = (
            "$.error.message",
            "$.error.errors",
            "$.errors",
            "$.status.errorResult",
            "$.status.errors",
            "$.statistics",
        )
        rows = document.get("rows")
        if not rows:
            return Delivery(leaks=leaks)
        columns = placed(session, operation, names, _width(rows))
        if columns is None:
            return unreadable("its columns are not described")
        return Delivery((Rows("json", "$.rows[*].f", shape="one", cell="v", columns=columns),), leaks)

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        if not for_the_client(refusal) or self.match(view) is None:
            return None
        message = said(refusal)
        error = {"message": message, "domain": "global", "reason": "accessDenied"}
        document = {"error": {"code": 403, "message": message, "errors": [error], "status": "PERMISSION_DENIED"}}
        return answered(refusal, 403, "application/json; charset=UTF-8", document)


_PAGED = ("maxResults", "pageToken", "startIndex",
          "formatOptions.useInt64Timestamp", "formatOptions.timestampOutputFormat")  # fmt: skip


def _given(view: RequestView, *more: str) -> dict[str, str]:
    """The parameters of the query. Raises Unreadable for what is not known, and for an answer that is no JSON."""
    found = given(view, "prettyPrint", "alt", "fields", "quotaUser", *more)
    if found.get("alt", "json") != "json":
        raise Unreadable("the answer is asked for in a format other than JSON")
    return found


def _handle(project: str, job: str) -> str:
    return f"job:{project}/{job}"


def _width(rows: Any) -> int | None:
    first = rows[0] if isinstance(rows, list) else None
    cells = member(first, "f")
    return len(cells) if isinstance(cells, list) else None


def _query(view: RequestView, project: str, known: Known) -> Asked:
    document = body.read_object(view)
    only(document, _ASKED)
    read = _read(document, project, known)
    limit = document.get("maxResults")
    limit = limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None
    operation = replace(read.operation, route=_QUERY, rows=smaller(read.operation.rows, limit))
    return Asked(operation, _changed(document, ("query",), read))


def _read(document: dict[str, Any], project: str, known: Known) -> Read:
    text = text_of(document, "query")
    if text is None:
        raise Unreadable("the request has no statement")
    if document.get("useLegacySql") is not False:
        raise Unreadable("legacy SQL is not understood: send useLegacySql = false")
    default = table_of(document, "defaultDataset")
    only(default, ("projectId", "datasetId"), "`defaultDataset`")
    catalog, schema = text_of(default, "projectId") or project, text_of(default, "datasetId")
    return read_sql(text, "bigquery", known.nowhere(), catalog=catalog, schema=schema)


def _changed(document: dict[str, Any], path: tuple[str, ...], read: Read) -> Rewrite | None:
    if read.regenerated is None:
        return None

    def put(node: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        first, *rest = names
        return {**node, first: put(node[first], tuple(rest)) if rest else read.regenerated}

    return Rewrite(body=json.dumps(put(document, path), default=float, allow_nan=False).encode())


def _job(view: RequestView, project: str, known: Known) -> Asked:
    document = body.read_object(view)
    only(document, ("configuration", "jobReference", "kind", "id"))
    configuration = table_of(document, "configuration")
    only(configuration, _RUN, "`configuration`")
    flag_of(configuration, "dryRun")
    asked = [name for name in ("query", "extract", "copy", "load") if configuration.get(name) is not None]
    if len(asked) != 1:
        raise Unreadable("the job does not do exactly one thing")
    (what,) = asked
    settings = table_of(configuration, what)
    if what == "query":
        only(settings, _CONFIGURED, "`query`")
        read = _read(settings, project, known)
        operation = replace(read.operation, route="query job")
        target = table_of(settings, "destinationTable")
        if target:
            (table,) = _tables([target], project, known)
            written = _written(table, known)
            taken = [
                one for one in (replace(operation, parts=()), *operation.parts) if one.dataset is not None or one.opaque
            ]
            gone = copied([replace(one, statement=None) for one in taken], targets([written]), known)
            operation = replace(operation, parts=(*operation.parts, written, *gone))
        return Asked(operation, _changed(document, ("configuration", "query", "query"), read))
    if what == "extract":
        return Asked(_extract(settings, project, known))
    return Asked(_copy(settings, project, known) if what == "copy" else _load(settings, project, known))


def _extract(settings: dict[str, Any], project: str, known: Known) -> Operation:
    only(
        settings,
        ("sourceTable", "destinationUris", "destinationUri", "destinationFormat", "compression", "fieldDelimiter",
         "printHeader", "useAvroLogicalTypes"),
        "`extract`",
    )  # fmt: skip
    (source,) = _tables([table_of(settings, "sourceTable")], project, known)
    places = [settings.get("destinationUri"), *list_of(settings, "destinationUris")]
    destination, side = _destinations([place for place in places if place is not None], known)
    first, *others = (replace(one, kind="export", destination=destination, destination_side=side) for one in source)
    return replace(first, statements=("export",), route="extract job", parts=tuple(others))


def _destinations(places: list[Any], known: Known) -> tuple[str, Side]:
    if not places or not all(isinstance(place, str) for place in places):
        raise Unreadable("the job does not say where the data goes")
    judged = [judge(place, known.ours) for place in places]
    side: Side = "internal" if all(one == "internal" for _, one in judged) else "external"
    return (judged[0][0] if len(judged) == 1 else SEVERAL + ", ".join(text for text, _ in judged)), side


def _copy(settings: dict[str, Any], project: str, known: Known) -> Operation:
    only(
        settings,
        ("sourceTable", "sourceTables", "destinationTable", "createDisposition", "writeDisposition", "operationType",
         "destinationEncryptionConfiguration", "destinationExpirationTime"),
        "`copy`",
    )  # fmt: skip
    sources = [table_of(settings, "sourceTable"), *list_of(settings, "sourceTables")]
    read = [one for group in _tables([source for source in sources if source], project, known) for one in group]
    (target,) = _tables([table_of(settings, "destinationTable")], project, known)
    if not read:
        raise Unreadable("the job does not say what it copies")
    written = _written(target, known)
    gone = copied([replace(one, statements=("clone",)) for one in read], targets([written]), known)
    return replace(written, statements=("clone",), route="copy job", parts=tuple(gone))


def _load(settings: dict[str, Any], project: str, known: Known) -> Operation:
    (target,) = _tables([table_of(settings, "destinationTable")], project, known)
    return replace(_written(target, known), statements=("load_data",), route="load job")


def _written(target: tuple[Operation, ...], known: Known) -> Operation:
    if len(target) != 1:
        raise Unreadable("the table that is written could be several")
    return replace(target[0], kind="write", statements=("create_table_as",))


def _tables(references: list[Any], project: str, known: Known) -> list[tuple[Operation, ...]]:
    """Each table as a read of all its columns; several where the policy's names do not tell which is meant."""
    tables = Tables.of(known.nowhere(), None, None)
    found = []
    for reference in references:
        if not isinstance(reference, dict):
            raise Unreadable("a table is not named by project, dataset and table")
        only(reference, ("projectId", "datasetId", "tableId"), "a table")
        parts = (
            text_of(reference, "projectId") or project,
            text_of(reference, "datasetId"),
            text_of(reference, "tableId"),
        )
        if None in parts:
            raise Unreadable("a table is not named by project, dataset and table")
        found.append(_reads(tables, tuple(plain(part, "table") for part in parts if part), known))
    return found


def _reads(tables: Tables, path: tuple[str, ...], known: Known) -> tuple[Operation, ...]:
    # `$20260101` behind a table's name is a partition of it, and `@...` its state at a time: `plain` knows neither.
    table = tables.find(path, ".".join(path))
    return tuple(
        Operation(known.service, "read", dataset=name, declared=table.declared, column_scope="all")
        for name in table.datasets
    )


def _narrowed(operation: Operation, listed: tuple[str, ...], known: Known) -> Operation:
    """The same, with its columns as far as they are known. Rows are in the order of the table, not of the list."""
    every = (known.all_columns or {}).get(operation.dataset or "")
    outputs = None
    if every is not None:
        wanted = set(map(str.casefold, listed))
        names = [name for name in every if not listed or name.casefold() in wanted]
        if not listed or len(names) == len(wanted):
            outputs = tuple(Output(name, frozenset({(operation.dataset or "", name)}), copied=True) for name in names)
    if listed:
        operation = replace(operation, columns=listed, column_scope="listed")
    return replace(operation, outputs=outputs)


def _table_data(view: RequestView, path: tuple[str, ...], known: Known) -> Operation:
    asked = _given(view, *_PAGED, "selectedFields")
    if view.body:
        raise Unreadable("a body was sent where none is read")
    tables = Tables.of(known.nowhere(), None, None)
    name = (plain(path[3], "project"), plain(path[5], "dataset"), plain(path[7], "table"))
    found = _reads(tables, name, known)
    declared = known.columns.get(found[0].dataset or "", frozenset())
    listed = plain_columns([asked["selectedFields"]], declared) if asked.get("selectedFields") else ()
    chunks = tuple(f"{key}={asked[key][:200]}" for key in ("startIndex", "pageToken") if key in asked)
    first, *others = (_narrowed(one, listed, known) for one in found)
    if others:
        first = replace(first, outputs=None)
    limit = asked.get("maxResults", "")
    rows = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 12 else None
    return replace(first, route=_DATA, chunks=chunks, rows=rows, parts=tuple(others))
