"""Datasette itself with curl in `make test`, since it starts in a second; with requests, httpx and urllib in `make interop`."""

from __future__ import annotations

import json
import sqlite3
import sys
from urllib.parse import quote

import pytest

from tests.interop.denials import NEXT, REASON, asked_once, since
from tests.running import BIN

CHECKED = [("datasette", "Datasette 0.65.5", "requests, httpx, urllib, curl")]
POLICY = """
[services.data]
hosts = ["data.acme.example"]
dialect = "datasette"
connect = "http://127.0.0.1:@SERVICE@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "data"
name = "hr.emp"
columns = { ssn = "restricted", salary = "pay" }

[[rules]]
id = "people-read"
effect = "allow"
who = ["group:engineering", "group:fraud"]
kind = ["read"]

[[rules]]
id = "people-export"
effect = "allow"
who = ["group:engineering"]
kind = ["export"]
dataset = ["h?", "emp"]

[[rules]]
id = "no-salaries"
effect = "deny"
columns = ["salary"]
who = ["group:engineering"]
kind = ["read"]
reason = "Salaries are for payroll."
next_step = "Leave the column out."

[[rules]]
id = "whole-databases"
effect = "hold"
kind = ["export"]
approvers = ["group:data-stewards"]
reason = "A whole database is leaving."

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""
URL = "https://data.acme.example"
NARROW = "_col=name&_col=ssn&_nofacet=1"
SSN = "123-45-00"
"""What every ssn begins with."""


@pytest.fixture(scope="module")
def gate(make_gate, make_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasette")
    with sqlite3.connect(folder / "hr.db") as database:
        database.execute("create table emp (id integer primary key, name text, ssn text, salary integer)")
        rows = [(n, f"n{n}", f"{SSN}{n:02}", 1000 + n) for n in range(20)]
        database.executemany("insert into emp values (?, ?, ?, ?)", rows)
    database.close()
    serve = [str(BIN / "datasette"), "serve", "hr.db", "-h", "127.0.0.1", "-i", "hr.db", "-p"]
    server = make_server(lambda port: [*serve, str(port)], folder)
    policy = POLICY.replace("@SERVICE@", str(server.port))
    with make_gate(folder, policy, gateway='internal_destinations = ["s3://acme-*"]', with_console=True) as running:
        yield running


CLIENTS = {
    "requests": "import requests; r = requests.get(url, timeout=30); status, body = r.status_code, r.text",
    "httpx": "import httpx; r = httpx.get(url, timeout=30); status, body = r.status_code, r.text",
    "urllib": """
import urllib.request, urllib.error
try:
    r = urllib.request.urlopen(url, timeout=30)
except urllib.error.HTTPError as error:
    r = error
status, body = r.status, r.read().decode()""",
}


@pytest.fixture(params=["curl", *(pytest.param(name, marks=pytest.mark.interop) for name in CLIENTS)])
def ask(request, gate):
    """Asks for a path as somebody; status and text, as the client sees them."""

    def asked(path, person="ada"):
        station = gate.workstation(person)
        if request.param == "curl":
            said = station.run(["curl", "-sS", "--compressed", "-w", "\n%{http_code}", f"{URL}{path}"])
            assert said.code == 0, said.all
            body, _, status = said.out.rpartition("\n")
            return int(status), body
        code = f"import sys, json; url = sys.argv[1]\n{CLIENTS[request.param]}\nprint(json.dumps([status, body]))"
        return tuple(station.run([sys.executable, "-c", code, f"{URL}{path}"]).json())

    asked.client = f"{request.param} (Datasette)"
    return asked


def test_rows_arrive_masked(ask):
    status, body = ask(f"/hr/emp.json?{NARROW}&_size=2")
    assert (status, json.loads(body)["rows"]) == (200, [[0, "n0", "****0000"], [1, "n1", "****0001"]])
    assert SSN not in body


@pytest.mark.parametrize("shape", ["objects", "array"])
def test_other_shapes(gate, ask, shape):
    status, body = ask(f"/hr/emp.json?{NARROW}&_shape={shape}&_size=1")
    document = json.loads(body)
    assert (document if shape == "array" else document["rows"]) == [{"id": 0, "name": "n0", "ssn": "****0000"}]


def test_somebody_else_sees_them(ask):
    assert json.loads(ask(f"/hr/emp.json?{NARROW}&_size=1", "grace")[1])["rows"] == [[0, "n0", f"{SSN}00"]]


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("select ssn as number, id from emp limit 1", "****0000"),
        ("select upper(ssn) as x, id from emp limit 1", "[redacted]"),  # its last four need not be those of an ssn
        ("with a as (select ssn as b, id from emp) select b, id from a limit 1", "****0000"),
    ],
)
@pytest.mark.parametrize("shape", ["arrays", "array"])
def test_a_column_by_another_name_is_masked_by_where_it_comes_from(ask, statement, shown, shape):
    status, body = ask(f"/hr.json?_shape={shape}&sql={quote(statement)}")
    rows = json.loads(body)["rows"] if shape == "arrays" else [list(row.values()) for row in json.loads(body)]
    assert status == 200 and rows[0] == [shown, 0]


@pytest.mark.parametrize(
    "path",
    [
        "/hr/emp.json",
        f"/hr/emp.json?{NARROW}&_facet=salary",
        f"/hr/emp.json?{NARROW}&_sort=salary",
        "/hr/emp.csv?_stream=on",
        "/hr/emp/1.json",
        "/hr.json?sql=" + quote("select salary from emp"),
        "/hr.json?sql=" + quote("select s.salary as x from emp as s"),
    ],
)
def test_a_denial_is_said_once(gate, ask, path):
    before = len(gate.recorded())
    with asked_once(gate, ask.client):
        status, body = ask(path)
    assert status == 403
    document = json.loads(body)
    assert document["ok"] is False and document["error"].count(REASON) == document["error"].count(NEXT) == 1
    (exchange,) = since(gate, before)
    assert exchange["verdict"].startswith("refused") and "no-salaries" in exchange["rules"]


@pytest.mark.parametrize(
    "path",
    [
        "/hr/emp.json?_where=" + quote("ssn like '123%'"),
        "/hr.json?sql=" + quote("select load_extension('x')"),
        "/hr.json?sql=" + quote("attach database '/etc/x' as y"),
        "/hr/emp.json?_col=id&_COL=ssn",
        "/hr/~65mp.json",
    ],
)
def test_what_is_not_understood_is_refused(ask, path):
    status, body = ask(path)
    assert status == 403 and json.loads(body)["ok"] is False and SSN not in body


def test_nothing_is_sorted_by_what_is_masked(gate):
    said = gate.workstation().run(["curl", "-sSi", f"{URL}/hr/emp.json?_col=id&_col=name&_sort=ssn&_size=2"])
    assert "403" in said.out and "Leave ssn out" in said.out
    said.lacks(SSN)


def test_no_facets_of_what_is_masked(gate):
    said = gate.workstation().run(["curl", "-sSi", f"{URL}/hr/emp.json?{NARROW.replace('&_nofacet=1', '')}&_facet=ssn"])
    assert "403" in said.out and "Leave ssn out" in said.out
    said.lacks(SSN)


def test_pages_follow_each_other(gate):
    code = """
import json, requests
url, seen = "https://data.acme.example/hr/emp.json?_col=name&_col=ssn&_size=7&_shape=objects", []
while url:
    page = requests.get(url, timeout=30).json()
    seen += page["rows"]
    url = page["next_url"] and page["next_url"].replace("http://", "https://")
print(json.dumps(seen))
"""
    rows = gate.workstation().run([sys.executable, "-c", code]).json()
    assert [row["id"] for row in rows] == list(range(20)) and {row["ssn"][:4] for row in rows} == {"****"}


def test_a_whole_database_waits_for_an_approver(gate):
    before = len(gate.recorded())
    said = gate.workstation().run(["curl", "-sS", "-H", "Prefer: wait=0", f"{URL}/hr.db"])
    document = json.loads(said.out)
    assert document["ok"] is False and "Waiting for approval" in document["error"]
    (exchange,) = since(gate, before)
    assert exchange["verdict"].startswith("hold") and (exchange["kind"], exchange["rules"][0]) == (
        "export",
        "whole-databases",
    )
    assert gate.desk.listed("linus")[0]["state"] == "pending"
