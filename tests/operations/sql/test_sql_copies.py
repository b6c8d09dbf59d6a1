"""Values of declared columns that go into another table, view or column: a kind of its own, whatever the statement."""

import pytest

from sluicegate.operations.sql import read_sql
from tests.operations.sql.tables import KNOWN, every

# language, statement, where ssn goes
TAKEN = [
    ("trino", "create view v as select ssn from emp", ("v",)),
    ("trino", "create or replace view hr.v as select ssn as harmless from emp", ("hr.v",)),
    ("trino", "create view v as select upper(ssn) || 'x' as y from emp", ("v",)),
    ("trino", "create view v as with a as (select ssn s from emp) select s from a", ("v",)),
    ("trino", "create view v as select dname from dept union all select ssn from emp", ("v",)),
    ("trino", "create table t as select ssn from emp with no data", ("t",)),
    ("trino", "create or replace view emp as select id, ssn as name from emp", ("emp",)),
    ("trino", "explain analyze create table t as select ssn from emp", ("t",)),
    ("trino", "execute immediate 'create view v as select ssn from emp'", ("v",)),
    ("trino", "prepare p from create view v as select ssn from emp", ("v",)),
    ("snowflake", "create secure view v (a) as select * from emp", ("v",)),
    ("snowflake", "create dynamic table d target_lag='1 minute' warehouse=w as select ssn from emp", ("d",)),
    ("snowflake", "create or replace table t clone emp at (offset => -60)", ("t",)),
    ("snowflake", "insert overwrite into t select ssn from emp", ("t",)),
    ("redshift", "create materialized view v as select ssn from emp", ("v",)),
    ("bigquery", "create table x copy emp", ("x",)),
    ("clickhouse", "create materialized view mv to dept as select ssn from emp", ("mv", "dept")),
    ("databricks", "create table x shallow clone emp", ("x",)),
    ("duckdb", "create temp view v as from emp", ("v",)),
    ("mysql", "create table t select ssn from emp", ("t",)),
    ("postgres", "create table t as table emp", ("t",)),
    ("postgres", "select ssn into t from emp", ("t",)),
    ("postgres", "insert into dept (dname) select ssn from emp", ("dept",)),
    ("postgres", "insert into dept values (1, (select max(ssn) from emp))", ("dept",)),
    ("postgres", "with x as (select ssn from emp) insert into dept select 1, ssn from x", ("dept",)),
    ("postgres", "insert into emp (id, name) select id, ssn from emp", ("emp",)),
    ("postgres", "update dept set dname = e.ssn from emp e where e.dept_id = dept.id", ("dept",)),
    ("postgres", "update dept set dname = (select max(ssn) from emp)", ("dept",)),
    ("postgres", "update emp set name = ssn where id = 1", ("emp",)),
    ("postgres", "update emp set name = (select x.ssn from emp x where x.id = emp.id)", ("emp",)),
    ("postgres", "merge into dept using emp on dept.id=emp.id when matched then update set dname=emp.ssn", ("dept",)),
    ("postgres", "merge into emp using dept d on d.id=emp.id when matched then update set name = emp.ssn", ("emp",)),
    ("postgres", "alter table emp rename to harmless", ("another table",)),
    ("postgres", "alter table emp rename column ssn to harmless", ("another table",)),
    ("postgres", "alter table emp alter column name type text using ssn", ("another table",)),
    ("postgres", "alter table emp add column y text generated always as (ssn) stored", ("another table",)),
    ("snowflake", "alter table harmless swap with emp", ("another table",)),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "into"), TAKEN, ids=[case[1] for case in TAKEN])
def test_what_is_taken_into_another_table_is_shared(language, text, into):
    operation = read_sql(text, language, KNOWN).operation
    found = [one for one in every(operation) if one.kind == "share"]
    assert [(one.dataset, one.declared, one.into) for one in found] == [("emp", True, into)]
    assert found[0].column_scope == "all" or "ssn" in found[0].columns  # the base columns are told
    assert found[0].outputs is None and found[0].statement is None
    assert operation.kind in ("write", "admin") and operation.statement == text  # what is written stands first


# language, statement: any table could be the source
UNTOLD = [
    ("snowflake", "create stream s on table emp"),
    ("snowflake", "create schema x clone hr"),
    ("snowflake", "create database x clone db"),
    ("snowflake", "insert all into t values (ssn) select ssn from emp"),
    ("bigquery", "create snapshot table x clone emp"),
    ("clickhouse", "create table t as emp"),
    ("clickhouse", "create dictionary d (a String) primary key a source(clickhouse(table 'emp'))"),
    ("databricks", "create live table x as select ssn from emp"),
    ("duckdb", "create macro m() as table select * from emp"),
    ("mysql", "replace into t select ssn from emp"),
    ("oracle", "create synonym s for emp"),
    ("tsql", "create synonym s for emp"),
    ("postgres", "create table t as execute p"),
    ("postgres", "create materialized view v as select ssn from emp with no data"),
    ("postgres", "create rule r as on select to t do instead select * from emp"),
    ("postgres", "insert into t (a) select ssn from emp on conflict do nothing"),
]


@pytest.mark.parametrize(("language", "text"), UNTOLD, ids=[case[1] for case in UNTOLD])
def test_where_it_cannot_be_told_what_is_taken_anything_may_be(language, text):
    operation = read_sql(text, language, KNOWN).operation
    found = [one for one in every(operation) if one.kind == "share"]
    assert [(one.dataset, one.column_scope, one.into) for one in found] == [(None, "unknown", ("another table",))]
    assert found[0].opaque


# language, statement
HARMLESS = [
    ("trino", "create view v as select id, name from emp"),
    ("trino", "create view v as select count(*) c from emp"),
    ("trino", "create table t (a int)"),
    ("trino", "insert into emp (id, ssn) values (1, 'x')"),
    ("trino", "delete from emp where ssn = 'x'"),
    ("postgres", "create table t (like emp including all)"),
    ("postgres", "create index i on emp (ssn)"),
    ("postgres", "alter table emp add column y text"),
    ("postgres", "alter table emp drop column name"),
    ("postgres", "update emp set ssn = upper(ssn) where name = 'x'"),
    ("postgres", "update emp set name = 'x' where ssn = '1'"),
    ("postgres", "merge into emp using dept d on d.id=emp.id when matched then update set name = d.dname"),
    ("postgres", "delete from emp using dept d where d.id = emp.dept_id"),
    ("postgres", "select ssn from emp"),
]


@pytest.mark.parametrize(("language", "text"), HARMLESS, ids=[case[1] for case in HARMLESS])
def test_what_takes_nothing_is_not_shared(language, text):
    assert not [one for one in every(read_sql(text, language, KNOWN).operation) if one.kind in ("share", "unknown")]


def test_an_export_stays_an_export():
    text = "create table x with (external_location='s3://elsewhere/') as select ssn from emp"
    operation = read_sql(text, "athena", KNOWN).operation
    assert {one.kind for one in every(operation)} == {"export"} and not any(one.into for one in every(operation))
