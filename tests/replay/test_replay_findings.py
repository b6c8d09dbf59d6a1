"""Findings and exposure out of recordings: as they were recorded, the same when found anew, and never a way into a terminal."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys

import pytest
from mitmproxy import http
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from sluicegate.cli.recording_relearn import Read, _learned
from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import habits
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.exposing import ExposureAddon
from sluicegate.detection.habit import unpack
from sluicegate.detection.holdings import HoldingsAddon
from sluicegate.detection.relearned import states
from sluicegate.detection.taint import worker
from sluicegate.exchange import Exchange, Exposure, Message, Operation, Principal, Verdict
from sluicegate.settings import State, load
from sluicegate_replay import cli
from tests.recording.recorders import recording

START = 1_795_470_301.0
PEOPLE = [{"id": n, "name": f"Person Number{n}", "email": f"person{n}@example{n}.org", "ssn": "***"} for n in range(20)]
ADA = Principal("ada", "https://idp", frozenset({"eng"}), session="s", name="Ada \x1b]0;owned\x07 Lovelace")
POLICY = """
[identity]
issuer = "https://idp.test"
[dialects.chunks]
routes = [{ request = "GET /", kind = "read" }]
[services.chunks]
hosts = ["chunks.test"]
dialect = "chunks"
[datasets.customers]
service = "chunks"
columns = { ssn = "restricted", email = "personal" }
[jobs.letters]
dataset = "customers"
columns = ["id", "email"]
who = ["group:eng"]
[detection]
observe_days = 0.0
taint_seconds = 8.0
"""


async def record(root, monkeypatch) -> list[str]:
    """What a gateway does with a few exchanges, live; the ids of what it found, in order."""
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)
    loaded = load(root / "policy.toml")
    clock, state = SetClock(START), State(root / "state").open()
    database = Database.at(state.database)
    risk = RiskAddon(loaded, state, database, clock)
    exposure = ExposureAddon(loaded.settings, risk)
    recorded = recording(state, database, clock, loaded.settings.recording)
    rooms = (risk, exposure, HoldingsAddon(risk), recorded)
    await database.open()
    for room in (risk, recorded):
        await room.open()
    found = []

    async def send(number, operation, body=b"", answer=PEOPLE, exposed=("id", "name", "email"), **changes):
        flow = tflow.tflow(
            resp=tutils.tresp(
                content=json.dumps({"rows": answer}).encode(), headers=[(b"content-type", b"application/json")]
            )
        )
        flow.request.raw_content = body
        exchange = Exchange(
            flow.id, START + number, method="GET", scheme="https", host="h", target=f"/{number}", principal=ADA
        )
        exchange.service, exchange.operation = operation.service, operation
        exchange.verdict = Verdict("allow", ("r",))
        exchange.exposure = (
            Exposure({**dict.fromkeys(exposed, "clear"), "ssn": "masked"}, len(answer)) if answer else None
        )
        for name, value in changes.items():
            setattr(exchange, name, value)
        for hook in ("request", "response"):
            for room in rooms:
                call = getattr(room, hook, None)
                result = call(flow, exchange) if call else None
                if inspect.isawaitable(result):
                    await result
        await asyncio.gather(*[task for several in list(risk.taints._pending.values()) for task in several])
        found.extend(one.evidence["id"] for one in exchange.findings)

    read = Operation("chunks", "read", "customers", True, ("1",), column_scope="all")
    for number in range(4):
        await send(number, read)
    await send(5, read, job="letters")
    for number in range(6):
        night = 40_000 + number * 30
        await send(night, read, answer=PEOPLE[:5], exposed=("id", "name"))
    sent = json.dumps([[one["email"], one["name"]] for one in PEOPLE[3:9]]).encode()
    await send(
        50_000,
        Operation("others", "upload", destination="https://evil.test", destination_side="external"),
        sent,
        answer=[],
    )
    for room in (recorded, risk):
        await room.close()
    await database.close()
    return found


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["sluicegate-replay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    (tmp_path / "policy.toml").write_text(POLICY)
    found = asyncio.run(record(tmp_path, monkeypatch))
    return tmp_path / "state" / "recordings", tmp_path / "policy.toml", found


def test_findings_are_shown_as_recorded_and_are_the_same_when_found_anew(recorded, run):
    folder, policy, live = recorded
    code, out, err = run("findings", "--from", folder, "--json")
    assert code == 0, err
    said = json.loads(out)["findings"]
    assert [one["evidence"]["id"] for one in said] == live
    assert {"beyond-job", "taint"} <= {one["indicator"] for one in said}
    again = json.loads(run("findings", "--from", folder, "--again", policy, "--json")[1])["findings"]
    assert [one["id"] for one in again] == live  # an id is of the exchange, the indicator, and what it is about
    shown = {one["evidence"]["id"]: one for one in said}
    for one in again:
        assert one["detail"] == shown[one["id"]]["detail"]
        assert f"{one['score']:.1f}" == shown[one["id"]]["evidence"]["score"]
    text = run("findings", "--from", folder)[1]
    assert "\x1b]0" not in text and "beyond-job" in text and "6 rows of customers" in text
    assert json.loads(run("findings", "--from", folder, "--who", "bob", "--json")[1])["findings"] == []


def test_exposure_says_what_was_received_and_where_it_was_seen_again(recorded, run):
    folder, _, _ = recorded
    code, out, _ = run("exposure", "--from", folder, "--who", "ada", "--json")
    said = json.loads(out)
    customers = said["datasets"]["customers"]
    assert code == 0 and customers["rows"] == 5 * 20 + 6 * 5 and customers["exchanges"] == 11
    assert customers["clear"] == ["email", "id", "name"] and customers["masked"] == ["ssn"]
    assert customers["distinct_subjects"] == 20 and customers["responses_not_told_apart"] == 0
    assert [one["indicator"] for one in said["seen_again"]] == ["taint"]
    assert "\x1b]0" not in run("exposure", "--from", folder, "--who", "ada")[1]
    early = json.loads(run("exposure", "--from", folder, "--who", "ada", "--until", "2026-11-23T21:45:03", "--json")[1])
    assert early["datasets"]["customers"]["exchanges"] == 2 and early["seen_again"] == []
    assert run("exposure", "--from", folder, "--who", "nobody")[1].strip() == "Nothing was received."


async def record_sockets(root, monkeypatch):
    """Two WebSockets: one hands out rows, within a job that does not name all of their columns; into the other, which
    is elsewhere, they are sent. The ids of what was found, and everybody's habits."""
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)
    loaded = load(root / "policy.toml")
    clock, state = SetClock(START), State(root / "state").open()
    database = Database.at(state.database)
    risk = RiskAddon(loaded, state, database, clock)
    recorded = recording(state, database, clock, loaded.settings.recording)
    rooms = (risk, ExposureAddon(loaded.settings, risk), HoldingsAddon(risk), recorded)
    await database.open()
    for room in (risk, recorded):
        await room.open()

    async def go(hook, flow, exchange):
        for room in rooms:
            call = getattr(room, hook, None)
            result = call(flow, exchange) if call else None
            if inspect.isawaitable(result):
                await result
        await asyncio.gather(*[task for several in list(risk.taints._pending.values()) for task in several])

    def made(flow, at, operation, **more):
        said = {"method": "GET", "scheme": "https", "host": "h", "target": "/live", "principal": ADA}
        exchange = Exchange(flow.id, START + at, service=operation.service, operation=operation, **said, **more)
        exchange.verdict = Verdict("allow", ("r",))
        return exchange

    async def opened(at, operation, **more):
        flow = tflow.tflow(req=tutils.treq(content=b""), resp=tutils.tresp(status_code=101, content=b""))
        exchange = made(flow, at, operation, switching=True, **more)
        await go("request", flow, exchange)
        await go("response", flow, exchange)
        exchange.switched = True
        return flow, exchange

    async def message(at, within, content, from_client, exposed=None):
        opening, exchange = within
        flow = http.HTTPFlow(opening.client_conn, opening.server_conn)
        flow.request, flow.response = opening.request, opening.response
        flow.websocket = WebSocketData([WebSocketMessage(Opcode.TEXT, from_client, content)])
        one = made(flow, at, exchange.operation, opened=exchange, message=Message(from_client, True, content))
        one.exposure = exposed
        await go("socket_message", flow, one)
        moved = exchange.moved
        moved.messages += 1
        if from_client:
            moved.sent += len(content)
        else:
            moved.received += len(content)
        return [found.evidence["id"] for found in one.findings]

    found = []
    rows = await opened(0, Operation("chunks", "read", "customers", True, column_scope="all"), job="letters")
    for at, some in ((1, PEOPLE[:10]), (2, PEOPLE[10:])):
        exposed = Exposure({**dict.fromkeys(("id", "name", "email"), "clear"), "ssn": "masked"}, 10)
        found += await message(at, rows, json.dumps(some).encode(), False, exposed)
    chat = await opened(3, Operation("notes", "write"))
    found += await message(4, chat, b"good morning", True)
    sent = json.dumps([[one["email"], one["name"]] for one in PEOPLE[3:9]]).encode()
    found += await message(5, chat, sent, True)
    for flow, exchange in (chat, rows):
        exchange.moved.code, exchange.moved.by = 1000, "client"
        await go("socket_end", flow, exchange)
    found += [one.evidence["id"] for one in rows[1].findings]
    for room in (recorded, risk):
        await room.close()
    kept = await database.read(lambda connection: connection.execute(habits.select()).all())
    await database.close()
    return found, {row.name: unpack(row.state) for row in kept}


def test_what_a_websocket_moved_is_found_and_learned_anew_out_of_the_record(tmp_path, monkeypatch, run):
    (tmp_path / "policy.toml").write_text(POLICY)
    live, known = asyncio.run(record_sockets(tmp_path, monkeypatch))
    folder, policy = tmp_path / "state" / "recordings", tmp_path / "policy.toml"
    code, out, err = run("findings", "--from", folder, "--json")
    assert code == 0, err
    said = json.loads(out)["findings"]
    assert sorted(one["indicator"] for one in said) == ["beyond-job", "taint"]
    again = json.loads(run("findings", "--from", folder, "--again", policy, "--json")[1])["findings"]
    assert sorted(one["id"] for one in again) == sorted(live) == sorted(one["evidence"]["id"] for one in said)
    details = {one["indicator"]: one["detail"] for one in said}
    assert {one["indicator"]: one["detail"] for one in again} == details and "6 rows" in details["taint"]

    exposed = json.loads(run("exposure", "--from", folder, "--who", "ada", "--json")[1])["datasets"]["customers"]
    assert exposed["rows"] == 20 and exposed["exchanges"] == 2  # message by message: the end does not count them twice
    assert exposed["clear"] == ["email", "id", "name"] and exposed["masked"] == ["ssn"]

    watching = _learned([folder], load(policy).settings, State(tmp_path), Read())
    assert states(watching)["person:https://idp ada"] == known["person:https://idp ada"]
