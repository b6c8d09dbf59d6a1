"""Texts that two parsers read in two ways, and what real engines make of them."""

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.operations.sql import read_sql
from tests.operations.sql.tables import KNOWN, from_ssn, opaque, reads_ssn

# languages, text, verdict: "refused", or result columns made from ssn
CASES = [
    ("trino mysql snowflake bigquery postgres clickhouse databricks", "select id /* /* */ , ssn from emp /* */ */", "refused"),
    ("trino mysql snowflake bigquery postgres clickhouse databricks", "select id /* /* */ , ssn from emp -- */", "refused"),
    ("mysql trino snowflake", "select id /*!50000 , ssn */ from emp", "refused"),
    ("mysql trino", "select id /*M! , ssn */ from emp", "refused"),
    ("trino oracle", "select /*+ x(ssn) */ id from emp", []),
    ("snowflake", "select id // , ssn\n from emp", []),
    ("databricks trino", "select id // , ssn\n from emp", "refused"),
    ("trino snowflake", "select\xa0ssn\xa0from\xa0emp", [0]),
    ("trino snowflake", "ＳＥＬＥＣＴ ssn FROM emp", "refused"),
    ("postgres snowflake", "select $$a', ssn from emp --$$ from emp", []),
    ("trino mysql", "select $$a', ssn from emp --$$ from emp", "refused"),
    ("trino postgres", "select id\x00, ssn from emp", "refused"),
    ("trino", "select id\u200b, ssn from emp", "refused"),
    ("trino", "select id, ss\u202en from emp", "refused"),
    ("mysql", "select x'73736e' from emp", []),
    ("snowflake", "set x='emp'; select ssn from identifier($x)", "refused"),
    ("trino snowflake postgres", "select * from emp where id in ({{ x }})", "refused"),
    ("trino", "select * from emp where id in (${x})", "refused"),
    ("trino", "select id {% if x %}, ssn {% endif %} from emp", "refused"),
    ("trino", "{fn ucase(ssn)} ", "refused"),
    ("bigquery", "declare x string; set x=(select max(ssn) from emp); select x", "refused"),
    ("postgres", "cOpY(sElEcT ssn fRoM emp)tO/**/pRoGrAm'curl'", "refused"),
    ("postgres", "select query_to_xml('select ssn from emp',true,true,'')", "refused"),
    ("trino snowflake postgres", "select id as a, ssn as a from emp", [1]),
    ("trino snowflake", "select 1/(case when (select max(ssn) from emp)>'5' then 0 else 1 end)", [0]),
    ("trino postgres sqlite duckdb athena redshift", r"select '\', ssn as x from emp --'", "refused"),
    ("snowflake bigquery mysql", r"select '\', ssn as x from emp --' from emp", []),
    ("trino postgres", r"select id from emp where name like 'a\%' escape '\'", []),
    ("trino", "select id from emp /* not closed", "refused"),
    ("trino", "select id from emp */", "refused"),
    ("mysql clickhouse", "select id # , ssn\n from emp", []),
    ("trino postgres", "select id # , ssn\n from emp", "refused or more"),
    ("trino", "", "refused"),
    ("trino", ";;", "refused"),
    ("trino", "-- nothing", "refused"),
]  # fmt: skip
ROWS = [(language, text, verdict) for languages, text, verdict in CASES for language in languages.split()]


@pytest.mark.parametrize(("language", "text", "verdict"), ROWS, ids=[f"{row[0]} {row[1][:40]!r}" for row in ROWS])
def test_each_case(language, text, verdict):
    read = read_sql(text, language, KNOWN)
    if verdict == "refused":
        assert opaque(read.operation)
    elif verdict == "refused or more":
        assert opaque(read.operation) or reads_ssn(read.operation)
    else:
        assert not opaque(read.operation), read.operation.opaque
        assert from_ssn(read.operation) == verdict


def test_what_goes_out_has_no_comments_and_keeps_parameters():
    for text, language, out in [
        ("select id /* , ssn */ from emp -- x", "trino", "SELECT id FROM emp"),
        ("select id from emp where id = ? and name = :n", "snowflake", "SELECT id FROM emp WHERE id = ? AND name = :n"),
        ("select id from emp where id = $1", "postgres", "SELECT id FROM emp WHERE id = $1"),
        ("select id from emp where id = @x", "bigquery", "SELECT id FROM emp WHERE id = @x"),
        ("select id from emp where id = :x", "databricks", "SELECT id FROM emp WHERE id = :x"),
        ("select id from emp where id = {x:UInt8} format JSON", "clickhouse", "SELECT id FROM emp WHERE id = {x: UInt8} FORMAT JSON"),
        ("select id from emp settings max_threads=1 format JSON", "clickhouse", "SELECT id FROM emp SETTINGS max_threads = 1 FORMAT JSON"),
        ("show /* x */ tables", "trino", "show tables"),
        ("execute immediate 'select /* x */ id from emp where id = ?' using 3", "trino", "EXECUTE IMMEDIATE 'SELECT id FROM emp WHERE id = ?' using 3"),
    ]:  # fmt: skip
        read = read_sql(text, language, KNOWN)
        assert read.regenerated == out and not read.operation.opaque, text


ENGINES = [
    "select 1 as a /* /* */ , 2 as b -- */",
    r"select '\', 2 as b --'",
    "select 1 as a # , 2 as b",
    "select 1 as a // , 2 as b",
    "select\xa01\xa0as a",
    "select 1 as a /*! , 2 as b */",
    "select $$a$$ as a",
    'select "1" as a',
    "select 1 as a;select 2 as b",
    "select 1 as a /* x */, 2 as b",
    "select 'a''b' as a, 2 as b -- , 3",
    "select 1 as a /**/ /* , 2 as b */ , 3 as c",
]


@pytest.mark.parametrize("text", ENGINES)
def test_sqlite_never_returns_more_columns_than_were_read(text):
    read = read_sql(text, "sqlite", KNOWN)
    connection = sqlite3.connect(":memory:")
    try:
        names = [column[0] for column in connection.execute(text).description]
    except (sqlite3.Error, sqlite3.Warning):
        names = None
    if not opaque(read.operation) and read.operation.outputs is not None and names is not None:
        assert len(names) == len(read.operation.outputs)
        again = connection.execute(read.regenerated).description
        assert len(again) == len(names)
    connection.close()


WORDS = st.sampled_from(
    [
        "select",
        "ssn",
        "id",
        "*",
        "from",
        "emp",
        "dept",
        "where",
        "and",
        "or",
        "(",
        ")",
        ",",
        ".",
        ";",
        "'",
        '"',
        "`",
        "--",
        "/*",
        "*/",
        "#",
        "//",
        "\\",
        "{",
        "}",
        "{{",
        "}}",
        "[",
        "]",
        "$1",
        "?",
        ":x",
        "@x",
        "union",
        "all",
        "with",
        "as",
        "recursive",
        "lateral",
        "unnest",
        "values",
        "insert",
        "into",
        "update",
        "set",
        "delete",
        "create",
        "table",
        "copy",
        "to",
        "explain",
        "execute",
        "immediate",
        "prepare",
        "using",
        "join",
        "on",
        "natural",
        "limit",
        "order",
        "by",
        "group",
        "in",
        "exists",
        "case",
        "when",
        "then",
        "else",
        "end",
        "cast",
        "::",
        "->",
        "$$",
        "e'a'",
        "1",
        "1.5",
        "null",
        "not",
        "\x00",
        "\u200b",
        "é",
        "ſsn",
        "format",
        "settings",
        "pivot",
        "over",
        "partition",
        "unload",
        "call",
        "begin",
        "use",
        "show",
        "describe",
        "grant",
    ]
)
LANGUAGES = st.sampled_from(
    [
        "snowflake",
        "trino",
        "postgres",
        "bigquery",
        "clickhouse",
        "duckdb",
        "sqlite",
        "mysql",
        "redshift",
        "athena",
        "databricks",
        "tsql",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=14).map(" ".join), LANGUAGES)
def test_any_words_have_an_outcome(text, language):
    read = read_sql(text, language, KNOWN)
    assert read.operation.statement == text
    assert read.operation.opaque or read.operation.kind != "unknown"
    assert all(not part.parts for part in read.operation.parts)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), LANGUAGES)
def test_any_text_has_an_outcome(text, language):
    read_sql(text, language, KNOWN)


BASE = "with a as (select e.id, e.ssn x from emp e join dept d on d.id = e.dept_id where e.name like 'a%') select x, count(*) from a group by x"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.text("'\"`;()*/-#\\ \n,.sn{}$", max_size=4), LANGUAGES)
def test_any_change_of_a_statement_has_an_outcome(at, cut, put, language):
    read = read_sql(BASE[:at] + put + BASE[at + cut :], language, KNOWN)
    if read.regenerated is not None:
        again = read_sql(read.regenerated, language, KNOWN)
        assert replace(again.operation, statement="") == replace(read.operation, statement="")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("show stats for emp", "trino"),
        ("SHOW/**/STATS FOR emp", "trino"),
        ("show partitions emp", "databricks"),
        ("show statistics for table emp", "postgres"),
        ("show ranges from table emp", "postgres"),
    ],
)
def test_what_shows_values_of_rows_is_not_a_question_about_the_database(text, language):
    assert read_sql(text, language, KNOWN).operation.kind == "unknown"
    assert read_sql("show tables", language, KNOWN).operation.kind == "read"


@pytest.mark.parametrize(
    "text",
    [
        "select {c:Identifier} from emp",
        "select id, {c: identifier} as x from emp",
        "select {c:/* */Identifier} from emp",
        "select id from {t:Identifier}",
        "select id from dept where {c:Identifier} like '1%'",
        "with a as (select {c:Identifier} as x from emp) select x from a",
        "insert into dept select {c:Identifier} from emp",
    ],
)
def test_a_parameter_that_stands_for_a_name_may_be_any_column(text):
    operation = read_sql(text, "clickhouse", KNOWN).operation
    assert operation.opaque and operation.column_scope == "unknown" and operation.outputs is None


def test_parameters_that_stand_for_values_are_read():
    read = read_sql("select id, {v:String} as v from emp where id = {w:UInt64}", "clickhouse", KNOWN)
    assert read.operation.kind == "read" and not from_ssn(read.operation)
