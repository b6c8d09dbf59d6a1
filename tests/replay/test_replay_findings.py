"""Findings and exposure out of recordings: as they were recorded, the same when found anew, and never a way into a terminal."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys

import pytest
from mitmproxy.test import tflow, tutils

from sluicegate.clock import SetClock
from sluicegate.detection.addon import ExposureAddon, RiskAddon
from sluicegate.detection.taint import worker
from sluicegate.exchange import Exchange, Exposure, Operation, Principal, Verdict
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
    from sluicegate.database import Database

    database = Database.at(state.database)
    risk = RiskAddon(loaded, state, database, clock)
    exposure = ExposureAddon(loaded.settings, risk)
    recorded = recording(state, database, clock, loaded.settings.recording)
    rooms = (risk, exposure, recorded)
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
    assert [one["indicator"] for one in said["seen_again"]] == ["taint"]
    assert "\x1b]0" not in run("exposure", "--from", folder, "--who", "ada")[1]
    early = json.loads(run("exposure", "--from", folder, "--who", "ada", "--until", "2026-11-23T21:45:03", "--json")[1])
    assert early["datasets"]["customers"]["exchanges"] == 2 and early["seen_again"] == []
    assert run("exposure", "--from", folder, "--who", "nobody")[1].strip() == "Nothing was received."
