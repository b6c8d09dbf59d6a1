"""roapi with requests and polars: its read-only mode exports all the same, unless the request is stopped."""

from __future__ import annotations

import json

import pytest

from tests.interop.denials import NEXT, REASON, asked_once, assert_said_once, since
from tests.interop.environments import Environment

pytestmark = pytest.mark.interop

CHECKED = [("roapi", "roapi 0.12.7", "requests 2.32.5, polars 1.35.2, curl")]

ROAPI = Environment("roapi", ("roapi==0.12.7",))
CLIENTS = Environment("roapi-clients", ("requests==2.32.5", "polars==1.35.2", "pyarrow==22.0.0"))
POLICY = """
[services.roapi]
hosts = ["tables.acme.example"]
dialect = "roapi"
connect = "http://127.0.0.1:@SERVICE@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "roapi"
columns = { ssn = "restricted", salary = "pay" }
all_columns = ["id", "ssn", "salary"]

[[rules]]
id = "people-read"
effect = "allow"
who = ["group:engineering", "group:fraud"]
kind = ["read", "poll"]

[[rules]]
id = "no-salaries"
effect = "deny"
columns = ["salary"]
reason = "Salaries are for payroll."
next_step = "Leave the column out."

[[rules]]
id = "exports-wait"
effect = "hold"
kind = ["export"]
approvers = ["group:data-stewards"]
hold_seconds = 1.0
reason = "Data is leaving."

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""
URL = "https://tables.acme.example/api"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roapi")


@pytest.fixture(scope="module")
def server(make_server, folder):
    ROAPI.make()
    CLIENTS.make()
    rows = "".join(f"{n},123-45-{n:04},{n}\n" for n in range(20))
    (folder / "emp.csv").write_text("id,ssn,salary\n" + rows)
    serve = [ROAPI.run("roapi"), "--table", "emp=emp.csv"]
    return make_server(lambda port: [*serve, "--addr-http", f"127.0.0.1:{port}"], folder)


@pytest.fixture(scope="module")
def gate(make_gate, server, folder):
    with make_gate(folder, POLICY.replace("@SERVICE@", str(server.port))) as running:
        yield running


def post(gate, path, text, person="ada", **headers):
    more = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    return gate.workstation(person).run(
        ["curl", "-sS", *more, "-H", "Content-Type: text/plain", "-d", text, f"{URL}/{path}"]
    )


def test_rows_arrive_masked(gate):
    code = "import requests, json; print(json.dumps(requests.get(%r, timeout=30).json()))"
    rows = gate.workstation().python(CLIENTS, code % f"{URL}/tables/emp?columns=id,ssn&limit=2").json()
    assert rows == [{"id": 0, "ssn": "****0000"}, {"id": 1, "ssn": "****0001"}]


@pytest.mark.parametrize(
    "media", ["application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file", "application/parquet"]
)
def test_columnar_rows_arrive_masked_in_polars(gate, media):
    reader = {"m": "read_ipc_stream", "e": "read_ipc", "t": "read_parquet"}[media[-1]]
    code = f"""
import io, json, polars, requests
body = requests.get("{URL}/tables/emp?columns=id,ssn&limit=2", headers={{"Accept": "{media}"}}, timeout=30).content
print(json.dumps(polars.{reader}(io.BytesIO(body)).rows()))
"""
    assert gate.workstation().python(CLIENTS, code).json() == [[0, "****0000"], [1, "****0001"]]


@pytest.mark.parametrize(
    ("path", "text", "masked", "clear"),
    [
        ("sql", "select ssn as x from emp order by id limit 1", "****0000", "123-45-0000"),
        ("sql", "select reverse(ssn) as x from emp order by id limit 1", "[redacted]", "0000-54-321"),
        ("graphql", "query { emp(limit: 1) { ssn } }", "****0000", "123-45-0000"),
    ],
)
def test_statements_are_masked_by_origin(gate, path, text, masked, clear):
    for person, shown in (("ada", masked), ("grace", clear)):
        (row,) = json.loads(post(gate, path, text, person).out)
        assert list(row.values()) == [shown]


@pytest.mark.parametrize("statement", ["COPY (SELECT id FROM emp) TO '{}'", "copy emp to '{}' stored as csv"])
def test_an_export_of_a_read_only_server_is_stopped(gate, server, folder, statement):
    target = folder / "exfil.csv"
    before = len(gate.recorded())
    said = post(gate, "sql", statement.format(target), Prefer="wait=0")
    assert "count" not in said.out and not target.exists()
    (exchange,) = since(gate, before)
    assert exchange["verdict"].startswith(("hold", "refused"))
    # Past the gate the same server does it, which is why the request has to be stopped.
    station = gate.workstation()
    proof = folder / "proof.csv"
    direct = station.run(
        ["curl", "-sS", "--noproxy", "*", "-d", statement.format(proof), f"http://127.0.0.1:{server.port}/api/sql"]
    )
    assert "count" in direct.out and proof.exists()


@pytest.mark.parametrize(
    ("path", "text"), [("sql", "select salary from emp"), ("sql", "select s.salary + 1 as x from emp s"), ("graphql", "{ emp { salary } }")]
)  # fmt: skip
def test_a_denial_is_said_once(gate, path, text):
    before = len(gate.recorded())
    with asked_once(gate, "curl (roapi)"):
        said = post(gate, path, text)
    assert_said_once(said, REASON, NEXT)
    assert len(since(gate, before)) == 1
