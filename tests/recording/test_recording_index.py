"""The index follows the recordings, can be made anew from them, and is never in the way."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import exchanges
from sluicegate.exchange import Exposure, Finding, Operation
from sluicegate.recording import index as index_module
from sluicegate.recording import reindex as reindex_module
from sluicegate.recording.flow_reader import read_file, read_summaries
from sluicegate.recording.index import row, store
from sluicegate.recording.journal import Place
from sluicegate.recording.recorded import Damage, Recorded
from sluicegate.recording.reindex import reindex
from sluicegate.settings import State
from tests.recording.recorders import exchange_through, live, recorder, recording

ROOT = Path(__file__).parent.parent.parent


async def rows(root: Path) -> list[dict]:
    database = Database.at(State(root).database)
    await database.open()
    try:
        return await database.read(
            lambda c: [dict(row._mapping) for row in c.execute(select(exchanges).order_by(exchanges.c.id))]
        )
    finally:
        await database.close()


async def fill(root: Path, count: int = 20) -> None:
    async with recorder(root) as addon:
        for number in range(count):
            flow, exchange = live(f"/{number}?token=hunter2", 1_750_000_000.0 + number)
            exchange.exposure = Exposure({"odd\udc80\0name": "clear"}, 1, {})
            exchange.risk, exchange.job = number / 7, "nightly"
            exchange.findings.append(Finding("odd-hours", "Chunk 3 again at 03:12.", {"url": "/3?token=hunter2"}))
            exchange.operation = replace(exchange.operation, parts=(Operation("chunks", "export", "orders"),))
            await exchange_through(addon, flow, exchange)


async def test_rows_say_what_the_recordings_say(tmp_path):
    await fill(tmp_path, 1)
    (row,) = await rows(tmp_path)
    assert row["subject"] == "ada"
    assert row["groups"] == ["engineering"]
    assert row["path"] == "/0?token=[removed]"
    assert row["rules"] == ["people-read"]
    assert row["effect"] == "allow"
    assert row["status"] == 200
    assert (row["assurance"], row["job"], row["risk"]) == ("bearer", "nightly", 0.0)
    assert row["findings"] == [
        {"indicator": "odd-hours", "detail": "Chunk 3 again at 03:12.", "evidence": {"url": "/3?token=[removed]"}}
    ]
    assert [(part["kind"], part["dataset"]) for part in row["parts"]] == [("export", "orders")]
    assert row["exposure"]["columns"] == {"odd\\udc80\\0name": "clear"}
    file = State(tmp_path).recordings / row["flow_file"]
    assert row["id"].encode() in file.read_bytes()[row["flow_offset"] :]


async def test_rows_that_are_made_anew_are_the_same(tmp_path):
    await fill(tmp_path)
    before = await rows(tmp_path)
    assert len(before) == 20
    database = Database.at(State(tmp_path).database)
    await database.open()
    await database.run(lambda c: c.execute(delete(exchanges).where(exchanges.c.started > 1_750_000_010)))
    rebuilt = await reindex(State(tmp_path).recordings, database)
    await database.close()
    assert (rebuilt.count, rebuilt.damage) == (20, [])
    assert await rows(tmp_path) == before


async def test_other_processes_read_the_same_rows_in_the_same_order(tmp_path, monkeypatch):
    for _ in range(3):  # three segments
        await fill(tmp_path, 7)
    alone, together, told = [], [], []
    database = Database.at(State(tmp_path).database)
    await database.open()
    for large in (1 << 40, 0):
        monkeypatch.setattr(reindex_module, "LARGE", large)
        await reindex(State(tmp_path).recordings, database, lambda done, total: told.append((done, total)))
        (together if large == 0 else alone).extend(await database.read(_all))
    await database.close()
    assert len(alone) == 21 and alone == together
    sizes = {total for _, total in told}
    assert len(told) == 6 and told[2][0] == told[5][0] == sizes.pop() and not sizes


def _all(connection):
    return [tuple(row) for row in connection.execute(select(exchanges).order_by(exchanges.c.id))]


@pytest.mark.parametrize("damage", ["cut", "flip", "junk"])
async def test_the_light_reader_says_what_the_whole_one_says(tmp_path, damage):
    await fill(tmp_path, 12)
    folder = State(tmp_path).recordings
    (file,) = folder.rglob("*.flows")
    data = bytearray(file.read_bytes())
    for share in (0.3, 0.6):
        at = int(len(data) * share)
        if damage == "cut":
            del data[at : at + 5]
        elif damage == "flip":
            data[at] ^= 1
        else:
            data[at:at] = b"12345:version;2:21#"
    file.write_bytes(data)
    name = str(file.relative_to(folder))
    whole, light = list(read_file(folder, name)), list(read_summaries(folder, name))
    assert 8 <= len([item for item in whole if isinstance(item, Recorded)]) < 12 and any(
        isinstance(item, Damage) for item in whole
    )
    assert [item.offset for item in whole] == [item.offset for item in light]
    for full, part in zip(whole, light, strict=True):
        assert full == part if isinstance(full, Damage) else row(full.summary, AT) == row(part.summary, AT)


AT = Place("x", 1)


async def test_one_that_is_broken_off_is_done_again(tmp_path, monkeypatch):
    await fill(tmp_path, 9)
    before = await rows(tmp_path)
    database = Database.at(State(tmp_path).database)
    await database.open()
    monkeypatch.setattr(reindex_module, "BATCH", 2)

    def broken_off(connection, items):
        if items[0][0]["path"].startswith("/4"):
            raise KeyboardInterrupt
        return store(connection, items)

    with monkeypatch.context() as patch:
        patch.setattr(reindex_module, "store", broken_off)
        with pytest.raises(KeyboardInterrupt):
            await reindex(State(tmp_path).recordings, database)
    assert len(await database.read(_all)) == 4
    await reindex(State(tmp_path).recordings, database)
    await database.close()
    assert await rows(tmp_path) == before


async def test_a_folder_that_is_none_leaves_the_index_alone(tmp_path):
    await fill(tmp_path, 3)
    database = Database.at(State(tmp_path).database)
    await database.open()
    with pytest.raises(OSError):
        await reindex(tmp_path / "none", database)
    await database.close()
    assert len(await rows(tmp_path)) == 3


async def test_a_broken_index_is_said_once_and_refuses_nothing(tmp_path, caplog):
    state = State(tmp_path).open()
    addon = recording(state, Database.at(state.database), SetClock())  # which nobody opens
    await addon.open()
    for number in range(3):
        await asyncio.wait_for(exchange_through(addon, *live(f"/{number}")), 60)
        await addon._records._index._flush()
    await addon.close()
    assert len([record for record in caplog.records if "reindex" in record.getMessage()]) == 1


async def test_a_slow_database_does_not_fill_the_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(index_module, "MAX_WAITING", 5)
    async with recorder(tmp_path) as addon:
        for number in range(50):
            addon._records._index.add({"id": str(number)}, Place("", 0))
        assert len(addon._records._index._waiting) == 5
        assert len([record for record in caplog.records if "reindex" in record.getMessage()]) == 1
        addon._records._index._waiting.clear()


def reindex_command(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = "from sluicegate.cli.recording import app; app()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "addons")}
    command = [sys.executable, "-c", program, "reindex", "--state", str(root), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


async def test_the_command_rebuilds_and_names_damage(tmp_path):
    await fill(tmp_path, 3)
    State(tmp_path).database.unlink()
    done = reindex_command(tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 exchanges are in the index.\n"), done.stderr
    assert len(await rows(tmp_path)) == 3
    (file,) = State(tmp_path).recordings.rglob("*.flows")
    file.write_bytes(file.read_bytes()[:-3])
    done = reindex_command(tmp_path, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["exchanges"] == 2
    assert told["damage"][0]["file"].endswith(".flows")
