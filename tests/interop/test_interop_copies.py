"""A view or copy of masked columns through a real gateway: the service never hears of it, nor of reads of what is not declared."""

import json

import pytest

from tests.e2e.tunnels import Tunnel
from tests.origin import Origin, json_response

POLICY = """
[services.warehouse]
hosts = ["localhost:@PORT@"]
addresses = ["127.0.0.0/8", "::1/128"]
dialect = "trino"
default_catalog = "hive"
default_schema = "hr"

[datasets.emp]
service = "warehouse"
name = "hive.hr.emp"
columns = { ssn = "restricted" }
all_columns = ["id", "name", "ssn"]

[[rules]]
id = "warehouse-work"
effect = "allow"
service = ["warehouse"]
kind = ["read", "write", "admin"]

[[rules]]
id = "warehouse-scratch"
effect = "allow"
service = ["warehouse"]
dataset = ["scratch.*", "hive.scratch.*"]
kind = ["read", "write", "admin"]

[[rules]]
id = "warehouse-copies"
effect = "allow"
who = ["group:fraud"]
service = ["warehouse"]
kind = ["share"]

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""
RESULT = {"id": "q1", "columns": [{"name": "x", "type": "varchar"}], "data": [["123-45-6789"]], "stats": {}}


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service, lambda request: json_response(json.dumps(RESULT).encode()))
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(make_gate, origin, tmp_path_factory):
    with make_gate(tmp_path_factory.mktemp("copies"), POLICY.replace("@PORT@", str(origin.port))) as running:
        yield running


def ask(gate, origin, provider, statement, person="ada"):
    """Status and text of the answer, and what reached the service."""
    origin.received.clear()
    wire = Tunnel(gate, origin.port, provider.token(person))
    try:
        wire.send(wire.request("POST", "/v1/statement", statement.encode(), X_Trino_User=person))
        head = wire.head().decode()
        length = next(
            int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
        )
        return wire.exactly(length).decode(), bytes(origin.received)
    finally:
        wire.close()


@pytest.mark.parametrize(
    "statement",
    [
        "create view scratch.v as select ssn as harmless from emp",
        "create table scratch.t as select id, ssn from emp",
        "create materialized view scratch.m as select reverse(ssn) x from emp",
        "insert into scratch.t select ssn from emp",
        "create or replace view emp as select id, ssn as name from emp",
        "update emp set name = ssn",
        "alter table emp rename column ssn to harmless",
        "alter table emp rename to scratch.e",
        "execute immediate 'create view scratch.v as select ssn from emp'",
    ],
)
def test_a_masked_column_goes_into_nothing_else(gate, origin, provider, statement):
    said, arrived = ask(gate, origin, provider, statement)
    assert arrived == b"" and "123-45-" not in said
    assert "national-ids" in said or "No rule of the policy" in said, said


def test_what_is_not_declared_is_not_read_under_any_name(gate, origin, provider):
    said, arrived = ask(gate, origin, provider, "select * from v")
    assert arrived == b"" and "No rule of the policy" in said


def test_a_view_of_what_is_not_masked_is_made(gate, origin, provider):
    said, arrived = ask(gate, origin, provider, "create view scratch.v as select id, name from emp")
    assert b"CREATE VIEW" in arrived.upper() and "error" not in json.loads(said), said


def test_a_rule_lets_those_copy_who_see_it_anyway(gate, origin, provider):
    said, arrived = ask(gate, origin, provider, "create table scratch.t as select ssn from emp", "grace")
    assert b"CREATE TABLE" in arrived.upper() and "error" not in json.loads(said), said
