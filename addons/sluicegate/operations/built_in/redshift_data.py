"""Redshift Data API: statements by `RedshiftData.ExecuteStatement`, their rows by Id. From its API reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from sluicegate.exchange import Delivery, Kind, Operation, Rows
from sluicegate.operations.built_in.aws_json import Action, AwsDialect, again, placed, polled, short, together
from sluicegate.operations.built_in.statement import resubmitted
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import list_of, needed, object_in, only, text_of
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable

_WHERE = ("Database", "ClusterIdentifier", "WorkgroupName", "DbUser", "SecretArn")
_HOW = ("StatementName", "ClientToken", "WithEvent", "ResultFormat")
"""SessionId and SessionKeepAliveSeconds are not among them: a session keeps settings that names depend on."""


def _claims(document: dict[str, Any]) -> tuple[str, ...]:
    user = text_of(document, "DbUser")
    return (f"DbUser={user[:200]}",) if user else ()


def _statement(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, (*_WHERE, *_HOW, "Sql", "Parameters"))
    return resubmitted(text_of(document, "ClientToken"), _read(needed(document, "Sql"), document, known), session)


def _statements(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, (*_WHERE, *_HOW, "Sqls"))
    statements = list_of(document, "Sqls")
    if not all(isinstance(one, str) for one in statements) or len(statements) > 40:
        raise Unreadable("Sqls are not texts, or more than the service takes")
    # One after the other, as the service runs them: put together, a quote could reach from one into the next.
    asked = together([_read(one, document, known) for one in statements])
    return resubmitted(text_of(document, "ClientToken"), asked, session)


def _read(statement: str, document: dict[str, Any], known: Known) -> Operation:
    catalog = text_of(document, "Database") or known.catalog
    operation = read_sql(statement, "redshift", known, catalog=catalog, schema=known.schema).operation
    return replace(operation, claims=_claims(document))


def _result(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("Id", "NextToken"))
    handle = needed(document, "Id")
    token = text_of(document, "NextToken")
    found = session.follow(f"statement:{handle.partition(':')[0]}")
    if ":" in handle:
        found = replace(found, outputs=None)  # which statement of several it is, the answer does not say
    return again(found, handle, f"after:{short(token)}" if token else "first")


def _status(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("Id",))
    handle = needed(document, "Id")
    return polled(session.follow(f"statement:{handle.partition(':')[0]}"), handle)


def _cancel(document: dict[str, Any], known: Known, session: Session) -> Operation:
    return replace(_status(document, known, session), kind="cancel")


def _plain(kind: Kind) -> Action:
    def read(document: dict[str, Any], known: Known, session: Session) -> Operation:
        return Operation(known.service, kind, claims=_claims(document))

    return read


class RedshiftDataDialect(AwsDialect):
    """Statements of Redshift and their results."""

    prefix = "RedshiftData"
    actions: ClassVar = {
        "ExecuteStatement": _statement,
        "BatchExecuteStatement": _statements,
        "GetStatementResult": _result,
        "GetStatementResultV2": _result,
        "DescribeStatement": _status,
        "CancelStatement": _cancel,
        **dict.fromkeys(("ListDatabases", "ListSchemas", "ListTables", "DescribeTable"), _plain("poll")),
    }

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        action, document = self.match(view), object_in(reply)
        if document is None:
            return Delivery(unreadable="it is not a JSON object")
        if action in ("ExecuteStatement", "BatchExecuteStatement") and operation.kind != "unknown":
            handle = document.get("Id")
            if isinstance(handle, str):
                session.remember(f"statement:{handle}", operation)
        if action == "GetStatementResultV2" and reply.status == 200:
            return Delivery(unreadable="its rows are CSV inside JSON")
        if action != "GetStatementResult" or reply.status != 200:
            return Delivery(leaks=("$.Error", "$.SubStatements[*].Error", "$.message", "$.Message"))
        columns = document.get("ColumnMetadata")
        names = [one.get("name") for one in columns if isinstance(one, dict)] if isinstance(columns, list) else []
        if not isinstance(columns, list) or len(names) != len(columns) or not all(isinstance(n, str) for n in names):
            return Delivery(unreadable="its columns are not described")
        described = placed(operation, [str(name) for name in names])
        return Delivery((Rows(path="$.Records", shape="arrays", cell="*", columns=described),))
