"""Kills a recorder at points between and within its writes, many times, and looks what the next start makes of it.

`python -m tests.recording.torture [ROUNDS] [SEED]`. Nothing that was acknowledged may be lost or changed, and the folder
must be proved clean after the next start.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sluicegate.clock import SetClock
from sluicegate.recording.ledger import log as ledger_log
from sluicegate.recording.verify import Report, verify
from tests.recording.faults import Faults
from tests.recording.ledgers import KEYS, START, journal_at, record

EXCHANGES = 40
Place = tuple[str, int, bytes]


def child(folder: Path, at: int, seed: int, told: int) -> None:
    """Record until the fault ends it; each acknowledged place is a line on `told`."""
    faults = Faults(at, kill=True, seed=seed)
    faults.spared.add(told)
    real = os.write
    ledger_log._QUICKEST = ledger_log.PUBLISH_SECONDS = 0.0
    strict = seed % 4 != 0

    async def one(journal, number: int) -> None:
        for kind, what in (("intents", "intent"), ("flows", "outcome")):
            data = record(number, number * 131 % 3000)
            place = await journal.append(kind, data, what, {"id": f"x{number:07d}"})
            real(told, f"{place.file} {place.offset} {data.hex()}\n".encode())

    async def run() -> None:
        settings = {"segment_bytes": 20_000, "durability": "strict" if strict else "group", "sync_seconds": 0.001}
        journal = journal_at(folder, SetClock(START + seed), **settings)
        journal.open()
        for first in range(0, EXCHANGES, 5):
            await asyncio.gather(*(one(journal, number) for number in range(first, first + 5)))
        journal.close()

    with faults.injected():
        asyncio.run(run())
    os.write(told, f"calls {faults.calls}\n".encode())
    os._exit(0)


def round_at(folder: Path, at: int, seed: int) -> tuple[list[Place], int | None]:
    """Fork a recorder that dies at a call: what it acknowledged, and how many calls there were if it lived."""
    reader, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            child(folder, at, seed, told)
        except BaseException as error:
            os.write(told, f"failed {type(error).__name__} {error}\n".encode())
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(reader, "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    os.waitpid(pid, 0)
    acknowledged, calls = [], None
    for line in lines:
        if line.startswith(b"failed"):
            raise AssertionError(line.decode())
        if line.startswith(b"calls "):
            calls = int(line.split()[1])
            continue
        name, offset, data = line.split()
        acknowledged.append((name.decode(), int(offset), bytes.fromhex(data.decode())))
    return acknowledged, calls


def check(folder: Path, acknowledged: list[Place], clock: SetClock) -> Report:
    """Start and stop a recorder on what is there; everything acknowledged must be where it was, and proved."""
    before = verify(folder, KEYS)
    assert {finding.kind for finding in before.findings} <= {"unsigned", "cannot-tell"}, before.findings

    async def restart() -> None:
        journal = journal_at(folder, clock)
        journal.open()
        await journal.append("flows", record(8_000_000), "outcome", {"id": "after"})
        journal.close()

    asyncio.run(restart())
    for name, offset, data in acknowledged:
        kept = (folder / name).read_bytes()[offset : offset + len(data)]
        assert kept == data, f"{name} at {offset} was acknowledged, and is lost"
    report = verify(folder, KEYS)
    assert report.findings == [], report.findings
    assert report.counts.get("loss", 0) == 0
    assert report.records >= len(acknowledged)
    assert not list(folder.rglob("*.tail")) and not list(folder.glob(".ahead-*"))
    return report


def torture(rounds: int, seed: int) -> dict[str, int]:
    """That many kills, at calls chosen over the whole life of a recorder."""
    root = Path(tempfile.mkdtemp(prefix="torture-"))
    totals = {"rounds": 0, "killed": 0, "acknowledged": 0, "left over": 0, "recovered": 0}
    try:
        _, calls = round_at(root / "whole", 10**9, seed=1)
        assert calls is not None
        draw = random.Random(seed)
        for number in range(rounds):
            # Every call in turn first, then at random: recovery after recovery, too.
            at = number % (calls + 5) if number < calls else draw.randrange(calls)
            folder = root / str(number)
            acknowledged, lived = round_at(folder, at, seed=seed + number)
            if number % 5 == 0:
                # The recorder that recovers is killed as well.
                more, _ = round_at(folder, draw.randrange(60), seed=seed + number + 1)
                acknowledged += more
            report = check(folder, acknowledged, SetClock(START + 90_000 + number))
            totals["rounds"] += 1
            totals["killed"] += lived is None
            totals["acknowledged"] += len(acknowledged)
            totals["left over"] += report.counts.get("cut", 0)
            totals["recovered"] += report.counts.get("gateway.start", 0) - report.counts.get("gateway.stop", 0)
            shutil.rmtree(folder)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return totals


if __name__ == "__main__":
    begun = time.monotonic()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    print(", ".join(f"{count} {name}" for name, count in torture(rounds, seed).items()), end="")
    print(f" in {time.monotonic() - begun:.0f} s")
