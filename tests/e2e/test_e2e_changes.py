"""What changes while the gateway runs: its policy, what is left of a budget, and whether it runs at all."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime

import pytest

from tests.e2e.approving import Curl, Desk
from tests.origin import Origin, json_response
from tests.running import listening

ROWS = json_response(b'{"rows":[{"id":1,"ssn":"123-45-6789"},{"id":2,"ssn":"987-65-4321"}]}')
MADE = json_response(b'{"export":"e-1"}', status="201 Created")
BUDGET = """
[[rules]]
id = "enough-for-today"
effect = "deny"
who = ["person:grace"]
kind = ["read"]
budget = { distinct_chunks = 2, zone = "@NOON" }
reason = "Nobody needs more than two chunks in a day."

[jobs.notes]
dataset = "customers"
columns = ["id", "notes"]
chunks = ["0..9"]
who = ["group:engineering"]

[approvals]
hold_seconds = 200
""".replace("@NOON", f"Etc/GMT{datetime.now(UTC).hour - 12:+}")
"""The budget's day is that of a place where it is noon now: none ends while the tests run."""


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service, lambda request: MADE if request.startswith(b"POST") else ROWS)
    yield server
    server.close()


def made(gateway, folder, origin, **changes):
    return gateway(folder, [f"localhost:{origin.port}"], more=BUDGET, with_console=True, **changes)


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    with made(gateway, tmp_path_factory.mktemp("changes"), origin) as running:
        yield running


@pytest.fixture
def ending(request, gateway, origin, tmp_path):
    """A gateway for a test that ends it; what is in flight then has a second, or as many as the test says."""
    with made(gateway, tmp_path, origin, drain=getattr(request, "param", 1)) as running:
        yield running


@pytest.fixture
def read(gate, origin, provider):
    def read(person, path, *arguments):
        return Curl(gate, provider.token(person), f"https://localhost:{origin.port}{path}", *arguments).reply()

    return read


def test_a_policy_that_changes_is_in_force_for_the_next_request_and_a_broken_one_is_not(gate, read):
    path = "/datasets/customers/chunks/1"
    assert read("ada", path).status == 200
    file = gate.folder / "policy.toml"
    before = file.read_text()

    file.write_text(before + '\n[[rules]]\nid = "closed"\neffect = "deny"\nreason = "Closed for the audit."\n')
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for("is in force")
    refused = read("ada", path)
    assert (
        refused.status == 403
        and refused.json()["rules"] == ["closed"]
        and "Closed for the audit." in refused.json()["detail"]
    )

    file.write_text(before + '\n[[rules]]\nid = "closed"\neffect = "open"\n')
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for("policy.toml:.*|not in force|cannot be loaded|stays in force")
    assert read("ada", path).json()["rules"] == ["closed"]

    file.write_text(before)
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for("is in force")
    assert read("ada", path).status == 200


def test_a_budget_is_used_up_and_says_so(read, origin):
    for chunk in (1, 2, 1, 2):
        assert read("grace", f"/datasets/customers/chunks/{chunk}").status == 200
    before = len(origin.received)
    refused = read("grace", "/datasets/customers/chunks/3")
    assert refused.status == 403 and refused.json()["rules"] == ["enough-for-today"]
    assert "more than two chunks" in refused.json()["detail"]
    assert read("grace", "/datasets/customers/chunks/2").status == 200, "what was taken already is not more"
    assert b"/chunks/3" not in origin.received[before:]


def test_a_request_within_a_job_gets_what_the_job_needs_and_no_more(read, origin):
    job = ("-H", "Sluicegate-Job: notes")
    assert read("ada", "/datasets/customers/chunks/1?columns=id,notes", *job).status == 200
    before = len(origin.received)
    for path, named in (("1?columns=id,ssn", "ssn"), ("1", "columns"), ("10?columns=id", "10")):
        refused = read("ada", f"/datasets/customers/chunks/{path}", *job)
        assert refused.status == 403 and named in refused.json()["detail"], refused
    assert read("ada", "/datasets/customers/chunks/1?columns=id", "-H", "Sluicegate-Job: other").status == 403
    assert len(origin.received) == before, "nothing of that reached the service"
    assert b"sluicegate-job" not in bytes(origin.received).lower(), "the service is not told"


def test_a_request_that_is_held_when_the_gateway_ends_can_be_approved_afterwards(ending, origin, provider):
    desk, destination = Desk(ending, provider), "s3://partner-drop/at-the-end"
    url, body = f"https://localhost:{origin.port}/datasets/customers/exports", json.dumps({"destination": destination})
    held = Curl(ending, provider.token("ada"), url, "--json", body)
    code = desk.pending(destination)["code"]
    assert ending.stop() == 0
    answer = held.reply()
    assert answer.status == 503 and answer.headers["content-type"] == "application/problem+json", answer
    assert destination.encode() not in origin.received

    ending.start()
    assert desk.pending(destination)["code"] == code
    desk.approve(code)
    assert Curl(ending, provider.token("ada"), url, "--json", body).reply().status == 201
    assert bytes(origin.received).count(b"POST /datasets/customers/exports") == 1


@pytest.mark.parametrize("ending", [100], indirect=True)
def test_a_request_that_is_approved_while_the_gateway_ends_still_goes_through(ending, origin, provider):
    desk, destination = Desk(ending, provider), "s3://partner-drop/just-in-time"
    url, body = f"https://localhost:{origin.port}/datasets/customers/exports", json.dumps({"destination": destination})
    held = Curl(ending, provider.token("ada"), url, "--json", body)
    code = desk.pending(destination)["code"]
    ending.process.send_signal(signal.SIGTERM)
    while listening(ending.port):
        assert ending.process.poll() is None
    desk.approve(code)
    assert held.reply().status == 201
    assert ending.process.wait(60) == 0
