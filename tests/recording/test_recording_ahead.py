"""The write-ahead file: whatever a power cut takes from the recordings, it puts back; what was torn it leaves alone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.clock import SetClock
from sluicegate.recording import ahead as ahead_module
from sluicegate.recording.ahead import PREFIX, SIZE, Ahead, Written, frames, recover
from sluicegate.recording.journal import Journal

START = 1_795_470_301.0

records = st.lists(st.lists(st.tuples(st.sampled_from(["a.flows", "b.intents"]), st.binary(max_size=9000)), min_size=1, max_size=4), min_size=1, max_size=12)  # fmt: skip


class Disk:
    """A folder with recordings, of which only what was synced is sure to survive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes = {"a.flows": 0, "b.intents": 0}
        for name in self.sizes:
            (folder / name).write_bytes(b"")
        self.ahead = Ahead.create(folder)

    def write(self, batch) -> list[Written]:
        written = []
        for name, data in batch:
            written.append(Written(name, self.sizes[name], data))
            with (self.folder / name).open("ab") as file:
                file.write(data)
            self.sizes[name] += len(data)
        return written

    def content(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in self.sizes}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=records, synced=st.integers(0, 12), lost=st.data())
def test_what_a_power_cut_takes_is_put_back(tmp_path_factory, batches, synced, lost):
    disk = Disk(tmp_path_factory.mktemp("disk"))
    safe = dict(disk.sizes)
    for number, batch in enumerate(batches):
        assert disk.ahead.append(disk.write(batch))
        if number == synced:
            safe = dict(disk.sizes)
            disk.ahead.reset()
    disk.ahead.close(remove=False)
    whole = disk.content()
    for name, size in disk.sizes.items():  # the cut takes the end of a file, or leaves zeros in its place
        kept = lost.draw(st.integers(safe[name], size))
        zeros = lost.draw(st.booleans())
        (disk.folder / name).write_bytes(whole[name][:kept] + (bytes(size - kept) if zeros else b""))
    recover(disk.folder)
    assert disk.content() == whole
    assert not list(disk.folder.glob(f"{PREFIX}*"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=records, where=st.floats(0, 1), torn=st.sampled_from(["cut", "flip", "zero"]))
def test_a_torn_frame_ends_it_and_nothing_that_was_never_written_appears(tmp_path_factory, batches, where, torn):
    disk = Disk(tmp_path_factory.mktemp("disk"))
    all_written = []
    for batch in batches:
        written = disk.write(batch)
        assert disk.ahead.append(written)
        all_written += written
    disk.ahead.close(remove=False)
    (path,) = disk.folder.glob(f"{PREFIX}*")
    data = bytearray(path.read_bytes())
    at = int(where * (disk.ahead._at - 1))
    if torn == "cut":
        del data[at:]
    else:
        data[at : at + 1] = bytes([data[at] ^ 0xFF]) if torn == "flip" else b"\0"
    found = list(frames(bytes(data)))
    assert found == all_written[: len(found)]


def test_frames_of_an_earlier_round_are_not_taken_for_new_ones(tmp_path):
    disk = Disk(tmp_path)
    for number in range(5):
        disk.ahead.append(disk.write([("a.flows", b"old %d" % number)]))
    disk.ahead.reset()
    new = disk.write([("a.flows", b"new")])
    disk.ahead.append(new)
    disk.ahead.close(remove=False)
    (path,) = tmp_path.glob(f"{PREFIX}*")
    assert list(frames(path.read_bytes())) == new


def test_it_says_when_it_is_full_and_a_batch_that_never_fits_is_not_taken(tmp_path):
    disk = Disk(tmp_path)
    taken = 0
    while disk.ahead.append([Written("a.flows", 0, b"x" * 4000)]):
        taken += 1
    assert taken == SIZE // 4096
    disk.ahead.reset()
    assert not disk.ahead.append([Written("a.flows", 0, b"x" * SIZE)])
    assert disk.ahead.append([Written("a.flows", 0, b"x")])


def test_the_file_of_a_recorder_at_work_is_left_alone(tmp_path):
    disk = Disk(tmp_path)
    disk.ahead.append(disk.write([("a.flows", b"x")]))
    (tmp_path / "a.flows").write_bytes(b"")
    assert recover(tmp_path) == 0 and len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    disk.ahead.close(remove=False)
    assert recover(tmp_path) == 1 and (tmp_path / "a.flows").read_bytes() == b"x"


def test_a_recording_that_was_taken_away_does_not_come_back(tmp_path):
    disk = Disk(tmp_path)
    disk.ahead.append(disk.write([("a.flows", b"x"), ("b.intents", b"y")]))
    disk.ahead.close(remove=False)
    (tmp_path / "a.flows").unlink()
    (tmp_path / "b.intents").write_bytes(b"")
    assert recover(tmp_path) == 1
    assert not (tmp_path / "a.flows").exists() and (tmp_path / "b.intents").read_bytes() == b"y"


def test_a_link_in_the_place_of_a_recording_is_not_followed(tmp_path):
    disk = Disk(tmp_path)
    disk.ahead.append(disk.write([("a.flows", b"x")]))
    disk.ahead.close(remove=False)
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "a.flows").unlink()
    (tmp_path / "a.flows").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        recover(tmp_path)
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_where_there_are_no_direct_writes_it_syncs_all_the_same(tmp_path, monkeypatch):
    real = os.open

    def without_direct(path, flags, *rest, **named):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(ahead_module.os, "open", without_direct)
    disk = Disk(tmp_path)
    assert disk.ahead.append(disk.write([("a.flows", b"x")]))
    assert os.get_blocking(disk.ahead._descriptor) and list(frames(disk.ahead.path.read_bytes()))


async def test_the_next_recorder_puts_back_what_the_last_one_lost(tmp_path):
    first = Journal(tmp_path, SetClock(START))
    first.open()
    places = [await first.append("flows", b"record %d;" % number) for number in range(20)]
    (ahead,) = tmp_path.glob(f"{PREFIX}*")
    kept = ahead.read_bytes()
    await asyncio.to_thread(first.close)
    assert not list(tmp_path.glob(f"{PREFIX}*")), "after a clean end nothing is left to put back"
    (tmp_path / f"{PREFIX}left").write_bytes(kept)
    (tmp_path / places[0].file).write_bytes(b"record 0;")
    second = Journal(tmp_path, SetClock(START + 60))
    second.open()
    await asyncio.to_thread(second.close)
    assert (tmp_path / places[0].file).read_bytes() == b"".join(b"record %d;" % number for number in range(20))


async def test_rotation_leaves_nothing_behind_that_would_be_put_back_into_closed_files(tmp_path):
    clock = SetClock(START)
    journal = Journal(tmp_path, clock, segment_seconds=10)
    journal.open()
    await journal.append("flows", b"first")
    clock.advance(10)
    place = await journal.append("flows", b"second")
    (ahead,) = tmp_path.glob(f"{PREFIX}*")
    assert [record.name for record in frames(ahead.read_bytes())] == [place.file]
    await asyncio.to_thread(journal.close)
