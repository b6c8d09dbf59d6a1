"""Athena, Redshift Data and DynamoDB: what is asked, what is remembered by handle, and what is not understood."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.operations.built_in.athena import AthenaDialect
from sluicegate.operations.built_in.dynamodb import DynamoDbDialect
from sluicegate.operations.built_in.redshift_data import RedshiftDataDialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Known
from tests.operations.asking import Asker

OURS = (Ours.parse("s3://acme-*"),)
SQL = Known("it", {"hr.emp": "emp", "hr.notes": "notes"}, {"emp": frozenset({"ssn"}), "notes": frozenset()}, OURS,
            {"emp": ("id", "name", "ssn"), "notes": ("id", "text")}, schema="hr")  # fmt: skip
TABLES = Known("it", {"emp": "emp", "logs": "logs"}, {"emp": frozenset({"ssn"}), "logs": frozenset()}, OURS)


class Aws(Asker):
    """Sends actions."""

    def __init__(self, dialect, known):
        super().__init__(dialect, known)

    def act(self, action, body, **headers):
        sent = {
            "x-amz-target": f"{self.dialect.prefix}.{action}",
            "content-type": "application/x-amz-json-1.1",
            **headers,
        }
        return self.ask("POST /", body if isinstance(body, bytes) else json.dumps(body).encode(), **sent)


@pytest.fixture
def athena():
    return Aws(AthenaDialect(), SQL)


@pytest.fixture
def redshift():
    return Aws(RedshiftDataDialect(), SQL)


@pytest.fixture
def dynamo():
    return Aws(DynamoDbDialect(), TABLES)


@pytest.mark.parametrize(
    ("location", "kind", "destination", "side"),
    [
        ("s3://acme-athena/q/", "read", "s3://acme-athena/q/", "internal"), ("s3://evil/q/", "export", "s3://evil/q/", "external"), (None, "read", None, None),
        ("https://acme-athena.s3.amazonaws.com/q", "read", "s3://acme-athena/q", "internal"), ("evil", "export", "unreadable: evil", "external"),
    ],
)  # fmt: skip
def test_athena_writes_every_result_somewhere(athena, location, kind, destination, side):
    body = {"QueryString": "select id from emp", "QueryExecutionContext": {"Database": "hr"}}
    if location:
        body["ResultConfiguration"] = {"OutputLocation": location}
    asked = athena.act("StartQueryExecution", body)
    assert (asked.kind, asked.dataset, asked.declared) == (kind, "emp", True)
    assert (asked.destination, asked.destination_side) == (destination, side)


def test_a_join_written_elsewhere_is_an_export_of_both(athena):
    asked = athena.act(
        "StartQueryExecution",
        {
            "QueryString": "select e.id from hr.emp e join hr.notes n on e.id=n.id",
            "ResultConfiguration": {"OutputLocation": "s3://evil/"},
        },
    )
    assert {(one.dataset, one.kind) for one in (asked, *asked.parts)} == {("emp", "export"), ("notes", "export")}


def test_an_unload_keeps_its_own_destination_too(athena):
    asked = athena.act(
        "StartQueryExecution",
        {
            "QueryString": "unload (select * from hr.emp) to 's3://acme-x/' with (format='PARQUET')",
            "ResultConfiguration": {"OutputLocation": "s3://evil/"},
        },
    )
    if asked.kind != "unknown":
        assert {one.destination_side for one in (asked, *asked.parts)} >= {"external"}


def test_athena_results_follow_the_query(athena):
    athena.act(
        "StartQueryExecution",
        {"QueryString": "select id, ssn as x from hr.emp", "ResultConfiguration": {"OutputLocation": "s3://acme-a/"}},
    )
    athena.answer({"QueryExecutionId": "q-1"})
    poll = athena.act("GetQueryExecution", {"QueryExecutionId": "q-1"})
    assert (poll.kind, poll.dataset, poll.outputs) == ("poll", "emp", None)
    page = athena.act("GetQueryResults", {"QueryExecutionId": "q-1", "MaxResults": 10})
    assert (page.kind, page.dataset, page.result, page.chunks, page.rows) == ("read", "emp", "q-1", ("first",), 10)
    info = {"ColumnInfo": [{"Name": "id"}, {"Name": "x"}]}
    found = athena.answer({"ResultSet": {"Rows": [], "ResultSetMetadata": info}})
    (rows,) = found.rows
    assert rows.header_row and rows.cell == "VarCharValue" and rows.path == "$.ResultSet.Rows[*].Data"
    assert [sorted(o.origins) for o in rows.columns] == [[("emp", "id")], [("emp", "ssn")]]
    later = athena.act("GetQueryResults", {"QueryExecutionId": "q-1", "NextToken": "t"})
    assert (
        later.chunks[0].startswith("after:")
        and not athena.answer({"ResultSet": {"ResultSetMetadata": info}}).rows[0].header_row
    )
    assert athena.act("StopQueryExecution", {"QueryExecutionId": "q-1"}).kind == "cancel"
    eve = athena.another("idp eve")
    eve.__class__ = Aws
    for action in ("GetQueryResults", "GetQueryExecution", "StopQueryExecution"):
        assert eve.act(action, {"QueryExecutionId": "q-1"}).owner == "idp ada"
    assert eve.act("BatchGetQueryExecution", {"QueryExecutionIds": ["q-1"]}).owners == ("idp ada",)
    assert athena.act("GetQueryResults", {"QueryExecutionId": "q-2"}).kind == "unknown"


def test_columns_that_do_not_agree_are_made_of_anything(athena):
    athena.act("StartQueryExecution", {"QueryString": "select id from hr.emp"})
    athena.answer({"QueryExecutionId": "q-1"})
    athena.act("GetQueryResults", {"QueryExecutionId": "q-1"})
    (rows,) = athena.answer({"ResultSet": {"ResultSetMetadata": {"ColumnInfo": [{"Name": "a"}, {"Name": "b"}]}}}).rows
    assert [output.origins for output in rows.columns] == [None, None]
    assert athena.answer({"ResultSet": {}}).unreadable and athena.answer(b"<x>").unreadable


def test_prepared_statements_are_what_they_say(athena):
    asked = athena.act(
        "CreatePreparedStatement",
        {"StatementName": "Get", "WorkGroup": "primary", "QueryStatement": "select ssn from hr.emp where id = ?"},
    )
    assert asked.dataset == "emp"
    assert athena.act("StartQueryExecution", RUN).kind == "unknown"  # the service has not taken it yet
    prepare(athena, "select ssn from hr.emp where id = ?")
    run = athena.act("StartQueryExecution", RUN)
    assert (run.kind, run.dataset, run.columns) == ("read", "emp", ("ssn",))
    assert athena.act("StartQueryExecution", {"QueryString": "EXECUTE other"}).kind == "unknown"


RUN = {"QueryString": "EXECUTE get"}


def prepare(who, statement, status=200, action="CreatePreparedStatement"):
    who.act(action, {"StatementName": "Get", "QueryStatement": statement})
    who.answer({} if status == 200 else {"Message": "it is there already"}, status)


def test_a_prepared_statement_that_the_service_did_not_take_is_not_what_runs(athena):
    prepare(athena, "select ssn from hr.emp where id = ?")
    prepare(athena, "select id from hr.notes where id = ?", 400)
    run = athena.act("StartQueryExecution", RUN)
    assert run.kind == "unknown" or "ssn" in run.columns
    prepare(athena, "select id from hr.emp where id = ?", action="UpdatePreparedStatement")
    assert athena.act("StartQueryExecution", RUN).columns == ("id",)


def test_of_two_changes_at_once_nobody_knows_the_last(athena):
    body = {"StatementName": "Get", "QueryStatement": "select ssn from hr.emp"}
    athena.act("UpdatePreparedStatement", body)
    first = athena.view, athena.operation
    athena.act("UpdatePreparedStatement", {**body, "QueryStatement": "select id from hr.emp"})
    second = athena.view, athena.operation
    athena.view, athena.operation = first
    athena.answer({})
    assert athena.act("StartQueryExecution", {"QueryString": "EXECUTE get"}).kind == "unknown"
    athena.view, athena.operation = second
    athena.answer({})
    assert "id" in athena.act("StartQueryExecution", {"QueryString": "EXECUTE get"}).columns


def test_nobody_changes_the_prepared_statement_of_another(athena):
    prepare(athena, "select id from hr.notes")
    eve = athena.another("idp eve")
    eve.__class__ = Aws
    change = {"StatementName": "GET", "QueryStatement": "select ssn from hr.emp"}
    assert eve.act("UpdatePreparedStatement", change).kind == "unknown"


ATHENA = [
    ("CreateWorkGroup", {"Name": "w", "Configuration": {"ResultConfiguration": {"OutputLocation": "s3://evil/"}}}, "admin", "external"),
    ("UpdateWorkGroup", {"WorkGroup": "w", "ConfigurationUpdates": {"ResultConfigurationUpdates": {"OutputLocation": "s3://acme-x/"}}}, "admin", "internal"),
    ("StartCalculationExecution", {"SessionId": "s", "CodeBlock": "print(1)"}, "script", None),
    ("ListWorkGroups", {}, "poll", None), ("CreateDataCatalog", {}, "admin", None), ("ExportNotebook", {}, "unknown", None), ("Evil", {}, "unknown", None),
    ("StartQueryExecution", {"QueryString": "select 1", "Evil": 1}, "unknown", None), ("StartQueryExecution", {}, "unknown", None), ("StartQueryExecution", b"{", "unknown", None),
    ("StartQueryExecution", b'{"QueryString":"select 1","querystring":"drop table x"}', "unknown", None), ("StartQueryExecution", {"QueryString": "drop table hr.emp"}, "admin", None),
]  # fmt: skip


@pytest.mark.parametrize(("action", "body", "kind", "side"), ATHENA)
def test_athena_actions(athena, action, body, kind, side):
    asked = athena.act(action, body)
    assert (asked.kind, asked.destination_side) == (kind, side)


def test_a_token_that_was_sent_before_stands_for_what_was_asked_then(redshift):
    asked = {"Sql": "select ssn from hr.emp", "Database": "db", "WorkgroupName": "w", "ClientToken": "t-1"}
    first = redshift.act("ExecuteStatement", asked)
    assert redshift.act("ExecuteStatement", asked) == first
    found = redshift.act("ExecuteStatement", {**asked, "Sql": "select 'x'"})
    assert found.outputs is None and any("ssn" in part.columns for part in found.parts)


def test_redshift_statements_and_their_results(redshift):
    asked = redshift.act(
        "ExecuteStatement",
        {"Sql": "select id, ssn from hr.emp", "Database": "db", "WorkgroupName": "w", "DbUser": "eng"},
    )
    assert (asked.kind, asked.dataset, asked.claims) == ("read", "emp", ("DbUser=eng",))
    redshift.answer({"Id": "s-1"})
    page = redshift.act("GetStatementResult", {"Id": "s-1"})
    assert (page.kind, page.dataset, page.chunks) == ("read", "emp", ("first",))
    (rows,) = redshift.answer(
        {"Records": [[{"longValue": 1}, {"stringValue": "x"}]], "ColumnMetadata": [{"name": "id"}, {"name": "ssn"}]}
    ).rows
    assert (rows.path, rows.cell) == ("$.Records", "*") and sorted(rows.columns[1].origins) == [("emp", "ssn")]
    assert redshift.act("GetStatementResult", {"Id": "s-1:2"}).outputs is None
    redshift.act("GetStatementResultV2", {"Id": "s-1"})
    assert redshift.answer({"Records": [{"CSVRecords": "1,x"}]}).unreadable
    assert redshift.act("DescribeStatement", {"Id": "s-1"}).kind == "poll"
    assert redshift.act("GetStatementResult", {"Id": "s-2"}).kind == "unknown"


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ({"Sqls": ["select id from hr.emp", "drop table hr.notes"]}, {"read", "admin"}), ({"Sqls": ["select 1 /*", "*/ drop table hr.emp"]}, {"unknown"}), ({"Sqls": []}, {"unknown"}),
        ({"Sqls": [1]}, {"unknown"}), ({"Sqls": ["unload ('select * from hr.emp') to 's3://evil/' iam_role default"]}, {"export", "unknown"}),
    ],
)  # fmt: skip
def test_redshift_batches_are_read_one_by_one(redshift, body, kinds):
    asked = redshift.act("BatchExecuteStatement", {**body, "Database": "db"})
    assert {one.kind for one in (asked, *asked.parts)} <= kinds | {"read"} and (asked.kind in kinds or asked.parts)


def test_redshift_sessions_are_not_followed(redshift):
    assert (
        redshift.act("ExecuteStatement", {"Sql": "select id from emp", "Database": "db", "SessionId": "s"}).kind
        == "unknown"
    )


def key(value):
    return {"id": {"S": value}}


DYNAMO = [
    ("Scan", {"TableName": "emp"}, "read", "emp", "all", (), ()),
    ("Scan", {"TableName": "emp", "ProjectionExpression": "id, #s", "ExpressionAttributeNames": {"#s": "ssn"}}, "read", "emp", "listed", ("id", "ssn"), ()),
    ("Scan", {"TableName": "emp", "ProjectionExpression": "a.#s[0].b", "ExpressionAttributeNames": {"#s": "ssn"}}, "read", "emp", "listed", ("a.ssn.b",), ()),
    ("Scan", {"TableName": "emp", "FilterExpression": "begins_with(#s, :v) AND NOT size(note) > :n", "ExpressionAttributeNames": {"#s": "ssn"}, "ExpressionAttributeValues": {}}, "read", "emp", "all", (), ("ssn", "note")),
    ("Scan", {"TableName": "emp", "ScanFilter": {"ssn": {}}, "AttributesToGet": ["id"]}, "read", "emp", "listed", ("id",), ("ssn",)),
    ("Scan", {"TableName": "emp", "Select": "COUNT"}, "read", "emp", "none", (), ()),
    ("Query", {"TableName": "arn:aws:dynamodb:eu-west-1:123456789012:table/emp", "KeyConditionExpression": "id = :i AND d BETWEEN :a AND :b"}, "read", "emp", "all", (), ("id", "d")),
    ("GetItem", {"TableName": "emp", "Key": key("1")}, "read", "emp", "all", (), ("id",)),
    ("BatchGetItem", {"RequestItems": {"emp": {"Keys": [key("1")], "ProjectionExpression": "id"}}}, "read", "emp", "listed", ("id",), ("id",)),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "emp", "Key": key("1")}}]}, "read", "emp", "all", (), ("id",)),
    ("PutItem", {"TableName": "emp", "Item": key("1")}, "write", "emp", "none", (), ()),
    ("PutItem", {"TableName": "emp", "Item": key("1"), "ReturnValues": "ALL_OLD"}, "write", "emp", "all", (), ()),
    ("UpdateItem", {"TableName": "emp", "Key": key("1"), "UpdateExpression": "SET note = ssn, n = n + :x"}, "write", "emp", "none", (), ("note", "ssn", "n")),
    ("DeleteItem", {"TableName": "emp", "Key": key("1"), "ConditionExpression": "ssn = :v", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}, "write", "emp", "all", (), ("ssn",)),
    ("BatchWriteItem", {"RequestItems": {"emp": []}}, "write", "emp", "none", (), ()),
    ("ExecuteStatement", {"Statement": "SELECT ssn, \"a\".b FROM \"emp\".\"by-name\" WHERE id = ? AND begins_with(note, 'x')"}, "read", "emp", "listed", ("ssn", "a.b"), ("id", "note")),
    ("ExecuteStatement", {"Statement": "select * from emp"}, "read", "emp", "all", (), ()),
    ("ExecuteStatement", {"Statement": "SELECT old FROM emp"}, "read", "emp", "listed", ("old",), ()),
    ("ExecuteStatement", {"Statement": "INSERT INTO emp VALUE {'id': '1'}"}, "write", "emp", "none", (), ()),
    ("ExecuteStatement", {"Statement": "DELETE FROM emp WHERE id='1' RETURNING ALL OLD *"}, "write", "emp", "all", (), None),
    ("ExportTableToPointInTime", {"TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/emp", "S3Bucket": "evil"}, "export", "emp", "all", (), ()),
    ("PutResourcePolicy", {"ResourceArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/emp", "Policy": "{}"}, "share", "emp", "none", (), ()),
    ("DescribeTable", {"TableName": "emp"}, "poll", "emp", "none", (), ()),
    ("DeleteTable", {"TableName": "other"}, "admin", "other", "none", (), ()),
]  # fmt: skip


@pytest.mark.parametrize(("action", "body", "kind", "dataset", "scope", "columns", "predicates"), DYNAMO)
def test_dynamodb_actions(dynamo, action, body, kind, dataset, scope, columns, predicates):
    asked = dynamo.act(action, body)
    assert (asked.kind, asked.dataset, asked.column_scope, asked.columns) == (kind, dataset, scope, columns), (
        asked.route
    )
    assert asked.declared == (dataset == "emp")
    if predicates is not None:
        assert asked.predicates == predicates


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("Scan", {"TableName": "emp", "ProjectionExpression": "#x"}), ("Scan", {"TableName": "emp", "ProjectionExpression": "a;b"}), ("Scan", {"TableName": "emp", "Evil": 1}), ("Scan", {}),
        ("Scan", {"TableName": "../x"}), ("Scan", {"TableName": "emp", "ExpressionAttributeNames": {"s": "ssn"}}), ("Scan", {"TableName": "emp", "Limit": -1}), ("Scan", {"TableName": "emp", "FilterExpression": "a[b]"}),
        ("BatchGetItem", {"RequestItems": {}}), ("BatchGetItem", {"RequestItems": {"emp": 1}}), ("ExecuteStatement", {"Statement": "SELECT a FROM emp, logs"}), ("ExecuteStatement", {"Statement": "SELECT a FROM (SELECT b FROM c)"}),
        ("ExecuteStatement", {"Statement": "SELECT a FROM emp -- x"}), ("ExecuteStatement", {"Statement": "EXISTS(SELECT a FROM emp)"}), ("ExecuteStatement", {"Statement": ""}), ("GetRecords", {"ShardIterator": "x"}),
    ],
)  # fmt: skip
def test_dynamodb_does_not_understand(dynamo, action, body):
    asked = dynamo.act(action, body)
    assert (asked.kind, asked.column_scope) == ("unknown", "unknown")


@pytest.mark.parametrize(
    "said",
    ["SELECT ssn AS x FROM emp", "SELECT ssn x FROM emp", "SELECT VALUE ssn FROM emp", "SELECT size(ssn) n FROM emp",
     'SELECT id, ssn "id2" FROM emp', "SELECT info[0] x FROM emp", "SELECT DISTINCT ssn FROM emp"],
)  # fmt: skip
def test_dynamodb_attributes_have_no_other_names(dynamo, said):
    assert dynamo.act("ExecuteStatement", {"Statement": said}).kind == "unknown"


@pytest.mark.parametrize(
    ("action", "body", "shared"),
    [
        ("RestoreTableToPointInTime", {"SourceTableName": "emp", "TargetTableName": "other"}, "emp"),
        ("RestoreTableFromBackup", {"BackupArn": "arn:x", "TargetTableName": "other"}, None),
    ],
)
def test_dynamodb_tables_that_are_restored_under_another_name_are_shared(dynamo, action, body, shared):
    asked = dynamo.act(action, body)
    assert (asked.kind, asked.dataset) == ("admin", "other")
    assert [(one.kind, one.dataset, one.into) for one in asked.parts] == [("share", shared, ("other",))]


def test_dynamodb_segments_pages_and_exports(dynamo):
    asked = dynamo.act(
        "Scan", {"TableName": "emp", "Segment": 3, "TotalSegments": 4, "Limit": 5, "ExclusiveStartKey": key("7")}
    )
    assert (
        asked.chunks[0] == "segment 3/4"
        and asked.rows == 5
        and asked.predicates == ("id",)
        and "7" not in asked.chunks[1][:8]
    )
    asked = dynamo.act(
        "ExportTableToPointInTime",
        {"TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/emp", "S3Bucket": "acme-x", "S3Prefix": "p"},
    )
    assert (asked.destination, asked.destination_side) == ("s3://acme-x/p", "internal")
    asked = dynamo.act("BatchGetItem", {"RequestItems": {"emp": {"Keys": [key("1")]}, "logs": {"Keys": [key("2")]}}})
    assert [asked.dataset, *(part.dataset for part in asked.parts)] == ["emp", "logs"]


def test_the_last_key_is_part_of_an_item(dynamo):
    dynamo.act("Scan", {"TableName": "emp"})
    found = dynamo.answer({"Items": [], "LastEvaluatedKey": key("1")})
    assert {(rows.path, rows.shape, rows.cell) for rows in found.rows} == {
        ("$.Items", "objects", "*"),
        ("$.LastEvaluatedKey", "one", "*"),
    }


@pytest.mark.parametrize(
    "headers", [{"x_amz_target": ""}, {"content_type": "text/plain"}, {"content_encoding": "gzip"}]
)
def test_odd_headers(dynamo, headers):
    sent = {
        "x-amz-target": "DynamoDB_20120810.Scan",
        "content-type": "application/x-amz-json-1.0",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    assert dynamo.ask("POST /", b'{"TableName":"emp"}', **sent).kind == "unknown"
    assert (
        dynamo.ask(
            "POST /?x=1",
            b'{"TableName":"emp"}',
            **{"x-amz-target": "DynamoDB_20120810.Scan", "content-type": "application/x-amz-json-1.0"},
        ).kind
        == "unknown"
    )
    assert dynamo.ask("GET /", **{"x-amz-target": "DynamoDB_20120810.Scan"}).kind == "unknown"


def test_refusals_are_errors_that_no_sdk_tries_again(dynamo):
    dynamo.act("Scan", {"TableName": "emp"})
    answer = dynamo.refused()
    assert answer.status == 400 and json.loads(answer.body)["__type"] == "AccessDeniedException"
    assert "Column ssn is not for you. Leave ssn out." in json.loads(answer.body)["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(alphabet="abc#:.,()[] ='emp*SELECTFROM", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["TableName", "Key", "Get", "a", "#s", "Keys", "Database", "OutputLocation"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
MEMBERS = st.sampled_from([
    "TableName", "ProjectionExpression", "FilterExpression", "ExpressionAttributeNames", "Key", "RequestItems", "TransactItems", "Statement", "Statements", "QueryString", "ResultConfiguration",
    "QueryExecutionId", "NextToken", "Sql", "Sqls", "Id", "Limit", "Segment", "S3Bucket", "TableArn", "ExclusiveStartKey", "AttributesToGet", "ResourceArn", "StreamArn",
])  # fmt: skip


@given(
    st.sampled_from([AthenaDialect, RedshiftDataDialect, DynamoDbDialect]),
    st.data(),
    st.dictionaries(MEMBERS, JSON, max_size=4),
)
def test_nothing_raises(dialect, data, body):
    asker = Aws(dialect(), TABLES)
    action = data.draw(st.sampled_from(sorted(dialect.actions)))
    asked = asker.act(action, body)
    for one in (asked, *asked.parts):
        assert one.service == "it" and (one.kind != "unknown" or one.column_scope == "unknown")
        assert all(isinstance(column, str) for column in (*one.columns, *one.predicates))
    asker.answer(body)
    asker.answer(b"\xff")
    assert asker.refused().status == 400


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("Scan", {"TableName": "emp", "ProjectionExpression": "id, info"}),
        ("Scan", {"TableName": "emp", "AttributesToGet": ["info"]}),
        ("ExecuteStatement", {"Statement": "SELECT info FROM emp"}),
        ("GetItem", {"TableName": "emp", "Key": {"id": {"S": "1"}}, "ProjectionExpression": "#i",
                     "ExpressionAttributeNames": {"#i": "info"}}),
    ],
)  # fmt: skip
def test_dynamodb_an_attribute_is_read_with_what_is_declared_inside(action, body):
    asked = Aws(DynamoDbDialect(), replace(TABLES, columns={"emp": frozenset({"info.ssn"})})).act(action, body)
    assert "info.ssn" in asked.columns and asked.column_scope == "listed"


SECRET = "123-45-6789"


@pytest.mark.parametrize(
    ("declared", "said", "item", "method", "left"),
    [
        ("ssn", "SELECT ssn.number FROM emp", {"number": {"S": SECRET}}, "last4", "[redacted]"),
        ("ssn", "SELECT id, ssn[0] FROM emp", {"ssn[0]": {"S": SECRET}}, "last4", "****6789"),
        ("ssn", 'SELECT "ssn".a[1].b FROM emp', {"b": {"L": [{"S": SECRET}]}}, "redact", "[redacted]"),
        ("info.ssn", "SELECT info.ssn FROM emp", {"ssn": {"S": SECRET}}, "last4", "****6789"),
        ("info.ssn", "SELECT info.ssn.number FROM emp", {"number": {"S": SECRET}}, "last4", "[redacted]"),
        ("info.ssn", "SELECT info, id.x FROM emp", {"info": {"M": {"ssn": {"S": SECRET}}}}, "redact", "[redacted]"),
    ],
)
def test_dynamodb_a_part_of_a_masked_attribute_is_masked_under_its_own_name(declared, said, item, method, left):
    asker = Aws(DynamoDbDialect(), replace(TABLES, columns={"emp": frozenset({declared})}))
    plan = Plan((Obligation("m", method, frozenset({declared}), dataset="emp"),), Methods(b"k" * 32))
    for action, body, answer in (
        ("ExecuteStatement", {"Statement": said}, {"Items": [{"plain": {"S": "x"}, **item}]}),
        ("BatchExecuteStatement", {"Statements": [{"Statement": said}]}, {"Responses": [{"Item": item}]}),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": said}]}, {"Responses": [{"Item": item}]}),
    ):
        assert asker.act(action, body).kind == "read"
        found = asker.answer(answer)
        sent = json.dumps(answer).encode()
        kind = ((b"content-type", b"application/x-amz-json-1.0"),)
        body = mask(Reply("POST", 200, kind, sent), plan, (), 1 << 20, found).body.decode()
        assert SECRET not in body and left in body


def test_dynamodb_parts_beside_whole_items_are_not_told_apart():
    asker = Aws(DynamoDbDialect(), TABLES)
    said = [{"Statement": "SELECT * FROM emp"}, {"Statement": "SELECT ssn.number FROM emp"}]
    asker.act("BatchExecuteStatement", {"Statements": said})
    assert asker.answer({"Responses": []}).unreadable
