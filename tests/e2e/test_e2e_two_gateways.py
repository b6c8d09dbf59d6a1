"""Two gateways on one PostgreSQL: held at one, decided at the other, and passed once wherever the retry comes."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sluicegate.database import Database
from sluicegate.database.tables import approvals
from tests.e2e.approving import Curl, Desk, Reply
from tests.e2e.tunnels import Tunnel
from tests.origin import Origin, json_response

EXPORTS = "/datasets/customers/exports"
NUMBERS = itertools.count(1)
REDEEMERS, AT_ONCE = 1000, 50

MORE = """
[approvals]
hold_seconds = 200.0

[datasets.staff]
service = "chunks"
columns = { salary = "restricted" }

[[rules]]
id = "two-people"
effect = "hold"
kind = ["export"]
dataset = ["staff"]
approvers = ["group:data-stewards", "group:fraud"]
approval = { quorum = 2, reason = true, break_glass = ["group:engineering"] }
reason = "Salaries leave with two people's word."
"""
STAFF = "/datasets/staff/exports"


@pytest.fixture(scope="module")
def origin(certs):
    made = json_response(b'{"export":"e-1"}', status="201 Created")
    server = Origin(certs.service, lambda request: made)
    yield server
    server.close()


@pytest.fixture(scope="module")
def address(postgres):
    return postgres.new()


@pytest.fixture(scope="module")
def gates(gateway, origin, address, tmp_path_factory):
    """A and B, each with its own state folder and console, and one database."""
    url = address.set(drivername="postgresql").render_as_string(hide_password=False)
    changes = {
        "hosts": [f"localhost:{origin.port}"],
        "gateway": f'database = "{url}"',
        "more": MORE,
        "with_console": True,
    }
    with (
        gateway(tmp_path_factory.mktemp("a"), **changes) as a,
        gateway(tmp_path_factory.mktemp("b"), **changes) as b,
    ):
        yield a, b


@pytest.fixture
def desks(gates, provider):
    return [Desk(gate, provider) for gate in gates]


@pytest.fixture
def destination():
    return f"s3://partner-drop/two-{next(NUMBERS)}"


@pytest.fixture
def inside():
    """A bucket of our own, to which the rule that names two people holds exports alone."""
    return f"s3://acme-two/{next(NUMBERS)}"


@pytest.fixture
def export(origin, provider):
    """Starts a curl through a gateway; it waits when it is held."""
    started = []

    def asked(gate, destination, *arguments, person="ada", path=EXPORTS):
        content = json.dumps({"destination": destination, "chunks": [7]})
        url = f"https://localhost:{origin.port}{path}"
        started.append(Curl(gate, provider.token(person), url, "--json", content, *arguments))
        return started[-1]

    yield asked
    for curl in started:
        if curl.waits:
            curl.process.kill()
        curl.process.communicate()


def at_once(export, gate, destination) -> Reply:
    return export(gate, destination, "-H", "Prefer: wait=0").reply()


def sent(origin, destination) -> int:
    """How often the service was asked for this export."""
    return bytes(origin.received).count(f'"{destination}"'.encode())


def test_held_at_one_decided_at_the_others_console(gates, desks, origin, export, destination):
    waiting = export(gates[0], destination)
    pending = desks[1].pending(destination)
    assert waiting.waits and not sent(origin, destination)
    desks[1].approve(pending["code"])
    reply = waiting.reply()
    assert reply.status == 201 and sent(origin, destination) == 1
    assert at_once(export, gates[1], destination).json()["code"] != pending["code"]


def test_held_at_one_denied_by_the_command_at_the_other(gates, desks, origin, export, destination):
    waiting = export(gates[1], destination)
    code = desks[0].pending(destination)["code"]
    status, said = desks[0].cli("linus", "deny", code, "--reason", "Not to this bucket.")
    assert status == 0, said
    reply = waiting.reply()
    assert reply.status == 403 and "Not to this bucket." in reply.body.decode() and not sent(origin, destination)


def test_asked_at_one_approved_at_the_other_and_the_retry_passes_once_at_either(
    gates, desks, origin, export, destination
):
    code = at_once(export, gates[0], destination).json()["code"]
    assert at_once(export, gates[1], destination).json()["code"] == code
    desks[1].approve(code)
    assert at_once(export, gates[1], destination).status == 201
    again = at_once(export, gates[0], destination)
    assert again.status == 403 and again.json()["code"] != code and sent(origin, destination) == 1


def test_both_wait_for_one_grant_and_one_gets_it(gates, desks, address, origin, export, destination):
    first, second = export(gates[0], destination), export(gates[1], destination)
    code = desks[0].pending(destination)["code"]

    async def asked() -> int:
        database = Database(address)
        await database.open()
        row = await database.read(lambda c: c.execute(approvals.select().where(approvals.c.code == code)).one())
        await database.close()
        return len(row.exchanges)

    while asyncio.run(asked()) < 2:
        assert first.waits and second.waits
    desks[1].approve(code)
    assert sorted([first.reply().status, second.reply().status]) == [201, 403] and sent(origin, destination) == 1


def test_two_people_at_two_gateways_and_one_of_them_is_not_enough(gates, desks, origin, export, inside):
    waiting = export(gates[0], inside, path=STAFF)
    code = desks[1].pending(inside)["code"]
    status, said = desks[0].cli("linus", "approve", code)
    assert status == 1 and "reason" in said
    for _ in range(2):
        desks[0].cli("linus", "approve", code, "--reason", "The auditors asked for it.")
    assert desks[1].pending(inside)["code"] == code and waiting.waits and not sent(origin, inside)
    status, said = desks[1].cli("grace", "approve", code, "--reason", "I have seen the letter.")
    assert status == 0, said
    assert waiting.reply().status == 201 and sent(origin, inside) == 1


def test_glass_is_broken_at_one_for_who_waits_at_the_other_and_is_reviewed(gates, desks, origin, export, inside):
    waiting = export(gates[0], inside, path=STAFF)
    code = desks[0].pending(inside)["code"]
    status, said = desks[1].cli("ada", "break-glass", code, "--reason", "The pager rang at three.")
    assert status == 0, said
    assert waiting.reply().status == 201 and sent(origin, inside) == 1
    assert desks[0].cli("ada", "review", code, "--accept", "--note", "It was right.")[0] == 1, (
        "nobody reviews their own"
    )
    other = inside + "-more"
    held = export(gates[1], other, path=STAFF)
    second = desks[1].pending(other)["code"]
    status, said = desks[1].cli("linus", "review", code, "--accept", "--note", "It had rung.")
    assert status == 0, said
    status, said = desks[1].cli("ada", "withdraw", second)
    assert status == 0, said
    assert held.reply().status == 403 and not sent(origin, other)


def test_a_requester_sees_their_own_at_either(gates, desks, export, destination):
    code = at_once(export, gates[0], destination).json()["code"]
    assert code in {one["code"] for one in desks[1].listed("ada")}
    assert code not in {one["code"] for one in desks[1].listed("mallory")}
    assert desks[1].cli("mallory", "show", code)[0] == 1
    status, said = desks[1].cli("ada", "approve", code)
    assert status == 1 and "You asked for this yourself" in said


def test_a_thousand_redeemers_at_both_one_passes(gates, desks, origin, export, provider, destination):
    code = at_once(export, gates[0], destination).json()["code"]
    desks[1].approve(code)
    token, body = provider.token("ada"), json.dumps({"destination": destination, "chunks": [7]}).encode()
    start = threading.Barrier(AT_ONCE)

    def many(number: int) -> list[int]:
        tunnel = Tunnel(gates[number % 2], origin.port, token)
        start.wait(60)
        found = []
        for _ in range(REDEEMERS // AT_ONCE):
            tunnel.send(
                tunnel.request(
                    "POST", EXPORTS, body, content_type="application/json", accept="application/json", prefer="wait=0"
                )
            )
            found.append(tunnel.response()[0])
        return found

    with ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = [status for found in threads.map(many, range(AT_ONCE)) for status in found]
    assert len(statuses) == REDEEMERS
    assert (statuses.count(201), statuses.count(403)) == (1, REDEEMERS - 1) and sent(origin, destination) == 1
