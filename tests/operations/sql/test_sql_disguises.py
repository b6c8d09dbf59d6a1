"""Ways round a mask or a deny that were tried: names that mean something else, and reading where nobody looks for it."""

from dataclasses import replace

import pytest

from sluicegate.operations.dialect import Known
from sluicegate.operations.sql import read_sql
from tests.operations.sql.tables import KNOWN, PARTIAL, every, from_ssn, opaque, reads_ssn

# language, statement, result columns made from ssn (None: coarse)
SHADOWED = [
    ("clickhouse", "with ssn as id select id from emp", [0]),
    ("clickhouse", "with ssn as id select emp.id, id as y from emp", [1]),
    ("clickhouse", "with (select max(ssn) from emp) as dname select id, dname from dept", [1]),
    ("clickhouse", "with ssn as id select y from (select id as y from emp)", [0]),
    ("clickhouse", "select * except('s.*') from emp", None),
    ("clickhouse", "select `emp.ssn` from emp", [0]),
    ("clickhouse", 'select e."emp.ssn" from emp e', [0]),
    ("snowflake", "select e.$3 from emp e", [0]),
    ("snowflake", "select y from (select e.$3 as y from emp e)", [0]),
    ("databricks", "select `(id)?+.+` from emp", [0]),
    ("databricks", "select e.`s.*` from emp e", [0]),
    ("databricks", "select `s.n` from emp", [0]),
    ("sqlite", "select rowid from emp", [0]),
    ("sqlite", "select e._rowid_, OID from emp e", [0, 1]),
]


@pytest.mark.parametrize("known", [KNOWN, PARTIAL], ids=["all columns", "some columns"])
@pytest.mark.parametrize(("language", "text", "made"), SHADOWED, ids=[case[1] for case in SHADOWED])
def test_another_name_for_a_column(language, text, made, known):
    operation = read_sql(text, language, known).operation
    assert not opaque(operation), operation.opaque
    assert from_ssn(operation) == made and reads_ssn(operation)
    assert not any(output.copied and output.origins is None for output in operation.outputs or ())


@pytest.mark.parametrize(
    ("language", "text"),
    [("databricks", "select `first name` from emp"), ("clickhouse", "select `first-name` from emp"),
     ("postgres", "select rowid from emp"), ("sqlite", "select id from emp")],
)  # fmt: skip
def test_an_odd_name_is_a_column_of_its_own(language, text):
    assert from_ssn(read_sql(text, language, PARTIAL).operation) == []


# language, statement
ELSEWHERE = [
    ("postgres", "insert into dept (id) values (1) returning (select max(ssn) from emp)"),
    ("sqlite", "insert into dept (id) values (1) returning id, (select max(ssn) from emp)"),
    ("sqlite", "insert into dept (id) values (1) returning load_extension('x')"),
    ("snowflake", "create table t using template (select ssn from emp)"),
    ("clickhouse", "create table t (a String default (select max(ssn) from emp)) engine=Memory"),
    ("clickhouse", "create table t (a String default dictGet('emp', 'ssn', 1)) engine=Memory"),
    ("postgres", "create table t (a text default (select max(ssn) from emp))"),
    ("postgres", "create table t (a text default pg_read_file('x'))"),
    ("clickhouse", "select id from dept where id in (emp)"),
    ("clickhouse", "select id from dept where id not in (db.emp)"),
    ("clickhouse", "select id from dept where id global in (emp)"),
    ("clickhouse", "select id from dept where (id, 1) in (emp)"),
    ("clickhouse", "select id from emp settings additional_table_filters={'emp': 'ssn = 1'}"),
    ("clickhouse", "select id from emp settings max_threads=1, additional_result_filter='id = 1'"),
    ("clickhouse", "select id from (select id from emp settings additional_result_filter='x') x"),
    ("clickhouse", "set max_threads=1, additional_result_filter='x'"),
    ("clickhouse", "set implicit_select=1"),
    ("clickhouse", "show processlist"),
    ("mysql", "show full processlist"),
    ("mysql", "show warnings"),
    ("databricks", "describe history emp"),
    ("databricks", "set spark.sql.parser.quotedRegexColumnNames=true"),
]


@pytest.mark.parametrize(("language", "text"), ELSEWHERE, ids=[case[1] for case in ELSEWHERE])
def test_what_reads_where_nobody_looks_is_found_or_not_understood(language, text):
    operation = read_sql(text, language, KNOWN).operation
    told = [one for one in every(operation) if one.dataset == "emp" and one.column_scope == "all"]
    assert told or any(one.kind in ("unknown", "share") and one.opaque for one in every(operation))


@pytest.mark.parametrize(
    "text",
    [
        "with (x) -> ssn as lower select lower(1) from emp",
        "with id -> ssn as upper select upper(id) from emp",
        "select lower(1), ((x) -> ssn) as lower from emp",
        "select arrayMap((x -> ssn) as lower, [1]), lower(id) from emp",
    ],
)
def test_a_function_that_a_query_makes_up_may_have_a_harmless_name(text):
    assert read_sql(text, "clickhouse", KNOWN).operation.kind == "unknown"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("clickhouse", "select id from emp where id in (1)"),
        ("clickhouse", "select id from emp where id in (select id from dept)"),
        ("clickhouse", "select arrayMap(x -> x + 1, [1]) as y from emp"),
        ("clickhouse", "select id from emp settings max_threads = 1, max_execution_time = 5 format JSON"),
        ("clickhouse", "set max_threads = 1"),
        ("clickhouse", "select id from emp where id in (1, name)"),
        ("clickhouse", "select JSONExtractString(name, 'a') as y from emp"),
        ("postgres", "insert into dept (id) values (1) returning id"),
        ("postgres", "create table t (a int default 1, b timestamp default now())"),
        ("databricks", "describe emp"),
        ("trino", "DEALLOCATE PREPARE st_x"),
        ("trino", "deallocate prepare p"),
        ("athena", "explain select id from emp"),
        ("athena", "explain analyze select id from emp"),
        ("athena", "show tables"),
        ("athena", "execute p using 1"),
    ],
)  # fmt: skip
def test_what_is_harmless_is_still_read(language, text):
    prepared = {"p": "select id from emp where id = ?"}
    operation = read_sql(text, language, KNOWN, prepared=prepared).operation
    assert not any(one.kind == "unknown" or one.opaque for one in every(operation)), operation.opaque
    assert not reads_ssn(operation) or operation.kind in ("write", "admin")


def test_athena_statements_inside_others_are_read():
    place = "to 's3://acme-lake/x/' with (format = 'JSON')"
    operation = read_sql(f"unload (select id from emp) {place}", "athena", KNOWN).operation
    assert (operation.kind, operation.destination_side, operation.columns) == ("export", "internal", ("id",))
    assert reads_ssn(read_sql("EXPLAIN ANALYZE select ssn from emp", "athena", KNOWN).operation)
    assert read_sql("show partitions emp", "athena", KNOWN).operation.kind == "unknown"


INSIDE = Known("wh", {"emp": "emp"}, {"emp": frozenset({"info.ssn"})}, (), {"emp": ("id", "info")})


@pytest.mark.parametrize("known", [INSIDE, replace(INSIDE, all_columns={})], ids=["all columns", "some columns"])
@pytest.mark.parametrize(
    "text",
    ["select info.ssn from emp", "select e.info.ssn as x from emp e", "select info from emp", "select info as id from emp",
     "select x.info.ssn from (select info from emp) x", "select e.info.name from emp e", "select INFO.SSN from emp"],
)  # fmt: skip
def test_a_field_inside_a_column_is_declared_by_its_path(text, known):
    for language in ("bigquery", "databricks", "trino", "snowflake", ""):
        operation = read_sql(text, language, known).operation
        assert "info.ssn" in operation.columns, language
        (output,) = operation.outputs
        assert ("emp", "info.ssn") in output.origins and not output.copied


def test_a_column_beside_it_is_not_meant():
    operation = read_sql("select id from emp", "bigquery", INSIDE).operation
    assert operation.columns == ("id",) and operation.outputs[0].copied
