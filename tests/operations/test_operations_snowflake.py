"""Snowflake: the connectors' protocol as fakesnow and the connectors speak it, chunks and the SQL API as documented."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.operations.built_in.snowflake import SnowflakeDialect
from tests.operations.asking import DENIED, SENTENCE, Asker, origins

QUERY = "POST /queries/v1/query-request?request_guid=2"
TOKEN = 'Snowflake Token="tok-1"'
LOGIN = {
    "data": {
        "CLIENT_APP_ID": "PythonConnector",
        "LOGIN_NAME": "fake",
        "PASSWORD": "snow",
        "SESSION_PARAMETERS": {"CLIENT_PREFETCH_THREADS": 4, "AUTOCOMMIT": True},
        "CLIENT_ENVIRONMENT": {"OS": "Linux"},
    }
}


def signed_in(database="DB1", schema="S1"):
    asker = Asker(SnowflakeDialect())
    asker.ask("POST /session/v1/login-request?databaseName=db1&schemaName=s1", LOGIN)
    info = {"databaseName": database, "schemaName": schema}
    asker.answer({"data": {"token": "tok-1", "masterToken": "m", "sessionInfo": info}, "success": True})
    return asker


def sql(asker, text, **members):
    members = {"sqlText": text, "asyncExec": False, "sequenceId": 6, "querySubmissionTime": 1, **members}
    return asker.ask(QUERY, members, authorization=TOKEN)


def arrow(names=("ID", "SSN"), query="q-1", **more):
    rowtype = [{"name": name, "database": "", "table": "", "type": "text"} for name in names]
    data = {"rowtype": rowtype, "queryId": query, "queryResultFormat": "arrow", "rowsetBase64": "AAAA", **more}
    return {"data": {"finalDatabaseName": "DB1", "finalSchemaName": "S1", **data}, "success": True}


def test_a_login_is_one_and_names_who_the_client_says_it_is():
    asker = Asker(SnowflakeDialect())
    operation = asker.ask("POST /session/v1/login-request?databaseName=db1", LOGIN)
    assert (operation.kind, operation.dataset, operation.claims) == ("login", None, ("user=fake",))
    assert operation.statement is None and "snow" not in repr(operation).replace("snowflake", "")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_query_is_read_with_the_sessions_names_and_goes_out_as_it_was_judged(zipped):
    asker = signed_in()
    document = {"sqlText": "select id, ssn /* x */ from emp e where salary > 3 -- y", "bindings": {"1": {"value": "3"}}}
    operation = asker.ask(QUERY, document, zipped=zipped, authorization=TOKEN)
    assert (operation.kind, operation.dataset, operation.declared) == ("read", "emp", True)
    assert origins(operation.outputs) == [("id", ["id"]), ("ssn", ["ssn"])] and operation.predicates == ("salary",)
    sent = json.loads(asker.sent.body)
    assert sent["sqlText"] == "SELECT id, ssn FROM emp AS e WHERE salary > 3" and sent["bindings"] == {
        "1": {"value": "3"}
    }


def test_another_database_means_another_table():
    asker = signed_in("OTHER", "S1")
    assert not sql(asker, "select ssn from emp").declared
    assert sql(asker, "select ssn from db1.s1.emp").declared


@pytest.mark.parametrize("last", ["use database db1", "call something()", "execute immediate $x"])
def test_while_the_sessions_names_may_move_a_table_may_be_any(last):
    asker = signed_in("OTHER", "S1")
    sql(asker, last)
    assert sql(asker, "select ssn from emp").dataset == "emp"
    asker.answer(arrow(finalDatabaseName="OTHER"))
    assert not sql(asker, "select ssn from emp").declared


def test_the_answer_says_where_the_session_is_now():
    asker = signed_in("OTHER", "S1")
    sql(asker, "use database db1")
    asker.answer(arrow((), finalDatabaseName="DB1"))
    assert sql(asker, "select ssn from emp").dataset == "emp"
    sql(asker, "use schema s2")
    asker.answer(arrow((), finalSchemaName="S2"))
    assert not sql(asker, "select ssn from emp").declared


def test_without_a_known_session_a_table_may_be_any():
    asker = Asker(SnowflakeDialect())
    assert sql(asker, "select ssn from emp").dataset == "emp"
    renewed = signed_in("OTHER", "S1")
    renewed.ask("POST /session/token-request", {"oldSessionToken": "tok-1", "requestType": "RENEW"})
    renewed.answer({"data": {"sessionToken": "tok-2", "masterToken": "m"}, "success": True})
    found = renewed.ask(QUERY, {"sqlText": "select ssn from emp"}, authorization='Snowflake Token="tok-2"')
    assert found.dataset == "emp"


def test_rows_are_found_by_position_under_the_names_of_the_service():
    asker = signed_in()
    sql(asker, "select id as ssn, ssn as id from emp")
    delivery = asker.answer(arrow(("SSN", "ID")))
    (rows,) = delivery.rows
    assert (rows.format, rows.path, rows.base64, rows.shape) == ("arrow", "$.data.rowsetBase64", True, "arrays")
    assert origins(rows.columns) == [("SSN", ["id"]), ("ID", ["ssn"])] and not delivery.unreadable


def test_rows_in_json_and_errors():
    asker = signed_in()
    sql(asker, "select id, ssn from emp")
    (rows,) = asker.answer(arrow(rowsetBase64=None, rowset=[["1", "2"]], queryResultFormat="json")).rows
    assert (rows.format, rows.path, rows.base64) == ("json", "$.data.rowset", False)
    assert asker.answer(arrow(rowset=[["1", "2"]])).unreadable
    failed = asker.answer({"data": {"errorCode": "1"}, "message": "'123-45-6789' is not a number", "success": False})
    assert "$.message" in failed.leaks and not failed.rows
    assert asker.answer(b"not JSON").unreadable and asker.answer(b"{}", decoded=False).unreadable


def test_where_statement_and_service_disagree_nothing_is_known_of_any_column():
    asker = signed_in()
    sql(asker, "select id, name from emp")
    assert origins(asker.answer(arrow(("A", "B", "C"))).rows[0].columns) == [("A", None), ("B", None), ("C", None)]
    assert asker.answer(arrow(rowtype=None)).unreadable
    assert asker.answer(arrow(rowtype=[{"name": 3}])).unreadable


def test_results_are_followed_by_handle_by_who_asked_alone():
    asker = signed_in()
    asked = sql(asker, "select id, ssn from emp", asyncExec=True)
    asker.answer({"data": {"queryId": "q-9", "getResultUrl": "/queries/q-9/result"}, "code": "333334", "success": True})
    got = asker.ask("GET /queries/q-9/result?request_guid=3")
    assert (got.kind, got.dataset, got.outputs, got.statement) == ("read", "emp", asked.outputs, asked.statement)
    assert origins(asker.answer(arrow()).rows[0].columns) == [("ID", ["id"]), ("SSN", ["ssn"])]
    polled = asker.ask("GET /monitoring/queries/q-9")
    assert (polled.kind, polled.dataset) == ("poll", "emp")
    scanned = sql(asker, "SELECT * FROM table(result_scan('q-9'))")
    assert (scanned.dataset, scanned.outputs, scanned.result) == ("emp", asked.outputs, "query:q-9")
    for line in ("GET /queries/q-9/result", "GET /monitoring/queries/q-9"):
        assert asker.another("idp eve").ask(line).owner == "idp ada"
    assert asker.ask("GET /queries/q-8/result").kind == "unknown"
    assert sql(asker, "select * from table(result_scan('q-8'))").kind == "unknown"


def test_chunks_lead_to_other_hosts_and_are_known_there():
    asker = signed_in()
    sql(asker, "select id, ssn from emp")
    url = "https://Bucket.s3.amazonaws.com/a/b%20c?X-Amz-Signature=1"
    delivery = asker.answer(arrow(chunks=[{"url": url, "rowCount": 9}], rowsetBase64=""))
    assert delivery.rows == () and not delivery.unreadable
    got = asker.ask("GET /a/b%20c?X-Amz-Signature=1", host="bucket.s3.amazonaws.com")
    assert (got.kind, got.dataset) == ("read", "emp") and got.chunks[-1] == "chunk:arrow"
    (rows,) = asker.answer(b"ARROW").rows
    assert (rows.format, rows.path) == ("arrow", "$") and origins(rows.columns) == [("id", ["id"]), ("ssn", ["ssn"])]
    assert asker.answer(b"\x1f\x8bzipped").unreadable and asker.answer(b"", 403).unreadable
    for line, host in (("GET /a/b%20c", "evil.test"), ("GET /a/other", "bucket.s3.amazonaws.com")):
        assert asker.ask(line, host=host).kind == "unknown"
    assert asker.ask("PUT /a/b%20c", b"x", host="bucket.s3.amazonaws.com").kind == "unknown"
    assert asker.another("idp eve").ask("GET /a/b%20c", host="bucket.s3.amazonaws.com").owner == "idp ada"


def test_chunks_of_what_is_not_known_exactly_take_the_services_columns():
    asker = signed_in()
    operation = sql(asker, "select * exclude (name) from nowhere.at.all")
    asker.answer(arrow(("A", "B"), chunks=[{"url": "https://b.test/c"}]))
    got = asker.ask("GET /c", host="b.test")
    assert got.outputs == operation.outputs  # what was not known when it was judged is not known now
    assert origins(asker.answer(b"ARROW").rows[0].columns) == [("A", None), ("B", None)]


def test_chunks_that_cannot_be_masked_say_so():
    asker = signed_in()
    sql(asker, "select id, ssn from emp")
    asker.answer(arrow(queryResultFormat="json", chunks=[{"url": "https://b.test/c"}]))
    asker.ask("GET /c", host="b.test")
    assert "beginning" in asker.answer(b'["1","2"],["3","4"]').unreadable
    sql(asker, "select id, ssn from emp")
    assert asker.answer(arrow(chunks=[{"url": 3}])).unreadable
    assert asker.answer(arrow(chunks="x")).unreadable
    assert asker.answer(arrow(chunks=[{"url": f"https://b.test/{i}"} for i in range(1001)])).unreadable


def test_several_statements_have_results_of_their_own():
    asker = signed_in()
    sql(asker, "select id from emp; select ssn from emp", parameters={"MULTI_STATEMENT_COUNT": 2})
    asker.answer(arrow(resultIds="q-2,q-3", rowsetBase64=None))
    for query in ("q-2", "q-3"):
        got = asker.ask(f"GET /queries/{query}/result")
        assert got.kind == "read" and got.outputs is None
        assert origins(asker.answer(arrow(("X",))).rows[0].columns) == [("X", None)]


def test_stage_transfers_are_uploads_and_exports():
    asker = signed_in()
    assert sql(asker, "put file:///data/up.csv @st1").kind == "upload"
    asker.answer(
        {
            "data": {
                "command": "UPLOAD",
                "src_locations": ["/data/up.csv"],
                "stageInfo": {"locationType": "GCS", "presignedUrl": "https://s.test/fs/up.csv.gz?x=1", "creds": {}},
            },
            "success": True,
        }
    )
    assert asker.ask("PUT /fs/up.csv.gz?x=1", b"data", host="s.test").kind == "upload"
    assert asker.ask("GET /fs/up.csv.gz?x=1", host="s.test").kind == "unknown"
    assert asker.ask("PUT /fs/other", b"data", host="s.test").kind == "unknown"
    for text in ("get @st1 file:///x", "copy into 's3://evil/x' from emp", "copy into @~/x from emp"):
        operation = sql(asker, text)
        assert operation.kind == "export", text
        assert operation.destination_side == "external"


NOT_UNDERSTOOD = [
    {},
    {"sqlText": 3},
    {"sqlText": "select 1", "surprise": True},
    {"sqlText": "select 1", "describeOnly": "yes"},
    {"sqlText": "select 1", "parameters": {"SEARCH_PATH": "x"}},
    {"sqlText": "select 1", "parameters": ["x"]},
    {"sqlText": "bogus garbage ((("},
    b'{"sqlText": "select 1", "sqlText": "drop table emp"}',
    b'{"sqlText": "select 1", "SQLTEXT": "drop table emp"}',
]


@pytest.mark.parametrize("document", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_unknown_and_stays_as_it_is(document):
    asker = signed_in()
    operation = asker.ask(QUERY, document, authorization=TOKEN, content_type="application/json")
    assert operation.kind == "unknown" and operation.route.startswith("query") and asker.sent is None


def test_a_login_that_changes_what_names_mean_is_unknown():
    bad = {"data": {**LOGIN["data"], "SESSION_PARAMETERS": {"SEARCH_PATH": "evil"}}}
    assert Asker(SnowflakeDialect()).ask("POST /session/v1/login-request", bad).kind == "unknown"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("POST /session?delete=true", "login"),
        ("POST /session/heartbeat?requestId=1", "poll"),
        ("POST /telemetry/send", "telemetry"),
        ("POST /queries/v1/abort-request", "cancel"),
        ("GET /", "unknown"),
        ("DELETE /session", "unknown"),
        ("POST /queries/v2/query-request", "unknown"),
        ("POST /api/v2/databases", "unknown"),
    ],
)
def test_routes(line, kind):
    assert Asker(SnowflakeDialect()).ask(line).kind == kind


def test_a_refusal_is_an_error_that_connectors_show_and_do_not_try_again():
    asker = signed_in()
    sql(asker, "select ssn from emp")
    answer = asker.refused()
    document = json.loads(answer.body)
    assert answer.status == 200 and document["success"] is False and document["message"] == SENTENCE
    assert document["data"] == {"errorCode": "003001", "sqlState": "42501", "internalError": False}
    headers = dict(answer.headers)
    assert headers["content-type"] == "application/json" and "no-store" in headers["cache-control"]
    assert 'details="policy-denied"' in headers["proxy-status"]
    asker.ask("GET /some/chunk", host="bucket.test")
    assert asker.refused().status == 404 and asker.refused().body.decode() == SENTENCE
    asker.ask("POST /api/v2/statements", {"statement": "select 1"})
    assert asker.refused().status == 422 and json.loads(asker.refused().body)["message"] == SENTENCE
    for status, code in ((407, "sign-in"), (503, "not-serving")):
        assert asker.refused(Refusal(status, code, "T", "D")) is None
    asker.ask("BREW /x")
    assert asker.refused(DENIED) is None


# the SQL API, in the documented shape

SUBMIT = "POST /api/v2/statements?async=false&requestId=1"


def api(asker, text, **members):
    document = {"statement": text, "timeout": 60, "database": "DB1", "schema": "S1", "warehouse": "W", **members}
    return asker.ask(SUBMIT, document, authorization="Bearer x")


def result(handle="h-1", names=("ID", "SSN"), data=(("1", "2"),), **more):
    types = [{"name": name, "type": "text"} for name in names]
    meta = {"numRows": 1, "format": "jsonv2", "rowType": types, "partitionInfo": [{"rowCount": 1}, {"rowCount": 9}]}
    return {"resultSetMetaData": meta, "data": data, "statementHandle": handle, "code": "090001", **more}


def test_the_api_names_database_and_schema_itself():
    asker = Asker(SnowflakeDialect())
    operation = api(asker, "select id, ssn from emp", role="R1")
    assert (operation.dataset, operation.claims) == ("emp", ("role=R1",))
    assert json.loads(asker.sent.body)["statement"] == "SELECT id, ssn FROM emp"
    assert not api(asker, "select id, ssn from emp", database="OTHER").declared
    assert api(asker, "select id, ssn from emp", database=None).dataset == "emp"


@pytest.mark.parametrize(
    "line", ["POST /queries/v1/query-request?requestId=r-1", "POST /api/v2/statements?requestId=r-1&retry=true"]
)
def test_a_request_id_that_was_sent_before_stands_for_what_was_asked_then(line):
    asker = signed_in()
    text = "statement" if "api" in line else "sqlText"
    where = {"database": "db1", "schema": "s1"} if "api" in line else {}
    first = asker.ask(line, {text: "select id, ssn from emp", **where}, authorization=TOKEN)
    again = asker.ask(line, {text: "select id, ssn from emp", **where}, authorization=TOKEN)
    assert again == first and again.parts == ()
    for other in ("select 1, 'x'", "select id, text from notes", "select 1, 'x'"):
        found = asker.ask(line, {text: other, **where}, authorization=TOKEN)
        assert found.outputs is None and any("ssn" in part.columns for part in found.parts)
    eve = asker.another("idp eve")
    assert eve.ask(line, {text: "select 1", **where}, authorization=TOKEN).kind == "unknown"
    elsewhere = line.replace("r-1", "r-2")
    assert asker.ask(elsewhere, {text: "select 1", **where}, authorization=TOKEN).parts == ()


def test_partitions_say_no_columns():
    asker = Asker(SnowflakeDialect())
    asked = api(asker, "select id, ssn from emp")
    (rows,) = asker.answer(result()).rows
    assert rows.path == "$.data" and origins(rows.columns) == [("ID", ["id"]), ("SSN", ["ssn"])]
    got = asker.ask("GET /api/v2/statements/h-1?partition=1&requestId=2")
    assert (got.chunks, got.outputs) == (("1",), asked.outputs)
    assert origins(asker.answer({"data": [["1", "2"]]}).rows[0].columns) == [("id", ["id"]), ("ssn", ["ssn"])]
    assert asker.another("idp eve").ask("GET /api/v2/statements/h-1?partition=1").owner == "idp ada"
    assert asker.ask("POST /api/v2/statements/h-1/cancel").kind == "cancel"
    asker.answer({"statementHandle": "h-1", "message": "too late"})
    assert asker.ask("GET /api/v2/statements/h-1").kind == "read"


def test_partitions_of_what_is_not_known_exactly():
    asker = Asker(SnowflakeDialect())
    asked = api(asker, "select * from nowhere.at.all")
    asker.answer(result(names=("A", "B")))
    got = asker.ask("GET /api/v2/statements/h-1?partition=1")
    assert got.outputs == asked.outputs
    assert origins(asker.answer({"data": [["1", "2"]]}).rows[0].columns) == [("A", None), ("B", None)]
    assert len(asker.answer({"data": [["1", "2", "3"]]}).rows[0].columns) == 3


def test_several_statements_and_async_ones():
    asker = Asker(SnowflakeDialect())
    api(asker, "select id from emp; select ssn from emp", parameters={"MULTI_STATEMENT_COUNT": "0"})
    asker.answer(result(data=None, statementHandles=["h-2", "h-3"]))
    assert asker.ask("GET /api/v2/statements/h-3").outputs is None
    api(asker, "select ssn from emp")
    late = asker.answer({"statementHandle": "h-5", "message": "running"}, 202)
    assert late.rows == () and "$.message" in late.leaks
    assert asker.ask("GET /api/v2/statements/h-5").dataset == "emp"


@pytest.mark.parametrize(
    "line",
    ["GET /api/v2/statements/h-1?partition=0&surprise=1", "GET /api/v2/statements/h%2F1", "GET /api/v2/statements/h 1"],
)
def test_odd_handles(line):
    asker = Asker(SnowflakeDialect())
    api(asker, "select 1")
    asker.answer(result())
    assert asker.ask(line).kind == "unknown"


@pytest.mark.parametrize("members", [{"parameters": {"search_path": "x"}}, {"surprise": 1}, {"statement": None}])
def test_what_the_api_is_sent_besides(members):
    assert api(Asker(SnowflakeDialect()), "select 1", **members).kind == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["sqlText", "parameters", "data", "rowtype", "rowset", "rowsetBase64", "chunks", "stageInfo", "queryId", "resultIds",
     "success", "statement", "statementHandle", "statementHandles", "resultSetMetaData", "database", "presignedUrls"]
)  # fmt: skip
DOCUMENTS = st.dictionaries(NAMES, st.dictionaries(NAMES, JSON, max_size=6) | JSON, max_size=8)
LINES = st.sampled_from(
    [QUERY, SUBMIT, "POST /session/v1/login-request", "GET /queries/q-1/result", "GET /api/v2/statements/h", "GET /x"]
)


@given(LINES, DOCUMENTS | st.binary(max_size=40), DOCUMENTS | st.binary(max_size=40), st.integers(200, 599))
def test_nothing_is_raised_and_what_is_not_understood_is_unknown(line, request, reply, status):
    asker = signed_in()
    operation = asker.ask(line, request, authorization=TOKEN)
    assert operation.kind in ("read", "unknown", "login", "write", "admin", "export", "script", "share", "upload")
    if operation.kind != "unknown":
        assert asker.sent is None or json.loads(asker.sent.body)
    delivery = asker.answer(reply, status)
    if isinstance(reply, bytes) and operation.kind == "read":
        assert delivery.unreadable
    assert asker.refused() is None or b"R12" in asker.refused().body


def test_what_a_connector_sends_anew_is_no_part_of_what_is_approved():
    asker = signed_in()
    operation = sql(asker, "select ssn from emp")
    assert {"query:requestId", "$.sequenceId", "$.querySubmissionTime"} <= set(operation.once)
    assert "$.sqlText" not in operation.once and "$.bindings" not in operation.once
    # The same statement in another schema may mean another table, and is another request.
    assert operation.place and operation.place != sql(signed_in("DB1", "S2"), "select ssn from emp").place


def test_where_nobody_knows_the_schema_nothing_is_taken_for_the_same():
    assert sql(Asker(SnowflakeDialect()), "select ssn from emp").once == ()
    assert api(Asker(SnowflakeDialect()), "select ssn from emp", database=None).once == ()
    assert api(Asker(SnowflakeDialect()), "select ssn from emp").once == ("query:requestId", "query:retry")
