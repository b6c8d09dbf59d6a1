"""The recorder: records per second and what an append waits, with and without the ledger; how fast a folder
is proved, and its index made anew.

`python -m bench.recording [RECORDS]`. Ends with 1 when a bar is missed: 10,000 records a second at 64 at a time, and
less than 5 ms at the median for one alone, both strict and with the ledger. The time of the processor is the figure to
compare on a machine that does other things as well.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from bench.replay import generate
from sluicegate.clock import SystemClock
from sluicegate.database import Database
from sluicegate.recording.journal import Journal
from sluicegate.recording.ledger.log import Ledger
from sluicegate.recording.ledger.note import Signer
from sluicegate.recording.reindex import reindex
from sluicegate.recording.verify import folder_keys, verify

RATE_BAR = 10_000
WAIT_BAR = 0.005
_RECORD = b"x" * 2500
_SAID = {"id": "4b1f6b0a-5f43-4d6f-9f5e-0c9f7a3a6f11", "who": "ab" * 16, "service": "chunks", "effect": "allow"}


async def appended(
    folder: Path, durability: Literal["strict", "group"], *, ledger: bool, at_once: int, count: int
) -> tuple[float, float, list[float]]:
    """Seconds, and seconds of the processor, in which `count` records were acknowledged, `at_once` waiting at any time;
    and how long each waited."""
    signer = Signer("bench/log", Ed25519PrivateKey.generate())
    journal = Journal(folder, SystemClock(), ledger=Ledger(folder, signer) if ledger else None, durability=durability)
    await asyncio.to_thread(journal.open)
    waits: list[float] = []

    async def one(share: int) -> None:
        for number in range(share):
            begun = time.perf_counter()
            await journal.append("flows", _RECORD, "outcome", {**_SAID, "status": number})
            waits.append(time.perf_counter() - begun)

    begun, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one(count // at_once) for _ in range(at_once)))
    took, work = time.perf_counter() - begun, time.process_time() - worked
    await asyncio.to_thread(journal.close)
    return took, work, waits


async def rebuilt(root: Path, count: int) -> tuple[float, float]:
    """Seconds, and seconds of the processor, in which the index of so many exchanges was made anew."""
    generate(root / "recordings", count)
    database = Database.at(root / "sluicegate.sqlite3")
    await database.open()
    begun, worked = time.perf_counter(), time.process_time()
    found = await reindex(root / "recordings", database)
    took, work = time.perf_counter() - begun, time.process_time() - worked
    await database.close()
    assert (found.count, found.damage) == (count, [])
    return took, work


def main(count: int) -> int:
    """Print the table and say whether the bars are met."""
    console = Console()
    table = Table(title=f"records of {len(_RECORD)} bytes")
    for column in ("at once", "durability", "ledger", "records/s", "p50 ms", "p99 ms", "CPU µs"):
        table.add_column(column, justify="right")
    missed = []
    proved = 0.0
    for at_once in (1, 16, 64):
        for durability in ("strict", "group"):
            for ledger in (False, True):
                with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
                    share = count if at_once > 1 else count // 10
                    took, work, waits = asyncio.run(
                        appended(Path(name), durability, ledger=ledger, at_once=at_once, count=share)
                    )
                    rate, middle = len(waits) / took, median(waits)
                    late = sorted(waits)[int(len(waits) * 0.99)]
                    row = (str(at_once), durability, "yes" if ledger else "no")
                    table.add_row(
                        *row,
                        f"{rate:,.0f}",
                        f"{middle * 1e3:.2f}",
                        f"{late * 1e3:.2f}",
                        f"{work / len(waits) * 1e6:.0f}",
                    )
                    if ledger and durability == "strict":
                        if at_once == 64 and rate < RATE_BAR:
                            missed.append(f"{rate:,.0f} records/s at 64, and {RATE_BAR:,} are wanted")
                        if at_once == 1 and middle > WAIT_BAR:
                            missed.append(f"{middle * 1e3:.1f} ms for one alone, and 5 are allowed")
                    if ledger:
                        begun = time.perf_counter()
                        report = verify(Path(name), folder_keys(Path(name)))
                        assert not report.findings, report.findings
                        proved = max(proved, report.size / (time.perf_counter() - begun))
    console.print(table)
    console.print(f"verify: {proved:,.0f} entries/s with their records, a million in {1e6 / proved:.0f} s")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        took, work = asyncio.run(rebuilt(Path(name), count))
    console.print(
        f"reindex: {count / took:,.0f} exchanges/s, a million in {1e6 / count * took:.0f} s "
        f"({work / count * 1e6:.0f} µs of CPU each)"
    )
    console.print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
    for text in missed:
        console.print(f"[red]bar missed[/red]: {text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40_000))
