"""Athena: `AmazonAthena.StartQueryExecution` and what follows it. Every query also writes its rows to a bucket."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from sluicegate.exchange import Delivery, Kind, Operation, Rows
from sluicegate.operations.built_in.aws_json import (
    Action,
    AwsDialect,
    again,
    document_sent,
    elsewhere,
    placed,
    polled,
    short,
    together,
)
from sluicegate.operations.destination import judge, judge_all
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import count_of, list_of, needed, object_in, only, table_of, text_of
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable

_EXECUTE = re.compile(r"\s*EXECUTE\s+([A-Za-z_]\w*)\b", re.IGNORECASE | re.ASCII)
_START = ("QueryString", "QueryExecutionContext", "ResultConfiguration", "WorkGroup", "ExecutionParameters")
_ERRORS = tuple(
    f"$.{place}.{member}"
    for place in ("QueryExecution", "QueryExecutions[*]")
    for member in ("Status.StateChangeReason", "Status.AthenaError.ErrorMessage")
)
"""Texts of errors, which may quote values."""


def _query(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, (*_START, "ClientRequestToken", "ResultReuseConfiguration"))
    context = table_of(document, "QueryExecutionContext")
    only(context, ("Database", "Catalog"))
    if not all(isinstance(value, str) for value in list_of(document, "ExecutionParameters")):
        raise Unreadable("ExecutionParameters are not texts")
    statement = needed(document, "QueryString")
    prepared = {}
    if (named := _EXECUTE.match(statement)) is not None:
        found = session.find(_prepared(text_of(document, "WorkGroup"), named[1]))
        if found.statement is None:
            raise Unreadable("nobody knows what the prepared statement is now: prepare it again")
        prepared[named[1]] = found.statement
    read = read_sql(
        statement,
        "athena",
        known,
        catalog=_catalog(text_of(context, "Catalog"), known),
        schema=text_of(context, "Database") or known.schema,
        prepared=prepared,
    )
    return _written(read.operation, table_of(document, "ResultConfiguration"), known)


def _catalog(name: str | None, known: Known) -> str | None:
    # The default catalog has this name, and statements leave it out.
    return known.catalog if name is None or name.lower() == "awsdatacatalog" else name


def _written(operation: Operation, configuration: dict[str, Any], known: Known) -> Operation:
    only(configuration, ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration"))
    location = text_of(configuration, "OutputLocation")
    if location is None:
        return operation  # where the workgroup says, which takes an administrator to change
    destination, side = judge(location, known.ours)
    return elsewhere(operation, destination, side)


def _prepared(group: str | None, name: str) -> str:
    return f"prepared:{group or 'primary'}/{name.lower()}"


def _prepare(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """Until the service has taken the statement nobody knows which one the name stands for."""
    only(document, ("StatementName", "WorkGroup", "QueryStatement", "Description"))
    statement, handle = needed(document, "QueryStatement"), _named(document)
    if not session.free(handle):
        raise Unreadable("somebody else has a prepared statement of this name")
    operation = replace(read_sql(statement, "athena", known, schema=known.schema).operation, statement=statement)
    session.remember(handle, replace(operation, kind="unknown", statement=None, chunks=(short(statement),)))
    return operation


def _named(document: dict[str, Any]) -> str:
    return _prepared(text_of(document, "WorkGroup"), needed(document, "StatementName"))


def _taken(view: RequestView, operation: Operation, session: Session) -> None:
    """The service has taken a prepared statement. If another came after it, nobody knows which of them it has."""
    with suppress(Unreadable):  # then it is not known, and stays so
        handle = _named(document_sent(view))
        if operation.statement is not None and session.find(handle).chunks == (short(operation.statement),):
            session.remember(handle, operation)


def _results(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("QueryExecutionId", "NextToken", "MaxResults", "QueryResultType"))
    if text_of(document, "QueryResultType") not in (None, "DATA_ROWS"):
        raise Unreadable("QueryResultType is not DATA_ROWS")
    handle = needed(document, "QueryExecutionId")
    token = text_of(document, "NextToken")
    found = again(session.follow(f"query:{handle}"), handle, f"after:{short(token)}" if token else "first")
    return replace(found, rows=count_of(document, "MaxResults"))


def _status(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("QueryExecutionId",))
    handle = needed(document, "QueryExecutionId")
    return polled(session.follow(f"query:{handle}"), handle)


def _statuses(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("QueryExecutionIds",))
    handles = list_of(document, "QueryExecutionIds")
    if not handles or not all(isinstance(handle, str) for handle in handles):
        raise Unreadable("QueryExecutionIds are not texts")
    found = [session.follow(f"query:{handle}") for handle in handles]
    return replace(together([polled(each, "") for each in found]), chunks=tuple(handles))


def _stop(document: dict[str, Any], known: Known, session: Session) -> Operation:
    return replace(_status(document, known, session), kind="cancel")


def _group(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """Workgroups say where results go that no request sends elsewhere."""
    places = []
    for outer, inner in (
        ("Configuration", "ResultConfiguration"),
        ("ConfigurationUpdates", "ResultConfigurationUpdates"),
    ):
        location = text_of(table_of(table_of(document, outer), inner), "OutputLocation")
        places += [location] if location else []
    destination, side = judge_all(places, known.ours)
    return Operation(known.service, "admin", destination=destination, destination_side=side)


def _calculation(document: dict[str, Any], known: Known, session: Session) -> Operation:
    code = text_of(document, "CodeBlock") or text_of(table_of(document, "CalculationConfiguration"), "CodeBlock")
    if code is None:
        raise Unreadable("the request has no script")
    digest = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    return Operation(known.service, "script", column_scope="unknown", statement=code, script_digest=digest)


def _plain(kind: Kind) -> Action:
    def read(document: dict[str, Any], known: Known, session: Session) -> Operation:
        return Operation(known.service, kind)

    return read


_ASKING = (
    "ListQueryExecutions ListWorkGroups GetWorkGroup ListDataCatalogs GetDataCatalog ListDatabases GetDatabase "
    "ListTableMetadata GetTableMetadata ListEngineVersions ListNamedQueries GetNamedQuery BatchGetNamedQuery "
    "ListPreparedStatements GetPreparedStatement BatchGetPreparedStatement ListTagsForResource GetSession "
    "GetSessionStatus ListSessions GetCalculationExecution GetCalculationExecutionStatus ListCalculationExecutions"
)
_CHANGING = (
    "CreateNamedQuery UpdateNamedQuery DeleteNamedQuery DeletePreparedStatement DeleteWorkGroup CreateDataCatalog "
    "UpdateDataCatalog DeleteDataCatalog TagResource UntagResource StartSession CreateCapacityReservation "
    "PutCapacityAssignmentConfiguration"
)


class AthenaDialect(AwsDialect):
    """Statements of Athena, their results by QueryExecutionId, and the buckets that they are written to."""

    prefix = "AmazonAthena"
    actions: ClassVar = {
        "StartQueryExecution": _query,
        "CreatePreparedStatement": _prepare,
        "UpdatePreparedStatement": _prepare,
        "GetQueryResults": _results,
        "GetQueryExecution": _status,
        "GetQueryRuntimeStatistics": _status,
        "BatchGetQueryExecution": _statuses,
        "StopQueryExecution": _stop,
        "CreateWorkGroup": _group,
        "UpdateWorkGroup": _group,
        "StartCalculationExecution": _calculation,
        "TerminateSession": _plain("cancel"),
        "StopCalculationExecution": _plain("cancel"),
        **dict.fromkeys(_ASKING.split(), _plain("poll")),
        **dict.fromkeys(_CHANGING.split(), _plain("admin")),
    }

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        action, document = self.match(view), object_in(reply)
        if document is None:
            return Delivery(unreadable="it is not a JSON object")
        if action == "StartQueryExecution" and operation.kind != "unknown":
            handle = document.get("QueryExecutionId")
            if isinstance(handle, str):
                session.remember(f"query:{handle}", operation)
        if action in ("CreatePreparedStatement", "UpdatePreparedStatement") and reply.status == 200:
            _taken(view, operation, session)
        if action != "GetQueryResults" or reply.status != 200:
            return Delivery(leaks=(*_ERRORS, "$.message", "$.Message"))
        result = document.get("ResultSet")
        described = result.get("ResultSetMetadata") if isinstance(result, dict) else None
        columns = described.get("ColumnInfo") if isinstance(described, dict) else None
        names = [one.get("Name") for one in columns if isinstance(one, dict)] if isinstance(columns, list) else []
        if not isinstance(columns, list) or len(names) != len(columns) or not all(isinstance(n, str) for n in names):
            return Delivery(unreadable="its columns are not described")
        rows = Rows(
            path="$.ResultSet.Rows[*].Data",
            shape="one",
            cell="VarCharValue",
            columns=placed(operation, [str(name) for name in names]),
            header_row=operation.chunks == ("first",),
        )
        return Delivery((rows,))
