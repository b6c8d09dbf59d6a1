"""DynamoDB: `DynamoDB_20120810.*`. Items by key, query and scan, PartiQL, exports. Attributes are columns.

A filter on an attribute is a guess at its value, a key that a page ends with is a value: both are told to the policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from sluicegate.exchange import ColumnScope, Delivery, Kind, Operation, Output, Rows
from sluicegate.operations.built_in import dynamodb_names as names
from sluicegate.operations.built_in import partiql
from sluicegate.operations.built_in.aws_json import Action, AwsDialect, short, together
from sluicegate.operations.copied import SOMEWHERE, copied
from sluicegate.operations.destination import judge
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import count_of, list_of, needed, object_in, only, table_of, text_of
from sluicegate.operations.names import with_inner
from sluicegate.operations.results import Session
from sluicegate.operations.view import ReplyView, RequestView, Unreadable

_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/([\w.-]{3,255})(?:/index/[\w.-]+)?", re.ASCII)
_TABLE = re.compile(r"[\w.-]{1,255}", re.ASCII)
_QUIET = ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ConsistentRead", "ClientRequestToken")
_CHOSEN = ("ProjectionExpression", "AttributesToGet", "ExpressionAttributeNames")
_WALK = (
    *("TableName", "IndexName", "Limit", "Select", "Segment", "TotalSegments", "ExclusiveStartKey", "ScanIndexForward"),
    *("FilterExpression", "KeyConditionExpression", "ExpressionAttributeValues"),
    *("ScanFilter", "QueryFilter", "KeyConditions", "ConditionalOperator"),
)
_WRITES = (
    *("TableName", "Key", "Item", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames"),
    *("ExpressionAttributeValues", "ReturnValues", "ReturnValuesOnConditionCheckFailure", "AttributeUpdates"),
    *("Expected", "ConditionalOperator"),
)


def _dataset(name: str, known: Known) -> tuple[str, bool]:
    """The dataset of a table, by its name or ARN, and whether it is declared. Raises Unreadable."""
    arn = _ARN.fullmatch(name)
    plain = arn[1] if arn else name
    if not _TABLE.fullmatch(plain):
        raise Unreadable(f"{name[:60]!r} is not the name of a table")
    key = known.datasets.get(plain)
    return (key, True) if key is not None else (plain, False)


def _asked(known: Known, name: str, kind: Kind, columns: tuple[str, ...] | None, **more: Any) -> Operation:
    """`columns` None: all of them."""
    dataset, declared = _dataset(name, known)
    sensitive = known.columns.get(dataset, frozenset())
    columns = columns and with_inner(columns, sensitive)
    more["predicates"] = with_inner(more.get("predicates", ()), sensitive)
    scope: ColumnScope = "all" if columns is None else "listed" if columns else "none"
    return Operation(known.service, kind, dataset, declared, columns=columns or (), column_scope=scope, **more)


def _columns(document: Mapping[str, Any], aliases: Mapping[str, str]) -> tuple[str, ...] | None:
    chosen = names.attributes(document.get("ProjectionExpression"), aliases)
    chosen += names.listed(document.get("AttributesToGet"), "AttributesToGet")
    select = document.get("Select")
    if select == "COUNT":
        return ()
    if select not in (None, "SPECIFIC_ATTRIBUTES", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"):
        raise Unreadable("Select has a value that is not known")
    return chosen or None


def _walk(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """Query and Scan."""
    only(document, (*_WALK, *_CHOSEN, *_QUIET))
    aliases = names.aliases(document)
    predicates = [
        *names.attributes(document.get("FilterExpression"), aliases),
        *names.attributes(document.get("KeyConditionExpression"), aliases),
        *(
            name
            for old in ("ScanFilter", "QueryFilter", "KeyConditions")
            for name in names.keys(document.get(old), old)
        ),
        *names.keys(document.get("ExclusiveStartKey"), "ExclusiveStartKey"),
    ]
    chunks = []
    segment, total = count_of(document, "Segment"), count_of(document, "TotalSegments")
    if segment is not None or total is not None:
        chunks.append(f"segment {segment}/{total}")
    if document.get("ExclusiveStartKey"):
        chunks.append(f"after:{short(document['ExclusiveStartKey'])}")
    return _asked(
        known,
        needed(document, "TableName"),
        "read",
        _columns(document, aliases),
        predicates=names.once(predicates),
        rows=count_of(document, "Limit"),
        chunks=tuple(chunks),
    )


def _get(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("TableName", "Key", *_CHOSEN, *_QUIET))
    return _keyed(document, known, needed(document, "TableName"), [table_of(document, "Key")])


def _keyed(document: dict[str, Any], known: Known, name: str, wanted: list[Any]) -> Operation:
    chosen = _columns(document, names.aliases(document))
    predicates = names.once(attribute for key in wanted for attribute in names.keys(key, "Key"))
    chunks = tuple(f"key:{short(key)}" for key in wanted[:1000])
    return _asked(known, name, "read", chosen, predicates=predicates, chunks=chunks, rows=len(wanted))


def _batch_get(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("RequestItems", *_QUIET))
    found = []
    for name, asked in table_of(document, "RequestItems").items():
        if not isinstance(asked, dict):
            raise Unreadable("RequestItems has an entry that is no object")
        only(asked, ("Keys", *_CHOSEN, *_QUIET))
        found.append(_keyed(asked, known, name, list_of(asked, "Keys")))
    return together(found)


def _transact_get(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("TransactItems", *_QUIET))
    found = []
    for item in list_of(document, "TransactItems"):
        if not isinstance(item, dict):
            raise Unreadable("TransactItems has an entry that is no object")
        only(item, ("Get",))
        found.append(_get(table_of(item, "Get"), known, session))
    return together(found)


def _write(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, (*_WRITES, *_QUIET))
    aliases = names.aliases(document)
    predicates = [
        *names.attributes(document.get("ConditionExpression"), aliases),
        # `SET note = ssn` copies one attribute into another, so what it names is used and not only written.
        *names.attributes(document.get("UpdateExpression"), aliases),
        *names.keys(document.get("Expected"), "Expected"),
    ]
    returned = {text_of(document, "ReturnValues"), text_of(document, "ReturnValuesOnConditionCheckFailure")}
    columns: tuple[str, ...] | None = () if returned <= {None, "NONE"} else None
    return _asked(known, needed(document, "TableName"), "write", columns, predicates=names.once(predicates))


def _transact_write(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("TransactItems", *_QUIET))
    found = []
    for item in list_of(document, "TransactItems"):
        if not isinstance(item, dict) or len(item) != 1:
            raise Unreadable("TransactItems has an entry that is not one action")
        only(item, ("Put", "Update", "Delete", "ConditionCheck"))
        found.append(_write(table_of(item, next(iter(item))), known, session))
    return together(found)


def _batch_write(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("RequestItems", *_QUIET))
    return together([_asked(known, name, "write", ()) for name in table_of(document, "RequestItems")])


_VERBS: dict[str, Kind] = {"select": "read", "insert": "write", "update": "write", "delete": "write"}


def _statement(document: dict[str, Any], known: Known, session: Session) -> Operation:
    only(document, ("Statement", "Parameters", "NextToken", "Limit", "ReturnValuesOnConditionCheckFailure", *_QUIET))
    said = needed(document, "Statement")
    read = partiql.read(said)
    columns = read.columns
    if text_of(document, "ReturnValuesOnConditionCheckFailure") not in (None, "NONE"):
        columns = None
    token = text_of(document, "NextToken")
    return _asked(
        known,
        read.table,
        _VERBS[read.verb],
        columns,
        predicates=read.predicates,
        statement=said,
        statements=(read.verb,),
        rows=count_of(document, "Limit"),
        chunks=(f"after:{short(token)}",) if token else (),
    )


def _statements(member: str) -> Action:
    def read(document: dict[str, Any], known: Known, session: Session) -> Operation:
        only(document, (member, *_QUIET))
        found = []
        for one in list_of(document, member):
            if not isinstance(one, dict):
                raise Unreadable(f"{member} has an entry that is no object")
            found.append(_statement(one, known, session))
        return together(found)

    return read


def _export(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """The service writes the whole table to a bucket: nothing of it comes by here."""
    bucket, prefix = needed(document, "S3Bucket"), text_of(document, "S3Prefix")
    destination, side = judge(f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}", known.ours)
    owner = text_of(document, "S3BucketOwner")
    if owner is not None and side == "internal" and any(ours.scheme == "aws" for ours in known.ours):
        # Where the policy lists our accounts, a bucket that is said to be another's is not ours.
        side = judge(owner, known.ours)[1]
    return _asked(known, needed(document, "TableArn"), "export", None, destination=destination, destination_side=side)


def _stream(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """Every change of the table goes to a stream from now on."""
    destination, side = judge(needed(document, "StreamArn"), known.ours)
    return _asked(known, needed(document, "TableName"), "export", None, destination=destination, destination_side=side)


def _restored(document: dict[str, Any], known: Known, session: Session) -> Operation:
    """Another table that holds the same: of a backup it is not known what it was made of."""
    made = Operation(known.service, "admin", text_of(document, "TargetTableName"))
    source = text_of(document, "SourceTableName") or text_of(document, "SourceTableArn")
    into = (made.dataset or SOMEWHERE,)
    if source is None:
        return together([made, Operation(known.service, "share", column_scope="unknown", into=into)])
    return together([made, *copied([_asked(known, source, "read", None)], into, known)])


def _about(kind: Kind, member: str = "TableName") -> Action:
    def read(document: dict[str, Any], known: Known, session: Session) -> Operation:
        name = text_of(document, member)
        if name is None or (member == "ResourceArn" and not _ARN.fullmatch(name)):
            return Operation(known.service, kind)
        return _asked(known, name, kind, ())

    return read


_ASKING = (
    "DescribeTable DescribeTimeToLive DescribeContinuousBackups DescribeContributorInsights DescribeBackup "
    "DescribeExport DescribeImport DescribeLimits DescribeEndpoints DescribeKinesisStreamingDestination ListTables "
    "ListBackups ListExports ListImports ListGlobalTables ListContributorInsights"
)
_CHANGING = (
    "CreateTable DeleteTable UpdateTable UpdateTimeToLive UpdateContinuousBackups UpdateContributorInsights "
    "CreateBackup DeleteBackup ImportTable CreateGlobalTable "
    "UpdateGlobalTable UpdateTableReplicaAutoScaling DisableKinesisStreamingDestination "
    "UpdateKinesisStreamingDestination"
)
_ITEMS = {
    "Scan": ("$.Items",),
    "Query": ("$.Items",),
    "ExecuteStatement": ("$.Items",),
    "BatchGetItem": ("$.Responses.*",),
}
_ITEM = {
    "Scan": ("$.LastEvaluatedKey",),
    "Query": ("$.LastEvaluatedKey",),
    "ExecuteStatement": ("$.LastEvaluatedKey", "$.Item"),
    "GetItem": ("$.Item",),
    "BatchGetItem": ("$.UnprocessedKeys.*.Keys[*]",),
    "TransactGetItems": ("$.Responses[*].Item",),
    "BatchExecuteStatement": ("$.Responses[*].Item", "$.Responses[*].Error.Item"),
    "ExecuteTransaction": ("$.Responses[*].Item", "$.CancellationReasons[*].Item"),
    "TransactWriteItems": ("$.CancellationReasons[*].Item", "$.ItemCollectionMetrics.*[*].ItemCollectionKey"),
    "BatchWriteItem": ("$.ItemCollectionMetrics.*[*].ItemCollectionKey",),
    **dict.fromkeys(
        ("PutItem", "UpdateItem", "DeleteItem"), ("$.Attributes", "$.ItemCollectionMetrics.ItemCollectionKey", "$.Item")
    ),
}
"""Where items stand in a response. The last key of a page is part of an item too."""
_SELECTING = ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")
_EACH = "$.Responses[*].Item"


class DynamoDbDialect(AwsDialect):
    """Reads and writes of items, statements, and what happens to whole tables."""

    prefix = "DynamoDB_20120810"
    actions: ClassVar = {
        "Scan": _walk,
        "Query": _walk,
        "GetItem": _get,
        "BatchGetItem": _batch_get,
        "TransactGetItems": _transact_get,
        "PutItem": _write,
        "UpdateItem": _write,
        "DeleteItem": _write,
        "BatchWriteItem": _batch_write,
        "TransactWriteItems": _transact_write,
        "ExecuteStatement": _statement,
        "BatchExecuteStatement": _statements("Statements"),
        "ExecuteTransaction": _statements("TransactStatements"),
        "ExportTableToPointInTime": _export,
        "EnableKinesisStreamingDestination": _stream,
        "RestoreTableFromBackup": _restored,
        "RestoreTableToPointInTime": _restored,
        "PutResourcePolicy": _about("share", "ResourceArn"),
        "DeleteResourcePolicy": _about("admin", "ResourceArn"),
        "GetResourcePolicy": _about("poll", "ResourceArn"),
        "ListTagsOfResource": _about("poll", "ResourceArn"),
        "TagResource": _about("admin", "ResourceArn"),
        "UntagResource": _about("admin", "ResourceArn"),
        **dict.fromkeys(_ASKING.split(), _about("poll")),
        **dict.fromkeys(_CHANGING.split(), _about("admin")),
    }

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        action = self.match(view) or ""
        if object_in(reply) is None:
            return Delivery(unreadable="it is not a JSON object")
        columns = _selected(operation, known) if action in _SELECTING else None
        if columns is not None and any(one.column_scope == "all" for one in (operation, *operation.parts)):
            return Delivery(unreadable="attributes and parts of attributes are asked for at once")
        rows = [Rows(path=path, cell="*", columns=columns) for path in _ITEMS.get(action, ())]
        rows += [
            Rows(path=path, shape="one", cell="*", columns=columns if path == _EACH else None)
            for path in _ITEM.get(action, ())
        ]
        return Delivery(tuple(rows))


def _selected(operation: Operation, known: Known) -> tuple[Output, ...] | None:
    """What the service calls what PartiQL selects: a part of an attribute has its last name alone (`ssn.number` is
    `number`). None where there are no parts, so that each has its own name.
    """
    asked = [(one.dataset or "", column) for one in (operation, *operation.parts) for column in one.columns]
    if not any("." in column for _, column in asked):
        return None
    return tuple(_output(dataset, column, known) for dataset, column in dict.fromkeys(asked))


def _output(dataset: str, column: str, known: Known) -> Output:
    path = column.split(".")
    around = [".".join(path[:length]) for length in range(1, len(path) + 1)]
    declared = known.columns.get(dataset, frozenset()).intersection(around)
    found = [column] if declared == {column} else around
    return Output(path[-1], frozenset((dataset, one) for one in found), copied=len(found) == 1)
