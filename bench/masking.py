"""Masking beside the parsers' own speed and jsonpath-ng's own update, in one run.

`python -m bench.masking` prints one table: MB/s of decoded bytes in CPU time, the best of rounds in which everybody has
a turn, and the memory that one masking takes beyond its input. Every output is checked before its time counts: a
masked value in it, or missing rows, end the run.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from bench.masking_cases import LINES, PARQUET, SECRET, Case, cases
from sluicegate import codings
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.stream import open_stream

LIMIT = 1 << 30
ROUNDS = 7
SECONDS = 5.0
"""What the rounds of one line may take, all of its turns together; one round is always done."""
_PIECE = 64 << 10
_LEAST = 500_000  # bytes a turn, so that a clock is good enough for short bodies


def run(case: Case, *, keep: bool = False) -> bytes:
    """The masked body, through the same door as in the gateway; of one that streams only if `keep`."""
    fields: tuple[tuple[bytes, bytes], ...] = ((b"content-type", case.media.encode()),)
    if case.coding:
        fields += ((b"content-encoding", case.coding.encode()),)
    if not case.streams:
        accepts = (case.coding,) if case.coding else ()
        return mask(Reply("GET", 200, fields, case.body), case.plan, accepts, LIMIT, case.delivery).body
    passing = open_stream(fields, 200, case.plan, (), None)
    if passing is None:
        raise LookupError(f"{case.media} does not pass piece by piece")
    kept: list[bytes] = []
    for start in range(0, len(case.body), _PIECE):
        pieces = passing.feed(case.body[start : start + _PIECE])
        if keep:
            kept += pieces
    kept += passing.end()
    return b"".join(kept)


def checked(case: Case) -> None:
    """Ends the run when a masked value is in the output, or something is missing."""
    masked = run(case, keep=True)
    if case.coding:
        masked = codings.decode(masked, case.coding, LIMIT)
    if case.media == PARQUET:
        masked = str(pq.read_table(pa.BufferReader(masked)).to_pydict()).encode()
    wanted = case.body.count(b"\n") if case.media == LINES else 0
    if not _hidden(case, masked) or len(masked) < len(case.body) // 20 or masked.count(b"\n") < wanted:
        sys.exit(f"{case.name}: a value is in clear, or rows are missing")


def _hidden(case: Case, masked: bytes) -> bool:
    if case.plan.content is not None:
        return b"@example.org" not in masked
    one = case.name.split(", ")[-1].startswith("1 ")
    return (f'"ssn":"{SECRET}' if one else SECRET).encode() not in masked


def measured(case: Case) -> list[float | None]:
    """MB/s: ours, the parser alone, jsonpath-ng."""
    works: list[Callable[[], object] | None] = [lambda: run(case)]
    works += [None if work is None else lambda work=work: work(case.body) for work in (case.floor, case.naive)]  # type: ignore[misc]
    size = case.size or len(case.body)
    repeat = max(1, _LEAST // size)
    best = [float("inf")] * len(works)
    ends = time.monotonic() + SECONDS
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            if work is None:
                continue
            start = time.process_time()
            for _ in range(repeat):
                work()
            best[place] = min(best[place], (time.process_time() - start) / repeat)
        if time.monotonic() > ends:
            break
    return [None if work is None else size / taken / 1e6 for work, taken in zip(works, best, strict=True)]


def peak(case: Case) -> float | None:
    """Megabytes that one masking takes at most beyond its input. None where nobody can tell."""
    try:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        before = _memory("VmRSS")
        run(case)
        return max(0.0, _memory("VmHWM") - before)
    except OSError:
        return None


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.masking", description="Masking beside the parsers alone.")
    parser.add_argument("--largest", type=int, default=100, help="megabytes of the largest body")
    parser.add_argument("--only", default="", help="lines with this in their name")
    options = parser.parse_args()
    console = Console(width=130)
    table = Table(title="12 columns; MB/s of CPU time, best of interleaved rounds")
    columns = ("what", "size kB", "ours", "parser alone", "jsonpath-ng", "share of parser", "bar", "peak MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "what" else "right")
    for case in cases(options.largest):
        if options.only not in case.name:
            continue
        try:
            checked(case)
        except LookupError:
            table.add_row(case.name, f"{len(case.body) / 1000:,.0f}", *["-"] * 4, case.bar, "-")
            continue
        taken = peak(case)
        ours, floor, naive = measured(case)
        shown = [f"{speed:,.0f}" if speed is not None else "-" for speed in (ours, floor, naive)]
        share = f"{ours / floor:.2f}" if ours is not None and floor is not None else "-"
        memory = "-" if taken is None else f"{taken:,.0f}"
        found = (case.name, f"{(case.size or len(case.body)) / 1000:,.0f}", *shown, share, case.bar, memory)
        table.add_row(*found)
        print(" | ".join(found), file=sys.stderr, flush=True)  # a run takes minutes
    console.print(table)


if __name__ == "__main__":
    main()
