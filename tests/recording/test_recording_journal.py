"""The journal keeps what it acknowledged: through kills, full disks, failing syncs, rotation and odd clocks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.recording import ahead as ahead_module
from sluicegate.recording import segment as segment_module
from sluicegate.recording.ahead import PREFIX
from sluicegate.recording.journal import Journal, RecorderDown
from tests.recording.appender import record

APPENDER = [sys.executable, "-m", "tests.recording.appender"]
START = 1_795_470_301.0  # 2026-11-23 21:45:01 UTC


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path, SetClock(START))
    journal.open()
    yield journal
    await asyncio.to_thread(journal.close)


def names(folder: Path) -> list[str]:
    return sorted(
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and not p.name.startswith(PREFIX)
    )


async def test_records_are_where_it_says_and_names_read_like_a_calendar(journal, tmp_path):
    places = await asyncio.gather(*(journal.append("flows", record(n)) for n in range(50)))
    intent = await journal.append("intents", b"x\n")
    assert names(tmp_path) == ["2026-11-23/214501Z-0001.flows", "2026-11-23/214501Z-0001.intents"]
    assert intent == ("2026-11-23/214501Z-0001.intents", 0)
    for number, place in enumerate(places):
        assert (tmp_path / place.file).read_bytes()[place.offset :].startswith(record(number))


async def test_files_are_for_this_user_alone(journal, tmp_path):
    await journal.append("flows", b"x")
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*.*s")} == {0o600}
    assert (tmp_path / "2026-11-23").stat().st_mode & 0o777 == 0o700


async def test_a_file_of_another_recorder_is_never_touched(tmp_path):
    day = tmp_path / "2026-11-23"
    day.mkdir()
    (day / "214501Z-0001.flows").write_bytes(b"theirs")
    (day / "214501Z-0002.intents").write_bytes(b"theirs")
    (day / "214501Z-0003.flows").symlink_to(tmp_path / "elsewhere")
    journal = Journal(tmp_path, SetClock(START))
    journal.open()
    assert (await journal.append("flows", b"ours")).file == "2026-11-23/214501Z-0004.flows"
    await asyncio.to_thread(journal.close)
    assert (day / "214501Z-0001.flows").read_bytes() == b"theirs"
    assert (day / "214501Z-0002.intents").read_bytes() == b"theirs"
    assert not (tmp_path / "elsewhere").exists()


async def test_segments_close_by_size_age_and_a_clock_that_was_set_back(tmp_path):
    clock = SetClock(START)
    journal = Journal(tmp_path, clock, segment_bytes=100, segment_seconds=60)
    journal.open()
    files = []
    for step in (0, 0, 59, 1, 0, -7200, 0):
        clock.advance(step)
        files.append((await journal.append("flows", b"x" * 60)).file.removeprefix("2026-11-23/"))
    await asyncio.to_thread(journal.close)
    assert files == [
        "214501Z-0001.flows",
        "214501Z-0001.flows",  # 120 bytes now
        "214600Z-0001.flows",
        "214600Z-0001.flows",
        "214601Z-0001.flows",
        "194601Z-0001.flows",
        "194601Z-0001.flows",
    ]


async def test_an_idle_night_leaves_no_empty_files(tmp_path):
    clock = SetClock(START)
    journal = Journal(tmp_path, clock)
    journal.open()
    clock.advance(40_000)
    await journal.append("flows", b"x")
    clock.advance(40_000)
    await asyncio.to_thread(journal.close)
    assert names(tmp_path) == ["2026-11-24/085141Z-0001.flows", "2026-11-24/085141Z-0001.intents"]


async def test_what_arrives_while_a_sync_runs_goes_into_the_next_one(journal, monkeypatch):
    entered, go_on, syncs = threading.Event(), threading.Event(), []

    def slow(descriptor, data, offset):
        entered.set()
        go_on.wait(60)
        syncs.append(descriptor)
        return os.pwrite(descriptor, data, offset)

    monkeypatch.setattr(ahead_module, "_put", slow)
    first = journal.append("flows", b"a")
    assert await asyncio.to_thread(entered.wait, 60)
    rest = [journal.append("flows", b"b") for _ in range(50)]
    await asyncio.sleep(0)
    assert not first.done(), "an append is acknowledged before it is on the disk"
    go_on.set()
    await asyncio.gather(first, *rest)
    assert len(syncs) == 2


async def test_group_durability_acknowledges_before_the_sync_and_syncs_later(tmp_path, monkeypatch):
    synced, go_on = threading.Event(), threading.Event()
    journal = Journal(tmp_path, SetClock(START), durability="group", sync_seconds=0.01)
    journal.open()

    def gated(descriptor):
        go_on.wait(60)
        os.fdatasync(descriptor)
        synced.set()

    monkeypatch.setattr(segment_module, "_sync", gated)
    place = await asyncio.wait_for(journal.append("flows", b"a"), 60)
    assert (tmp_path / place.file).read_bytes() == b"a"
    assert not synced.is_set()
    go_on.set()
    assert await asyncio.to_thread(synced.wait, 60)
    await asyncio.to_thread(journal.close)


def spoil(journal: Journal, target: int) -> None:
    """Put another real file behind the descriptor of the open flow file."""
    os.dup2(target, journal._files.segment.files["flows"].descriptor)
    os.close(target)


async def test_a_full_disk_fails_what_waits_and_a_new_segment_recovers(journal, tmp_path):
    kept = await journal.append("flows", b"kept")
    spoil(journal, os.open("/dev/full", os.O_WRONLY))
    results = await asyncio.gather(*(journal.append("flows", b"lost") for _ in range(10)), return_exceptions=True)
    assert {type(result) for result in results} == {RecorderDown}
    assert "No space left" in str(results[0])
    after = await journal.append("flows", b"after")
    assert after.file != kept.file
    assert (tmp_path / kept.file).read_bytes() == b"kept"
    assert (tmp_path / after.file).read_bytes() == b"after"


async def test_a_batch_that_could_not_be_synced_is_final_for_the_file(journal, tmp_path):
    kept = await journal.append("flows", b"kept")
    os.dup2(os.open("/dev/full", os.O_WRONLY), journal._files.ahead._descriptor)
    with pytest.raises(RecorderDown):
        await journal.append("flows", b"lost")
    assert (tmp_path / kept.file).read_bytes() == b"kept"
    assert (await journal.append("flows", b"after")).file != kept.file
    left = list(tmp_path.glob(f"{PREFIX}*"))
    assert len(left) == 2, "what was acknowledged may be in the first write-ahead file alone"


async def test_a_sync_of_a_large_batch_that_fails_is_final_for_the_file(journal, tmp_path):
    reader, writer = os.pipe()  # takes the bytes, and refuses to sync
    kept = await journal.append("flows", b"kept")
    spoil(journal, writer)
    draining = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reader, 1 << 20), b"")])
    draining.start()
    with pytest.raises(RecorderDown):
        await journal.append("flows", b"x" * 300_000)
    await asyncio.to_thread(draining.join)
    os.close(reader)
    assert (await journal.append("flows", b"after")).file != kept.file


async def test_a_torn_write_is_cut_off_so_that_stock_tools_read_the_file(tmp_path):
    journal = Journal(tmp_path, SetClock(START))
    journal.open()
    place = await journal.append("flows", b"kept")
    own = journal._files.segment.files["flows"]
    with (tmp_path / place.file).open("ab") as torn:
        torn.write(b"half a rec")
    own.written += 10
    os.dup2(os.open("/dev/full", os.O_WRONLY), journal._files.segment.files["intents"].descriptor)
    with pytest.raises(RecorderDown):
        await journal.append("intents", b"x")
    await asyncio.to_thread(journal.close)
    assert (tmp_path / place.file).read_bytes() == b"kept"


async def test_a_folder_that_vanishes_is_a_recorder_that_is_down(tmp_path):
    clock = SetClock(START)
    folder = tmp_path / "recordings"
    journal = Journal(folder, clock, segment_seconds=10)
    journal.open()
    await journal.append("flows", b"x")
    clock.advance(10)
    folder.rename(tmp_path / "away")
    folder.write_bytes(b"a file in its place")
    with pytest.raises(RecorderDown):
        await journal.append("flows", b"x")
    folder.unlink()
    await journal.append("flows", b"x")
    await asyncio.to_thread(journal.close)


async def test_a_closed_journal_takes_nothing(tmp_path):
    journal = Journal(tmp_path, SetClock(START))
    with pytest.raises(RecorderDown):
        await journal.append("flows", b"x")
    journal.open()
    waiting = [journal.append("flows", b"x") for _ in range(100)]
    await asyncio.to_thread(journal.close)
    assert len({place.offset for place in await asyncio.gather(*waiting)}) == 100
    with pytest.raises(RecorderDown):
        await journal.append("flows", b"x")
    journal.close()


async def test_a_disk_that_does_not_answer_does_not_fill_the_memory(journal, monkeypatch):
    entered, go_on = threading.Event(), threading.Event()

    def stuck(descriptor, data, offset):
        entered.set()
        go_on.wait(60)
        return os.pwrite(descriptor, data, offset)

    monkeypatch.setattr(ahead_module, "_put", stuck)
    monkeypatch.setattr("sluicegate.recording.intake.MAX_WAITING_BYTES", 1000)
    first = journal.append("flows", b"x")
    assert await asyncio.to_thread(entered.wait, 60)
    large = journal.append("flows", b"x" * 5000)  # one is always taken, however large
    with pytest.raises(RecorderDown, match="keep up"):
        await journal.append("flows", b"x")
    go_on.set()
    await asyncio.gather(first, large)


@pytest.mark.parametrize("acknowledged", [1, 40, 400, 1500])
def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path, acknowledged):
    child = subprocess.Popen([*APPENDER, str(tmp_path), "crash"], stdout=subprocess.PIPE, text=True)
    lines = [child.stdout.readline() for _ in range(acknowledged)]
    child.kill()
    lines += child.stdout.read().splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert len(whole) >= acknowledged
    for number, file, offset in whole:
        assert (tmp_path / file).read_bytes()[int(offset) :].startswith(record(int(number)))


def test_a_disk_that_fills_up_refuses_and_recovers(tmp_path):
    done = subprocess.run([*APPENDER, str(tmp_path), "full"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    at_open, told = map(json.loads, done.stdout.splitlines())
    assert at_open == {"at_open": "File too large", "left": []}
    failed = [number for number, _ in told["failed"]]
    assert set(range(200, 300)) <= set(failed)
    assert all(number < 300 for number in failed), "it did not recover"
    assert {number for number, *_ in told["places"]} | set(failed) == set(range(400))
    by_file: dict[str, bytes] = {}
    for number, file, offset in told["places"]:
        assert (tmp_path / file).read_bytes()[offset:].startswith(record(number))
        by_file[file] = by_file.get(file, b"") + record(number)
    for file, content in by_file.items():
        assert (tmp_path / file).read_bytes() == content, "what was refused is not in the file"
    assert {name for name in names(tmp_path) if name.endswith(".flows")} == set(by_file)
