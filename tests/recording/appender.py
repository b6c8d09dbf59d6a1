"""A process that appends and says what was acknowledged: `appender.py FOLDER crash` until it is killed, or
`appender.py FOLDER full` through a disk that fills up and is emptied again (a limit on the size of files)."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from sluicegate.clock import SystemClock
from sluicegate.recording.intents import seal
from sluicegate.recording.journal import Journal, RecorderDown


def record(number: int) -> bytes:
    """A record that can be found again, of a size that differs."""
    return seal({"version": 1, "id": str(number), "time": 1.0, "filling": "x" * (number * 37 % 900)})


async def crash(folder: Path) -> None:
    """Append from eight tasks without end; each acknowledged number and its place is a line of output."""
    journal = Journal(folder, SystemClock(), segment_bytes=1 << 16)
    journal.open()

    async def append(number: int) -> None:
        while True:
            place = await journal.append("flows" if number % 3 else "intents", record(number))
            print(number, place.file, place.offset, flush=True)
            number += 8

    await asyncio.gather(*(append(number) for number in range(8)))


def limit(size: int) -> None:
    """The size that files of this process may have."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def full(folder: Path) -> None:
    """Write, run into the limit, be refused for as long as it lasts, and recover."""
    journal = Journal(folder, SystemClock())
    limit(1000)
    try:
        journal.open()
    except OSError as error:
        print(json.dumps({"at_open": error.strerror, "left": [str(p) for p in folder.rglob("*.flows")]}))
    limit(4_000_000)
    journal.open()
    places, failed = [], []
    for number in range(400):
        if number == 200:
            limit(1000)  # not even the proof of a new segment fits
        if number == 300:
            limit(4_000_000)
        try:
            place = await journal.append("flows", record(number))
        except RecorderDown as down:
            failed.append((number, str(down)))
        else:
            places.append((number, place.file, place.offset))
    journal.close()
    print(json.dumps({"places": places, "failed": failed}))


if __name__ == "__main__":
    asyncio.run({"crash": crash, "full": full}[sys.argv[2]](Path(sys.argv[1])))
