"""The recorder in the pipeline: durable before bytes move, one outcome an exchange, and refusal when it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import Response
from sqlalchemy import insert

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.events import tell, waiting
from sluicegate.database.tables import events
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Verdict
from sluicegate.recording import ahead as ahead_module
from sluicegate.recording.addon import RecordingAddon
from sluicegate.recording.flow_reader import read_all
from sluicegate.recording.intents import Intent
from sluicegate.recording.journal import RecorderDown
from sluicegate.recording.recorded import Damage, Recorded
from sluicegate.recording.verify import folder_keys, verify
from sluicegate.settings import State
from tests.recording.recorders import exchange_through, live, recorder, recording


def recorded(root) -> list[Recorded]:
    items = list(read_all(State(root).recordings))
    assert not [item for item in items if isinstance(item, Damage)]
    return [item for item in items if isinstance(item, Recorded)]


def open_intents(root) -> list[Intent]:
    return [item for item in read_all(State(root).recordings) if isinstance(item, Intent)]


def jam(addon: RecordingAddon, kind: str) -> None:
    """A disk that is full from now on, for the open file and for new ones."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, addon._records._journal._files.segment.files[kind].descriptor)
    os.close(full)


@pytest.fixture
def gate(monkeypatch):
    """Holds every sync until the first is set; the second is, once one is held."""
    go_on, held = threading.Event(), threading.Event()

    def gated(descriptor, data, offset):
        held.set()
        go_on.wait(60)
        return os.pwrite(descriptor, data, offset)

    yield lambda: (monkeypatch.setattr(ahead_module, "_put", gated), (go_on, held))[1]
    go_on.set()


async def test_the_intent_is_on_the_disk_before_request_ends_and_the_outcome_before_response_does(tmp_path, gate):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        go_on, held = gate()
        for hook in (addon.request, addon.response):
            go_on.clear()
            held.clear()
            waiting = asyncio.ensure_future(hook(flow, exchange))
            assert await asyncio.to_thread(held.wait, 60)
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            go_on.set()
            await waiting
        assert open_intents(tmp_path) == []
        (item,) = recorded(tmp_path)
        assert item.id == exchange.id
        assert item.summary["intent"] is True


async def test_an_intent_alone_is_an_unknown_outcome(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live("/x?token=hunter2")
        await addon.request(flow, exchange)
        (intent,) = open_intents(tmp_path)
    assert intent.id == exchange.id
    assert intent.fields["target"] == "/x?token=[removed]"
    assert intent.fields["subject"] == "ada"
    assert intent.fields["operation"]["columns"] == ["id", "ssn"]
    assert intent.fields["effect"] == "allow"


@pytest.mark.parametrize("size", [0, 100, 3 << 20])
async def test_the_digest_in_the_intent_is_of_the_body_as_recorded(tmp_path, size):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        flow.request.headers["content-type"] = "application/x-www-form-urlencoded"
        flow.request.raw_content = b"password=hunter2&x=" + b"y" * size
        await addon.request(flow, exchange)
        (intent,) = open_intents(tmp_path)
        await addon.response(flow, exchange)
        (item,) = recorded(tmp_path)
    assert hashlib.sha256(item.request.body).hexdigest() == intent.fields["body_sha256"]
    assert b"hunter2" not in item.request.body


async def test_a_refused_exchange_has_no_intent_and_one_outcome(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        exchange.refusal = Refusal(403, "policy-denied", "Denied", "No rule allows it.")
        flow.response = Response.make(403, b'{"title": "Denied"}')
        assert addon.request(flow, exchange) is None
        await addon.response(flow, exchange)
        (item,) = recorded(tmp_path)
        assert item.text("refusal") == "policy-denied"
        assert item.status == 403
        assert item.summary["intent"] is False
        assert item.response.body == b'{"title": "Denied"}'


async def test_a_response_and_an_error_give_one_record(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        await exchange_through(addon, flow, exchange)
        flow.error = Error("Client disconnected.")
        assert addon.error(flow, exchange) is None
        assert addon.response(flow, exchange) is None
        assert len(recorded(tmp_path)) == 1


async def test_hooks_that_overlap_give_one_record(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        first, second = addon.response(flow, exchange), addon.error(flow, exchange)
        assert second is None
        await first
        assert len(recorded(tmp_path)) == 1


async def test_an_error_alone_is_an_outcome(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        await addon.request(flow, exchange)
        flow.response, flow.error = None, Error("connection refused")
        await addon.error(flow, exchange)
        (item,) = recorded(tmp_path)
        assert item.text("error") == "connection refused"
        assert item.response is None
        assert item.status is None


async def test_connects_are_recorded_when_refused_or_tunnelled_and_not_otherwise(tmp_path):
    async with recorder(tmp_path) as addon:
        for change in ("none", "refused", "tunnel", "tunnel for nobody"):
            flow, exchange = live(f"/{change}")
            flow.response, exchange.verdict, exchange.operation = None, None, None
            if change == "refused":
                exchange.refusal = Refusal(407, "sign-in", "Sign in", "Sign in first.")
            if change.startswith("tunnel"):
                exchange.verdict = Verdict("allow", ("tunnel",))
            if change == "tunnel for nobody":
                exchange.principal = None
            waiting = addon.http_connect(flow, exchange)
            if waiting is not None:
                await waiting
        assert [item.request.line for item in recorded(tmp_path)] == ["GET /refused", "GET /tunnel"]


async def test_recorder_down_in_request_refuses(tmp_path):
    async with recorder(tmp_path) as addon:
        jam(addon, "intents")
        flow, exchange = live()
        with pytest.raises(Refusal) as refused:
            await addon.request(flow, exchange)
        assert (refused.value.status, refused.value.code) == (503, "recorder-down")
        await addon.request(flow, exchange)  # the disk takes a new file


async def test_recorder_down_in_response_refuses_and_an_error_may_still_be_recorded(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = live()
        await addon.request(flow, exchange)
        jam(addon, "flows")
        with pytest.raises(Refusal) as refused:
            await addon.response(flow, exchange)
        assert refused.value.code == "recorder-down"
        assert [intent.id for intent in open_intents(tmp_path)] == [exchange.id]
        flow.error = Error("Client disconnected.")
        await addon.error(flow, exchange)
        assert [item.id for item in recorded(tmp_path)] == [exchange.id]
        assert open_intents(tmp_path) == []


async def test_a_recorder_that_is_not_open_refuses_everything(tmp_path):
    state = State(tmp_path).open()
    addon = recording(state, Database.at(state.database), SetClock())
    flow, exchange = live()
    for hook in (addon.request, addon.response, addon.error):
        with pytest.raises(Refusal):
            await hook(flow, exchange)


async def test_open_says_in_one_line_why_it_cannot(tmp_path):
    state = State(tmp_path)
    state.recordings.write_bytes(b"a file where the folder should be")
    addon = recording(state, Database.at(state.database), SetClock())
    with pytest.raises(Fault) as fault:
        await addon.open()
    assert str(state.recordings) in fault.value.message
    assert "\n" not in str(fault.value)
    await addon.close()


async def test_a_second_recorder_is_refused_the_folder_and_the_first_goes_on(tmp_path):
    async with recorder(tmp_path) as one:
        with pytest.raises(Fault, match="Another gateway"):
            async with recorder(tmp_path):
                pass
        await exchange_through(one, *live())
    assert len(recorded(tmp_path)) == 1
    async with recorder(tmp_path) as other:
        await exchange_through(other, *live())
    assert len(recorded(tmp_path)) == 2
    report = verify(State(tmp_path).recordings, folder_keys(State(tmp_path).recordings))
    assert report.findings == []
    assert (report.counts["intent"], report.counts["outcome"], report.counts["gateway.start"]) == (2, 2, 2)


async def test_events_of_other_processes_are_entered_once_and_taken_out(tmp_path):
    async with recorder(tmp_path) as addon:
        database = addon._records._database
        async with addon._records._outbox._one_at_a_time:  # or it may be taken out before it was looked at
            await database.run(lambda c: tell(c, "approval.decided", 5.0, {"who": "ada"}))
            kept = await database.read(waiting)
        await addon._records._outbox.drain()
        assert await database.read(waiting) == []
        # A crash between the record and the removal brings the same event again.
        again = {"id": kept[0].id, "kind": kept[0].kind, "at": kept[0].at, "body": kept[0].body}
    database = Database.at(State(tmp_path).database)
    await database.open()
    await database.run(lambda c: c.execute(insert(events).values(**again)))
    await database.close()
    async with recorder(tmp_path) as addon:
        await addon._records._outbox.drain()
        assert await addon._records._database.read(waiting) == []
        # A database that begins anew gives the same numbers to other events.
        await addon._records._database.run(lambda c: c.execute(insert(events).values(**{**again, "at": 6.0})))
    folder = State(tmp_path).recordings
    lines = [line for path in folder.rglob("*.events") for line in path.read_bytes().splitlines()]
    assert len(lines) == 2
    report = verify(folder, folder_keys(folder))
    assert report.findings == [] and report.counts["approval.decided"] == 2


async def test_an_event_stays_in_the_database_while_it_cannot_be_recorded(tmp_path, monkeypatch):
    async with recorder(tmp_path) as addon:
        with monkeypatch.context() as broken:
            broken.setattr(ahead_module, "_put", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
            await addon._records._database.run(lambda c: tell(c, "policy.changed", 5.0, {}))
            with pytest.raises(RecorderDown):
                await addon._records._outbox.drain()
        assert len(await addon._records._database.read(waiting)) == 1
        assert await addon._records._outbox.drain() == 1
    folder = State(tmp_path).recordings
    report = verify(folder, folder_keys(folder))
    assert report.findings == [] and report.counts["policy.changed"] == 1
    assert report.counts["gap"] == 1
