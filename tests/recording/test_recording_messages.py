"""Messages of WebSockets on the record: before they move, as they leave, sealed where masking changed them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure, Finding, Message, Original
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.journal import RecorderDown
from sluicegate.recording.recorded import Recorded, SocketEnd
from sluicegate.recording.sealing.opening import find, unseal
from sluicegate.recording.sealing.recipients import new_identity
from sluicegate.recording.shown import facts
from sluicegate.recording.verify import folder_keys, verify
from tests.recording.recorders import live, recorder

CAME, LEFT = b'{"ssn": "123-45-6789"}', b'{"ssn":"****6789"}'


def message(content: bytes, *, from_client: bool = False, refusal: Refusal | None = None):
    """A message as the stages before the recorder leave it."""
    opening, opened = live()
    flow = http.HTTPFlow(opening.client_conn, opening.server_conn)
    flow.request, flow.response = opening.request, http.Response.make(101)
    flow.websocket = WebSocketData([WebSocketMessage(Opcode.TEXT, from_client, CAME)])
    made = Exchange(
        flow.id, opened.started, method="GET", host=opened.host, port=opened.port, scheme="https",
        target=opened.target, service="chunks", principal=opened.principal, operation=opened.operation,
        verdict=opened.verdict, opened=opened, message=Message(from_client, True, content), refusal=refusal,
    )  # fmt: skip
    return flow, made


def recorded(folder) -> list[Recorded]:
    return [item for item in read_folder(folder) if isinstance(item, Recorded)]


async def test_it_is_kept_as_it_leaves_and_sealed_as_it_came(tmp_path):
    one, other = new_identity(), new_identity()
    async with recorder(tmp_path, recipients=[one[1], other[1]]) as addon:
        flow, exchange = message(LEFT)
        exchange.original = Original(CAME, "application/json")
        await addon.socket_message(flow, exchange)
    folder = tmp_path / "recordings"
    (item,) = recorded(folder)
    assert item.messages[0].content == LEFT and not item.messages[0].from_client and not item.messages[0].dropped
    assert item.text("socket") == exchange.opened.id and item.summary["sealed"] is True
    assert unseal(folder, find(folder, exchange.id)[0], [one[0]]).body == CAME
    assert all(CAME not in file.read_bytes() for file in folder.rglob("*") if file.is_file())
    (flows,) = folder.rglob("*.flows")
    (stock,) = FlowReader(flows.open("rb")).stream()
    assert stock.websocket.messages[0].content == LEFT and stock.response.status_code == 101
    report = verify(folder, folder_keys(folder))
    assert not report.unknown and report.counts["outcome"] == 1


@pytest.mark.parametrize(("from_client", "kept"), [(False, b""), (True, CAME)])
async def test_of_one_that_does_not_leave(tmp_path, from_client, kept):
    async with recorder(tmp_path) as addon:
        flow, exchange = message(CAME, from_client=from_client, refusal=Refusal(502, "unmaskable", "x", "x"))
        await addon.socket_message(flow, exchange)
    (item,) = recorded(tmp_path / "recordings")
    assert item.messages[0].content == kept and item.messages[0].dropped and item.text("refusal") == "unmaskable"


async def test_secrets_do_not_stay(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, exchange = message(b'{"password": "hunter2hunter2", "q": 1}', from_client=True)
        await addon.socket_message(flow, exchange)
    (item,) = recorded(tmp_path / "recordings")
    assert b"hunter2" not in item.messages[0].content and b'"q"' in item.messages[0].content


async def test_what_cannot_be_recorded_is_refused(tmp_path, monkeypatch):
    async with recorder(tmp_path) as addon:
        flow, exchange = message(LEFT)
        monkeypatch.setattr(addon._records._journal, "append", _full)
        with pytest.raises(Refusal) as refused:
            await addon.socket_message(flow, exchange)
        monkeypatch.undo()
    assert refused.value.code == "recorder-down"


def _full(*arguments):
    done = asyncio.get_running_loop().create_future()
    done.set_exception(RecorderDown("disk full"))
    return done


async def test_its_end_is_on_the_record_with_what_it_added_up_to(tmp_path):
    async with recorder(tmp_path) as addon:
        flow, opened = live()
        flow.response = http.Response.make(101)
        await addon.response(flow, opened)
        opened.exposure = Exposure({"id": "clear", "ssn": "masked"}, 7, {"ids": 7})
        moved = opened.moved
        moved.messages, moved.received, moved.sent, moved.code, moved.by = 3, 1000, 20, 1000, "client"
        opened.findings.append(Finding("beyond-job", "more than the job names", {}))
        await addon.socket_end(flow, opened)
    folder = tmp_path / "recordings"
    report = verify(folder, folder_keys(folder))
    assert (report.counts["socket-end"], report.counts["outcome"]) == (1, 2) and not report.unknown
    begun, ended = recorded(folder)
    assert begun.ended is None and ended.id != begun.id and ended.text("socket") == begun.id == opened.id
    assert ended.ended == SocketEnd(3, 1000, 20, 1000, "client") and ended.messages == ()
    assert ended.table("exposure")["rows"] == 7 and ended.summary["findings"][0]["indicator"] == "beyond-job"
    said = {fact.name: fact.value for fact in facts(ended)}
    assert "3 messages" in said["end"] and opened.id in said["end"] and "end" not in {f.name for f in facts(begun)}


async def test_the_end_of_one_that_is_never_recorded_is_in_the_ledger_alone(tmp_path):
    async with recorder(tmp_path, never=["chunks.internal"]) as addon:
        flow, opened = live()
        await addon.socket_end(flow, opened)
    folder = tmp_path / "recordings"
    assert verify(folder, folder_keys(folder)).counts["socket-end"] == 1 and recorded(folder) == []


@pytest.mark.parametrize("said", [None, "x", [1, 2], [1, 2, 3, "1000", "client"], [1, 2, 3, 4, 5]])
async def test_an_end_that_says_something_else_is_none(tmp_path, said):
    async with recorder(tmp_path) as addon:
        flow, opened = live()
        await addon.response(flow, opened)
    (item,) = recorded(tmp_path / "recordings")
    assert replace(item, summary={**item.summary, "ended": said}).ended is None
