"""trino's Python client against buenavista: what a person at the client sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.denials import asked_once
from tests.interop.warehouse_environments import TRINO

pytestmark = pytest.mark.interop

CHECKED = [
    (
        "trino",
        "buenavista 0.5.0 (one page; `nextUri`, spooling and cancelling in the documented shape)",
        "its Python client 0.340.0",
    )
]

POLICY = """
[services.trino]
hosts = ["trino.example.test"]
dialect = "trino"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "trino"
name = "memory.main.emp"
columns = { ssn = "restricted", salary = "pay", name = "personal" }
all_columns = ["id", "name", "ssn", "salary"]

[[rules]]
id = "reading"
effect = "allow"
who = ["group:engineering", "group:fraud"]
service = ["trino"]
kind = ["read", "poll", "cancel"]

[[rules]]
id = "laboratory"
effect = "allow"
service = ["trino"]
dataset = ["lab.*", "memory.lab.*"]
kind = ["read", "write", "admin"]

[[rules]]
id = "copies"
effect = "allow"
dataset = ["emp"]
kind = ["share"]

[[rules]]
id = "no-pay"
effect = "deny"
dataset = ["emp"]
columns = ["pay"]
reason = "Salaries are for the people team alone."
next_step = "Leave salary out."

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

CLIENT = """
import json, sys
from trino import dbapi
out = []
connection = dbapi.connect(host="trino.example.test", port=443, http_scheme="https", user="eng", catalog="memory",
                           schema="main", source="nightly-job", client_tags=["etl"], **json.loads(sys.argv[2]))
for text in json.loads(sys.argv[1]):
    cursor = connection.cursor()
    try:
        cursor.execute(text)
        out.append(cursor.fetchall())
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}")
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def gate(make_server, make_gate, tmp_path_factory):
    TRINO.make()
    script = Path(__file__).parent / "buenavista_server.py"
    server = make_server(
        lambda port: [TRINO.run("python"), str(script), str(port)], tmp_path_factory.mktemp("buenavista")
    )
    with make_gate(
        tmp_path_factory.mktemp("trino-gate"), POLICY.replace("@SERVER@", str(server.port)), with_console=True
    ) as gate:
        gate.server = server
        yield gate


def ask(gate, *statements, person="ada", **options):
    return gate.workstation(person).python(TRINO, CLIENT, json.dumps(statements), json.dumps(options)).json()


def sent_on(gate):
    """How many statements reached the service."""
    return sum("POST /v1/statement" in line for line in list(gate.server.output))


def refused(gate):
    return [exchange for exchange in gate.recorded() if exchange["verdict"] != "allow"]


def test_what_is_allowed_is_answered(gate):
    assert ask(gate, "select id from emp where id < 3 order by id -- yes", "select 1 /* x */") == [
        [[0], [1], [2]],
        [[1]],
    ]
    assert not any("-- yes" in line for line in list(gate.server.output))


def test_sensitive_columns_are_masked_by_where_they_come_from(gate):
    plain, renamed, made = ask(
        gate,
        "select id, ssn from emp where id < 2 order by id",
        "select ssn as harmless from emp where id = 5",
        "with a as (select ssn x from emp where id = 7) select reverse(x) y, 1 one from a",
    )
    assert (plain, renamed) == ([[0, "****0000"], [1, "****0001"]], [["****0005"]])
    assert made == [["[redacted]", 1]]
    assert ask(gate, "select ssn from emp where id = 4", person="grace") == [[["123-45-0004"]]]


def test_a_client_that_offers_spooling_gets_rows_that_were_masked(gate):
    (rows,) = ask(gate, "select ssn from emp where id = 1", encoding="json+zstd")
    assert rows == [["****0001"]]


def test_a_denial_is_read_once_and_nothing_goes_on(gate):
    before, known = sent_on(gate), len(refused(gate))
    with asked_once(gate, "trino's Python client"):
        (said,) = ask(gate, "select id, salary from emp")
    assert said.count("Salaries are for the people team alone.") == 1 and "PERMISSION_DENIED" in said
    assert (sent_on(gate), len(refused(gate))) == (before, known + 1)


def test_a_held_query_says_why_once_and_is_answered_once_it_was_approved(gate):
    before, known = sent_on(gate), len(refused(gate))
    (said,) = ask(gate, "select name from emp where id = 1")
    assert said.count("Names are for those who need them.") == 1, said
    assert (sent_on(gate), len(refused(gate))) == (before, known + 1)
    gate.approve("names")
    mine, other = ask(gate, "select name from emp where id = 1", "select name from emp where id = 2")
    assert mine == [["person 1"]]
    assert other.count("Names are for those who need them.") == 1, other  # a yes is for what was asked, and no more
    assert (sent_on(gate), len(gate.desk.listed("linus"))) == (before + 1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "select * from emp",
        "select e from emp e",
        "execute immediate 'select salary from emp'",
        "select 1 from emp where salary > 1000",
        "drop table emp",
        "select * from table(memory.system.query(query => 'select salary from emp'))",
        "create table x with (external_location = 's3://evil/') as select id from emp",
        "bogus (((",
    ],
)
def test_evasions_are_refused_before_the_service(gate, text):
    before = sent_on(gate)
    (said,) = ask(gate, text)
    assert "PERMISSION_DENIED" in said and sent_on(gate) == before, said


def test_no_view_and_no_copy_shows_what_is_masked(gate):
    """The policy lets everybody make tables and views in `lab`, and share what is in emp; the mask does not."""
    before = sent_on(gate)
    for text in (
        "create view lab.v as select ssn as harmless from emp",
        "create table lab.t as select ssn as harmless from emp",
        "insert into lab.t select reverse(ssn) from emp",
    ):
        (said,) = ask(gate, text)
        assert "national-ids" in said and "elsewhere than into the response" in said, said
    assert sent_on(gate) == before
    (undeclared,) = ask(gate, "select * from v")
    assert "No policy rule allows this" in undeclared and sent_on(gate) == before
    read = "select id from lab.ids where id < 2 order by id"
    assert ask(gate, "create view lab.ids as select id from emp", read)[1] == [[None], [None]]  # it could be anything
    assert ask(gate, read, person="grace") == [[[0], [1]]]
