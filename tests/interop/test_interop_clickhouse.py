"""curl against ClickHouse 18.16: what a person at the terminal sees."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.interop.clickhouse_debian import configured, unpacked
from tests.interop.denials import asked_once

pytestmark = pytest.mark.interop

CHECKED = [("clickhouse", "ClickHouse 18.16.1 of Debian 12", "curl")]

POLICY = """
[services.clickhouse]
hosts = ["clickhouse.example.test"]
dialect = "clickhouse"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]
default_schema = "default"

[datasets.emp]
service = "clickhouse"
name = "hr.emp"
columns = { ssn = "restricted", salary = "pay", name = "personal" }
all_columns = ["id", "name", "ssn", "salary"]

[[rules]]
id = "reading"
effect = "allow"
who = ["group:engineering", "group:fraud"]
service = ["clickhouse"]
kind = ["read", "poll"]

[[rules]]
id = "no-pay"
effect = "deny"
dataset = ["emp"]
columns = ["pay"]
reason = "Salaries are for the people team alone."

[[rules]]
id = "names"
effect = "hold"
dataset = ["emp"]
columns = ["name"]
approvers = ["group:data-stewards"]
reason = "Names are for those who need them."

[approvals]
hold_seconds = 1.0

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""


@pytest.fixture(scope="module")
def gate(make_server, make_gate, tmp_path_factory):
    home, folder = unpacked(), tmp_path_factory.mktemp("clickhouse")
    libraries = f"{home}/usr/lib/x86_64-linux-gnu:{home}/lib/x86_64-linux-gnu"
    server = make_server(lambda port: configured(folder, port), folder, LD_LIBRARY_PATH=libraries)
    for statement in (
        "CREATE DATABASE hr",
        "CREATE TABLE hr.emp (id Int32, name String, ssn String, salary Int32) ENGINE = Memory",
        "INSERT INTO hr.emp SELECT number, concat('person ', toString(number)), "
        "concat('123-45-00', toString(10 + number)), 1000 + number FROM system.numbers LIMIT 20",
    ):
        assert direct(server, statement) == ""
    policy = POLICY.replace("@SERVER@", str(server.port))
    with make_gate(tmp_path_factory.mktemp("clickhouse-gate"), policy, with_console=True) as gate:
        gate.server = server
        yield gate


def direct(server, statement):
    """Ask the service without the gate."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/", statement.encode())
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def curl(gate, statement, *arguments, person="ada", query="?database=hr"):
    return gate.workstation(person).run(
        [
            "curl",
            "-sS",
            "--max-time",
            "60",
            *arguments,
            f"https://clickhouse.example.test/{query}",
            "--data-binary",
            "@-",
        ],
        text=statement,
    )


def refused(gate):
    return [exchange for exchange in gate.recorded() if exchange["verdict"] != "allow"]


def test_what_is_allowed_is_answered(gate):
    assert curl(gate, "select id from emp where id < 3 order by id /* x */").out == "0\n1\n2\n"
    assert curl(gate, "", query="?query=select+1%2B1").out == "2\n"
    assert curl(gate, "from emp where id = 4", query="?database=hr&query=select+id").out == "4\n"


@pytest.mark.parametrize("form", ["JSON", "JSONCompact"])
def test_sensitive_columns_are_masked_by_where_they_come_from(gate, form):
    for text, shown in (
        ("select id, ssn from emp", [[0, "****0010"], [1, "****0011"]]),
        ("select ssn as harmless, 1 as one from emp", [["****0010", 1], ["****0011", 1]]),
        ("select reverse(ssn) from emp", [["[redacted]"], ["[redacted]"]]),
    ):
        rows = json.loads(curl(gate, f"{text} where id < 2 order by id FORMAT {form}").out)["data"]
        assert [list(row.values()) if form == "JSON" else row for row in rows] == shown
    clear = curl(gate, f"select ssn from emp where id = 1 FORMAT {form}", person="grace")
    assert "123-45-0011" in clear.out


@pytest.mark.parametrize(
    "form", ["TabSeparated", "CSV", "CSVWithNames", "Native", "RowBinary", "JSONEachRow", "Pretty"]
)
def test_no_format_hands_them_out(gate, form):
    assert "123-45-" not in curl(gate, f"select id, ssn from emp FORMAT {form}", "--output", "-").all


def test_a_denial_is_read_once_and_is_no_rows(gate):
    known = len(refused(gate))
    with asked_once(gate, "curl (ClickHouse)"):
        said = curl(gate, "select salary from emp", "-w", "%{http_code}")
    assert said.out.count("Salaries are for the people team alone.") == 1 and said.out.endswith("403")
    assert said.out.startswith("Code: 497. DB::Exception: ") and len(refused(gate)) == known + 1


def test_a_held_query_says_why_once_and_is_answered_once_it_was_approved(gate):
    known = len(refused(gate))
    assert curl(gate, "select name from emp where id = 1").out.count("Names are for those who need them.") == 1
    assert len(refused(gate)) == known + 1
    gate.approve("names")
    assert curl(gate, "select name from emp where id = 1").out == "person 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO TABLE FUNCTION url('http://127.0.0.1:1/x','CSV','s String') SELECT ssn FROM emp",
        "CREATE TABLE ex (s String) ENGINE = URL('http://127.0.0.1:1/','CSV')",
        "DROP TABLE emp",
        "select id /* /* */ , salary from emp -- */",
        "select '\\', salary as x from emp --'",
        "select * from emp",
        "select id from emp; select salary from emp",
        "bogus (((",
    ],
)
def test_evasions(gate, text):
    said = curl(gate, text)
    assert "100" not in said.out.replace("1000000", "") or "DB::Exception" in said.out, said.out
    assert direct(gate.server, "select count() from hr.emp") == "20\n"
    assert direct(gate.server, "exists table hr.ex") == "0\n"


DISGUISED = [
    "WITH ssn AS id SELECT id FROM hr.emp",
    "WITH (SELECT any(ssn) FROM hr.emp) AS id SELECT id",
    "SELECT `emp.ssn` FROM hr.emp",
    "SELECT ssn AS id, id AS y FROM hr.emp",
    "SELECT id FROM hr.emp WHERE (ssn AS id) != ''",
    "SELECT id FROM hr.emp ARRAY JOIN [ssn] AS id",
    "SELECT arrayJoin([ssn]) AS id FROM hr.emp",
    "SELECT tupleElement((id, ssn), 2) AS id FROM hr.emp",
    "SELECT id FROM (SELECT ssn AS id FROM hr.emp)",
    "SELECT 'a' AS id UNION ALL SELECT ssn FROM hr.emp",
    "SELECT groupArray(ssn) AS id FROM hr.emp",
    "SELECT max(ssn) AS id FROM hr.emp GROUP BY hr.emp.id % 2 WITH TOTALS",
    "SELECT replaceAll(ssn, 'x', '') AS id FROM hr.emp",
    "SELECT arrayMap(x -> ssn, [1]) AS id FROM hr.emp",
    "SELECT z AS id FROM (SELECT id FROM hr.emp) ANY INNER JOIN (SELECT id, ssn AS z FROM hr.emp) USING id",
]


def test_no_disguise_brings_a_masked_value_through(gate):
    """What works at the service itself is tried through the gate, in each format that rows are found in."""
    working = [statement for statement in DISGUISED if "123-45-00" in direct(gate.server, statement)]
    assert len(working) > len(DISGUISED) // 2
    for statement in working:
        for form in ("JSON", "JSONCompact", "CSVWithNames", "TabSeparated"):
            assert "123-45-" not in curl(gate, f"{statement} FORMAT {form}").all, (statement, form)
        assert "123-45-" not in curl(gate, f"{statement} SETTINGS extremes = 1 FORMAT JSON").all, statement
    clear = curl(gate, f"{DISGUISED[8]} FORMAT JSON", person="grace")  # somebody who owes no mask
    assert "123-45-0010" in clear.out
