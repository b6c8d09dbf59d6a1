"""Messages of a WebSocket: what is sent is looked into, what is received is learned, and the whole counts at its end."""

from __future__ import annotations

import inspect
import json

import pytest
from mitmproxy.test import tflow, tutils
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.database.tables import findings
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.exposing import ExposureAddon
from sluicegate.detection.look import Signal
from sluicegate.detection.taint.worker import NotLooked
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure, Message, Operation
from sluicegate.settings import State
from tests.databases import with_tables
from tests.detection.organisation import MONDAY
from tests.detection.test_detection_addon import ADA, loaded

FOUND = Signal("taint", "chat", 20.0, 3.0, "3 rows of customers were sent to chat", {"rows": "3"}, certain=True)


@pytest.fixture
async def stages(tmp_path):
    database = with_tables(tmp_path / "detection.sqlite3", checkpoints=True)
    await database.open()
    told = loaded()
    risk = RiskAddon(told, State(tmp_path).open(), database, SetClock(MONDAY))
    yield risk, ExposureAddon(told.settings, risk), database
    await risk.close()
    await database.close()


class Looked:
    """In the place of the search: what it was given, and what it says."""

    def __init__(self, says=()):
        self.parts = []
        self.says = says

    async def __call__(self, who, target, place, at, parts, coding, seconds):
        self.parts.append(parts)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def message(content, *, from_client, service="chat"):
    opened = Exchange("opened", MONDAY, method="GET", service=service, principal=ADA, switching=True, switched=True)
    opened.operation = Operation(service, "read", dataset="customers", declared=True)
    made = Exchange("one", MONDAY + 1, method="GET", service=service, principal=ADA, opened=opened)
    made.operation = opened.operation
    made.message = Message(from_client, True, content)
    return made


def flow():
    return tflow.tflow(req=tutils.treq(content=b""), resp=tutils.tresp(status_code=101, content=b""))


async def run(stage, live, exchange, hook="socket_message"):
    result = getattr(stage, hook)(live, exchange)
    if inspect.isawaitable(result):
        await result


async def test_what_is_sent_is_looked_into_and_what_comes_is_not(stages, monkeypatch):
    risk, _, _ = stages
    look = Looked()
    monkeypatch.setattr(risk.taints, "look", look)
    monkeypatch.setattr(risk.taints.zones, "looks", lambda service: True)
    await run(risk, flow(), message(b"what she typed", from_client=True))
    await run(risk, flow(), message(b"what came", from_client=False))
    assert look.parts == [(b"what she typed",)]


async def test_what_was_found_is_written_though_the_message_was_refused(stages, monkeypatch):
    risk, exposure, database = stages
    monkeypatch.setattr(risk.taints, "look", Looked((FOUND,)))
    monkeypatch.setattr(risk.taints.zones, "looks", lambda service: True)
    exchange, live = message(b"rows", from_client=True), flow()
    await run(risk, live, exchange)
    assert [one.indicator for one in exchange.findings] == ["taint"]
    exchange.refusal = Refusal(403, "policy-denied", "x", "x")
    await run(exposure, live, exchange)
    written = await database.run(lambda connection: connection.execute(select(findings.c.indicator)).scalars().all())
    assert "taint" in written


async def test_what_could_not_be_looked_at_does_not_pass(stages, monkeypatch):
    risk, _, _ = stages
    monkeypatch.setattr(risk.taints, "look", Looked(NotLooked("it took too long")))
    monkeypatch.setattr(risk.taints.zones, "looks", lambda service: True)
    with pytest.raises(Refusal) as refused:
        await run(risk, flow(), message(b"rows", from_client=True))
    assert refused.value.code == "not-looked-at"


async def test_the_whole_adds_up_and_counts_once(stages):
    _, exposure, _ = stages
    risk = exposure._risk
    rows = json.dumps([{"id": n, "ssn": "****6789"} for n in range(3)]).encode()
    first = message(rows, from_client=False)
    opened = first.opened
    first.exposure = Exposure({"id": "clear", "ssn": "masked"}, 3, {"ids": 3})
    await run(exposure, flow(), first)
    second = message(rows, from_client=False)
    second.opened = opened
    second.exposure = Exposure({"ssn": "clear"}, 2, {"ids": 1})
    await run(exposure, flow(), second)
    refused = message(rows, from_client=False)
    refused.opened, refused.exposure, refused.refusal = opened, Exposure({"x": "clear"}, 9), Refusal(403, "x", "x", "x")
    await run(exposure, flow(), refused)
    assert opened.exposure == Exposure({"id": "clear", "ssn": "clear"}, 5, {"ids": 4})
    opened.moved.received, opened.moved.sent = 1000, 20
    seen = []
    risk.watching.after = lambda event, signals, part: seen.append(event) or []
    await run(exposure, flow(), opened, "socket_end")
    (event,) = seen
    assert (event.rows, event.size, event.sent, event.status) == (5, 1000, 20, 200) and event.taken
