"""snowflake-connector-python, 4.x and 5.x, against fakesnow: what a person at the connector sees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.interop.denials import asked_once
from tests.interop.warehouse_environments import FAKESNOW, SNOWFLAKE_5

pytestmark = pytest.mark.interop

CHECKED = [
    (
        "snowflake",
        "fakesnow 0.12.1 (result chunks, multiple statements and SQL API v2 in the documented shape)",
        "snowflake-connector-python 4.8.1 and 5.2.0",
    )
]

HOST = "acct.snowflakecomputing.com"
POLICY = """
[services.warehouse]
hosts = ["acct.snowflakecomputing.com"]
dialect = "snowflake"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "warehouse"
name = "db1.s1.emp"
columns = { ssn = "restricted", salary = "pay" }
all_columns = ["id", "name", "ssn", "salary"]

[datasets.grades]
service = "warehouse"
name = "db1.s1.grades"
all_columns = ["id", "grade"]

[datasets.notes]
service = "warehouse"
name = "db1.s1.notes"
all_columns = ["id", "text"]

[[rules]]
id = "sessions"
effect = "allow"
service = ["warehouse"]
kind = ["login", "poll", "telemetry", "cancel", "upload"]

[[rules]]
id = "reading"
effect = "allow"
who = ["group:engineering", "group:fraud"]
service = ["warehouse"]
kind = ["read"]

[[rules]]
id = "notes"
effect = "allow"
who = ["group:engineering"]
dataset = ["notes"]
kind = ["write"]

[[rules]]
id = "stages"
effect = "allow"
who = ["group:engineering"]
service = ["warehouse"]
dataset = ["*"]
kind = ["admin"]
statements = ["create_stage"]

[[rules]]
id = "no-pay"
effect = "deny"
dataset = ["emp"]
kind = ["read"]
columns = ["pay"]
reason = "Salaries are for the people team alone."
next_step = "Leave salary out."

[[rules]]
id = "grades"
effect = "hold"
dataset = ["grades"]
kind = ["read"]
approvers = ["group:data-stewards"]
reason = "Grades are for those who need them."

[[rules]]
id = "exports"
effect = "hold"
service = ["warehouse"]
kind = ["export"]
destination = "external"
approvers = ["group:data-stewards"]
reason = "Data is leaving for a bucket that we do not own."

[approvals]
hold_seconds = 1.0

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""

CLIENT = """
import json, sys
import snowflake.connector
def shown(row):
    return [value if isinstance(value, (int, str, type(None))) else str(value) for value in row]
out = []
connection = snowflake.connector.connect(
    account="acct", user="fake", password=sys.argv[2], database="db1", schema="s1", login_timeout=15, network_timeout=20,
)
cursor = connection.cursor()
for statement in json.loads(sys.argv[1]):
    text, *bound = statement if isinstance(statement, list) else [statement]
    try:
        cursor.execute(text, bound[0] if bound else None)
        out.append([shown(row) for row in cursor.fetchall()])
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}")
connection.close()
print(json.dumps(out))
"""
PASSWORD = "snow-hunter2-secret"


@pytest.fixture(scope="module", params=["4.x", "5.x"])
def client(request):
    """The environment of a connector."""
    FAKESNOW.make()
    return FAKESNOW if request.param == "4.x" else SNOWFLAKE_5.make()


@pytest.fixture(scope="module")
def gate(make_server, make_gate, tmp_path_factory):
    FAKESNOW.make()
    script = Path(__file__).parent / "fakesnow_server.py"
    server = make_server(
        lambda port: [FAKESNOW.run("python"), str(script), str(port)], tmp_path_factory.mktemp("fakesnow")
    )
    policy = POLICY.replace("@SERVER@", str(server.port))
    with make_gate(tmp_path_factory.mktemp("snowflake-gate"), policy, with_console=True) as gate:
        gate.server = server
        yield gate


def ask(gate, client, *statements, person="ada"):
    said = gate.workstation(person).python(client, CLIENT, json.dumps(statements), PASSWORD)
    return said.json()


def sent_on(gate):
    """How many statements reached the service."""
    return sum("query-request" in line for line in list(gate.server.output))


def refused(gate):
    """The refused statements that were recorded."""
    return [e for e in gate.recorded() if e["verdict"] != "allow" and "query-request" in e["request"]]


def test_what_is_allowed_is_answered_in_the_connectors_own_types(gate, client):
    rows, parameter, one, used = ask(
        gate,
        client,
        "select id, name /* all of them */ from emp where id < 3 order by id -- yes",
        ["select name from emp where id = %s", [3]],
        "select 1",
        "use schema s1",
    )
    assert rows == [[0, "person 0"], [1, "person 1"], [2, "person 2"]]
    assert (parameter, one, used) == ([["person 3"]], [[1]], [["Statement executed successfully."]])


def test_sensitive_columns_are_masked_wherever_they_came_from(gate, client):
    plain, renamed, exchanged, joined = ask(
        gate,
        client,
        "select id, ssn from emp where id < 2 order by id",
        "select ssn as harmless from emp where id = 5",
        "select ssn as harmless, id as ssn from emp where id = 5",
        "with a as (select ssn x from emp where id = 7) select reverse(x) y, 'z' || x w, 1 one from a",
    )
    assert plain == [[0, "****0000"], [1, "****0001"]]
    assert renamed == [["****0005"]]
    assert exchanged == [["[redacted]", None]]  # `ssn` may mean either here, so neither is taken for whole
    assert joined == [["[redacted]", "[redacted]", 1]]


def test_fraud_sees_them(gate, client):
    assert ask(gate, client, "select ssn from emp where id = 4", person="grace") == [[["123-45-0004"]]]


def test_a_denial_is_read_once_and_nothing_goes_on(gate, client):
    before, known = sent_on(gate), len(refused(gate))
    name = {"fakesnow": "snowflake-connector-python 4", "snowflake-5": "snowflake-connector-python 5"}[client.name]
    with asked_once(gate, name, of="query-request"):
        (said,) = ask(gate, client, "select id, salary from emp")
    assert said.count("Salaries are for the people team alone.") == said.count("Leave salary out.") == 1
    assert "no-pay" in said and said.startswith("ProgrammingError: 003001 (42501)")
    assert (sent_on(gate), len(refused(gate))) == (before, known + 1)


def test_a_held_export_says_who_decides_and_nothing_goes_on(gate, client):
    before, known = sent_on(gate), len(refused(gate))
    (said,) = ask(gate, client, "copy into 's3://evil-bucket/x' from (select id, name from emp)", person="grace")
    assert said.count("Data is leaving for a bucket that we do not own.") == 1, said
    assert (sent_on(gate), len(refused(gate))) == (before, known + 1)


def test_a_held_query_is_answered_once_it_was_approved(gate, client):
    before, known = sent_on(gate), len(refused(gate))
    query = f"select grade from grades where id = {'12'[client is SNOWFLAKE_5]}"  # an approval is for one statement
    (said,) = ask(gate, client, query)
    assert said.count("Grades are for those who need them.") == 1, said
    assert (sent_on(gate), len(refused(gate))) == (before, known + 1)
    gate.approve("grades")
    assert ask(gate, client, query) == [[["B" if client is SNOWFLAKE_5 else "A"]]]
    assert sent_on(gate) == before + 1


EVASIONS = [
    "select sal/**/ary from emp",
    "select 1; select salary from emp",
    "drop table emp",
    "create table x clone emp",
    "execute immediate 'select salary from emp'",
    "select * from identifier('emp')",
    "select object_construct(*) from emp",
    "bogus (((",
]


@pytest.mark.parametrize("text", EVASIONS)
def test_evasions_are_refused_before_the_service(gate, client, text):
    before = sent_on(gate)
    (said,) = ask(gate, client, text)
    assert said.startswith("ProgrammingError: 003001 (42501)"), said
    assert sent_on(gate) == before


def test_a_file_is_put_where_the_service_says(gate, client):
    file = gate.folder / f"home-ada/up-{client.name}.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text("1,one\n")
    stage = f"st_{client.name.replace('-', '_')}"
    made, put = ask(gate, client, f"create stage if not exists {stage}", f"put file://{file} @{stage}")
    if client is SNOWFLAKE_5:
        # fakesnow does not say the region of its stages, and this connector stops there, behind the gate.
        assert "successfully created" in json.dumps(made) and "stage info -> region" in put, (made, put)
        return
    assert "UPLOADED" in json.dumps(put), (made, put)
    uploads = [e for e in gate.recorded() if re.match(r"PUT https://[^/]+/fs_bucket/", e["request"])]
    assert uploads and all(e["kind"] == "upload" and e["verdict"] == "allow" for e in uploads)


def test_no_password_and_no_token_of_the_service_is_kept(gate, client):
    ask(gate, client, "select 1")
    for path in gate.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content and b"the-master-token" not in content, path
