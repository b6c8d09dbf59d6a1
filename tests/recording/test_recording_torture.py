"""Killed, and broken, at every step: nothing acknowledged is lost, and the folder is proved clean afterwards."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.recording.journal import RecorderDown
from sluicegate.recording.verify import verify
from tests.recording.faults import Faults
from tests.recording.ledgers import KEYS, journal_at, record

ROOT = Path(__file__).parents[2]


def test_kills_between_and_within_writes(tmp_path):
    """The short form of `make torture`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.recording.torture", "15", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 rounds" in done.stdout


async def with_faults(folder: Path, faults: Faults) -> list[tuple[str, int, bytes]]:
    """Record, with the disk failing as it is told to; what was acknowledged all the same."""
    kept = []

    async def one(journal, number: int) -> None:
        data = record(number, number * 131 % 3000)
        try:
            place = await journal.append("flows", data, "outcome", {"id": f"x{number:07d}"})
        except RecorderDown:
            return
        kept.append((place.file, place.offset, data))

    def opened():
        journal = journal_at(folder, segment_bytes=6000)
        try:
            journal.open()
        except OSError:
            return None  # it says so, and nothing is let through
        return journal

    with faults.injected():
        journal = await asyncio.to_thread(opened)
        if journal is not None:
            for first in range(0, 24, 4):
                await asyncio.gather(*(one(journal, number) for number in range(first, first + 4)))
            await asyncio.to_thread(journal.close)
    return kept


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["broken", "full"])
@pytest.mark.parametrize("count", [1, 12], ids=["once", "for a while"])
async def test_an_error_of_the_disk_at_every_step(tmp_path, code, count):
    probe = Faults(10**9, kill=False)
    await with_faults(tmp_path / "whole", probe)
    assert probe.calls > 60
    for at in range(0, probe.calls, 9 if count == 1 else 19):
        faults = Faults(at, kill=False, count=count, code=code)
        folder = tmp_path / str(at)
        kept = await with_faults(folder, faults)
        again = journal_at(folder)
        await asyncio.to_thread(again.open)
        await asyncio.to_thread(again.close)
        for name, offset, data in kept:
            assert (folder / name).read_bytes()[offset : offset + len(data)] == data, (at, faults.hit)
        report = verify(folder, KEYS)
        assert report.findings == [], (at, faults.hit)
        # A batch that failed last of all, and could not be cut off, may be there as well: more is no loss.
        assert len(kept) <= report.counts.get("outcome", 0) <= len(kept) + 4, (at, faults.hit)
