"""Which base columns are read, and from which each result column is made: the table of cases, row by row."""

import pytest

from sluicegate.operations.sql import read_sql
from tests.operations.sql.tables import KNOWN, PARTIAL, exact, from_ssn, opaque, reads_ssn

# language, statement, result columns made from ssn (None: coarse), whether ssn is read at all
CASES = [
    ("", "select id, ssn from emp", [1], True),
    ("", "select e.ssn as x from emp e", [0], True),
    ("", "select * from emp", [2], True),
    ("", "select e.*, d.dname from emp e join dept d on e.dept_id=d.id", [2], True),
    ("snowflake", "select * exclude (ssn) from emp", [], False),
    ("bigquery", "select * replace(to_hex(md5(ssn)) as ssn) from emp", [2], True),
    ("", "with a as (select ssn s1, id from emp), b as (select s1 s2 from a) select reverse(s2) z from b", [0], True),
    ("", "with emp as (select id, ssn as name from emp) select name from emp", [0], True),
    ("postgres", "with emp as (select id, ssn as name from emp) select name from emp", [0], True),
    ("", "select (select max(ssn) from emp e2 where e2.id=d.id) m from dept d", [0], True),
    ("", "select id from emp where ssn like '123%'", [], True),
    ("", "select case when ssn='1' then 1 else 0 end f from emp", [0], True),
    ("", "select dname v from dept union all select ssn from emp", [0], True),
    ("", "select ssn from emp join dept using (id)", [0], True),
    ("", "select * from emp natural join dept", None, True),
    ("", "select string_agg(ssn,',') a, count(*) c, count(distinct ssn) from emp", [0, 2], True),
    ("", "with recursive r as (select id, ssn from emp union all select id, ssn from r) select ssn from r", [0], True),
    ("postgres", "select e from emp e", [0], True),
    ("postgres", "select row_to_json(e) j from emp e", [0], True),
    ("postgres", "select (e).ssn from emp e", [0], True),
    ("postgres", "table emp", [2], True),
    ("duckdb", "select columns('s.*') from emp", None, True),
    ("clickhouse", "select COLUMNS('ss') from emp", None, True),
    ("bigquery", "select to_json_string(e) from emp e", [0], True),
    ("snowflake", "select f.value from emp e, lateral flatten(input => object_construct(*)) f", [0], True),
    ("snowflake", "select object_construct(*) o from emp", [0], True),
    ("snowflake", 'select "SSN" from emp', [0], True),
    ("spark", "select explode(array(ssn)) x from emp", [0], True),
    ("trino", "select cast(row(id,ssn) as json) j from emp", [0], True),
    ("", "select id from dept where id in (select dept_id from emp where ssn='x')", [], True),
    ("", "select 1 from dept d where exists (select 1 from emp e where e.dept_id=d.id and e.ssn>'5')", [], True),
    # What the first look at the cases did not have.
    ("", "select id as ssn, ssn as id from emp", [1], True),
    ("", "select id from emp", [], False),
    ("", "select count(*) from emp", [], False),
    ("", "select 1 from dept where exists (select * from emp)", [], False),
    ("postgres", "with recursive r(a, b) as (select id, ssn from emp union all select b, a from r) select a from r", [0], True),
    ("postgres", "select ssn.id from emp ssn", [0], True),  # some services mean a field of the column
    ("clickhouse", "select ssn as id, id as y from emp", [0, 1], True),
    ("clickhouse", "select x from emp where (ssn as x) != ''", [0], True),
    ("clickhouse", "with (select max(ssn) from emp) as m select id, m from dept", [1], True),
    ("postgres", "select ssn as id, id as y from emp", [0], True),
    ("snowflake", "select ssn as zz, zz || 'a' as y from emp", [0, 1], True),
    ("postgres", "select x.b from (values (1, 2)) x(a, b)", [], False),
    ("postgres", "select y from emp e cross join lateral (select e.ssn as y) l", [0], True),
    ("", "select row_number() over (order by ssn) r, id from emp", [0], True),
    ("", "select id in (select id from emp where ssn = '1') f from dept", [0], True),
    ("postgres", "with x as (with emp as (select 1 a) select a from emp) select e from emp e", [0], True),
    ("postgres", "select e.row_to_json from emp e", [0], True),
    ("bigquery", r"select `ss\x6e` from emp", [0], True),
    ("mysql", "select x'73736e' from emp", [], False),
    ("snowflake", "select $3 from emp", [0], True),
    ("duckdb", "from emp", [2], True),
    ("", "select n from emp as e(i, m, n, s, d)", [0], True),
    ("", "select b from (select id, ssn from emp) as x(a, b)", [0], True),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "made", "read"), CASES, ids=[case[1][:60] for case in CASES])
def test_each_case(language, text, made, read):
    operation = read_sql(text, language, KNOWN).operation
    assert not opaque(operation) or "function:columns" in operation.statements, operation.opaque
    assert from_ssn(operation) == made
    assert reads_ssn(operation) == read


@pytest.mark.parametrize(("language", "text", "made", "read"), CASES, ids=[case[1][:60] for case in CASES])
def test_no_case_says_less_where_the_policy_does_not_say_every_column(language, text, made, read):
    operation = read_sql(text, language, PARTIAL).operation
    found = from_ssn(operation)
    assert found is None or made is None or set(made) <= set(found)
    assert reads_ssn(operation) or not read


UNKNOWN = [
    ("snowflake", "select data:ssn::string s from raw_emp"),
    ("", "select * from emp_view"),
    ("", "SELECT s._3 FROM S3Object s"),
    ("snowflake", "select column1 from raw"),
]


def test_a_name_that_nobody_gave_is_not_known():
    operation = read_sql("select column1 from (values ('x')) t", "snowflake", KNOWN).operation
    assert (operation.dataset, operation.column_scope, operation.outputs[0].origins) == (None, "unknown", None)


@pytest.mark.parametrize(("language", "text"), UNKNOWN)
def test_tables_that_nobody_declared_are_not_known(language, text):
    operation = read_sql(text, language, KNOWN).operation
    assert not operation.declared and operation.column_scope == "unknown"
    assert operation.outputs is None or all(output.origins is None for output in operation.outputs)


REFUSED = [
    ("snowflake", "select ssn from table('emp')"),
    ("snowflake", "select $1, $3 from @mystage/emp.csv"),
    ("postgres", 'select U&"\\0073sn" from emp'),
    ("snowflake", "select ssn from identifier('emp')"),
    ("snowflake", "select * from table(result_scan(last_query_id()))"),
    ("duckdb", "select * from 'emp.parquet'.x/y"),
    ("duckdb", "select * from '/data/emp.parquet'"),
    ("duckdb", "select * from 'emp.csv'"),
    ("sqlite", "select id from dept where ssn in emp"),
    ("postgres", "with x as (delete from emp returning ssn) select * from x"),
]


@pytest.mark.parametrize(("language", "text"), REFUSED)
def test_what_names_no_table_is_not_understood(language, text):
    operation = read_sql(text, language, KNOWN).operation
    assert operation.kind == "unknown" and operation.opaque


WRITES = [
    ("", "insert into t2 select ssn from emp", "insert"),
    ("", "create table t2 as select ssn from emp", "create_table_as"),
    ("", "update t2 set s=emp.ssn from emp where emp.id=t2.id", "update"),
    ("postgres", "select ssn into dept from emp", "create_table_as"),
    ("", "merge into dept using emp on dept.id=emp.id when matched then update set dname=emp.ssn", "merge"),
]


@pytest.mark.parametrize(("language", "text", "kind"), WRITES)
def test_a_write_says_what_it_reads(language, text, kind):
    operation = read_sql(text, language, KNOWN).operation
    assert operation.kind == "write" and kind in operation.statements
    assert any(part.kind == "share" and part.dataset == "emp" for part in operation.parts) and reads_ssn(operation)


def test_several_tables_are_parts():
    operation = read_sql("select d.dname, e.ssn from dept d join emp e on e.dept_id = d.id", "trino", KNOWN).operation
    assert (operation.dataset, operation.columns, operation.predicates) == ("dept", ("dname",), ("id",))
    assert [(p.dataset, p.columns, p.predicates) for p in operation.parts] == [("emp", ("ssn",), ("dept_id",))]
    assert exact(operation)


@pytest.mark.parametrize(
    ("language", "text", "rows"),
    [
        ("", "select id from emp limit 7", 7),
        ("tsql", "select top 7 id from emp", 7),
        ("trino", "select id from emp fetch first 7 rows only", 7),
        ("trino", "select id from emp fetch first 7 rows with ties", None),
        ("tsql", "select top 7 percent id from emp", None),
        ("", "select id from emp union all select id from dept limit 7", 7),
        ("", "(select id from emp limit 7)", 7),
        ("clickhouse", "select id from emp limit 7 by name", None),
        ("postgres", "select id from emp limit 5 + 2", None),
        ("trino", "select id from emp limit ?", None),
        ("", "select id from (select id from emp limit 7) x", None),
        ("", "select id from emp limit 7; select id from dept limit 2", None),
    ],
)
def test_the_row_limit(language, text, rows):
    assert read_sql(text, language, KNOWN).operation.rows == rows


@pytest.mark.parametrize(
    ("language", "statement", "copied"),
    [
        ("", "select ssn, id from emp", [True, True]),
        ("", "select * from emp", [True] * 5),
        ("", "select e.ssn as x from emp e join dept d on e.dept_id = d.id", [True]),
        ("", "select ssn, dname from emp join dept on dept_id = dept.id", [True, True]),
        ("", "with a as (select ssn as s from emp) select s from a", [True]),
        ("", "with a as (select upper(ssn) as s from emp) select s from a", [False]),
        ("", "select substr(ssn, 1, 5) from emp", [False]),
        ("", "select 'abcd' || substr(ssn, 1, 4) as ssn from emp", [False]),
        ("", "select max(ssn) from emp", [False]),
        ("", "select cast(ssn as varchar) from emp", [False]),
        ("", "select (select ssn from emp limit 1) as s from dept", [False]),
        ("", "select ssn from emp union all select ssn from emp", [True]),
        ("", "select ssn from emp union all select upper(ssn) from emp", [False]),
        ("", "select 'x' as ssn", [False]),
        ("clickhouse", "select upper(ssn) as id, id from emp", [False, False]),
        ("snowflake", "select upper(ssn) as ssn, ssn as y from emp", [False, False]),
        ("bigquery", "select * replace(to_hex(md5(ssn)) as ssn) from emp", [True, True, False, True, True]),
        ("postgres", "select x.b from (select ssn from emp) x(b)", [True]),
        ("postgres", "select ssn.id from emp ssn", [False]),
    ],
)
def test_whether_values_are_copied_whole(language, statement, copied):
    outputs = read_sql(statement, language, KNOWN).operation.outputs
    assert [output.copied for output in outputs] == copied


def test_a_column_of_a_table_of_which_not_all_columns_are_said_is_copied_too():
    assert [o.copied for o in read_sql("select ssn, lower(ssn) from emp", "", PARTIAL).operation.outputs] == [
        True,
        False,
    ]
