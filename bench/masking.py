"""Masking against the parsers' own speed: JSON beside orjson's loads and dumps, CSV beside the csv module, Arrow.

`python -m bench.masking` prints one table. Every output is checked before its time counts: a masked value in it, or a
missing row, ends the run.
"""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from sluicegate.exchange import Delivery, Obligation, Output, Rows
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-"
"""What every masked value begins with; nothing else holds it."""

MASKED = ("ssn", "email", "phone", "salary")
LIMIT = 1 << 30
ROUNDS = 7
JSON_BAR, CSV_BAR, ARROW_BAR = 0.8, 300, 800
"""Share of orjson's speed; MB/s; MB/s."""

METHODS = Methods(b"k" * 32)
NAMED = Plan((Obligation("b", "redact", frozenset(MASKED)),), METHODS)
ANCHORED = Plan(tuple(Obligation(n, "redact", path=f"$.rows[*].{n}") for n in MASKED), METHODS)
PSEUDONYMS = Plan((Obligation("b", "hmac", frozenset(MASKED)),), METHODS)


_QUOTINGS: tuple[tuple[str, Literal[0, 1]], ...] = (("CSV 10 MB", 0), ("CSV 10 MB, all quoted", 1))


class Case(NamedTuple):
    """What is masked: a body, what is owed, and how its service delivers it."""

    name: str
    media: str
    body: bytes
    plan: Plan
    delivery: Delivery | None = None
    floor: Callable[[bytes], object] | None = None


def row(number: int) -> dict[str, object]:
    """A row of twelve columns, four of which owe a mask."""
    secret = f"{SECRET}{number % 10000:04d}"
    return {
        "id": number,
        "ssn": secret,
        "email": f"{secret}@example.org",
        "phone": f"{secret}-99",
        "salary": f"{secret}.50",
        "name": f"Name {number}",
        "city": "Lübeck",
        "country": "DE",
        "created": "2026-01-02T03:04:05.678901Z",
        "score": number / 7,
        "active": number % 2 == 0,
        "note": "nothing in particular, a few words of text",
    }


def cases() -> list[Case]:
    """Every line of the table, in its order."""
    found = []
    columns = tuple(Output(name, frozenset({("d", name)})) for name in row(0))
    told = Delivery((Rows(path="$.rows", shape="arrays", columns=columns),))
    for count, size in ((3, "1 kB"), (360, "100 kB"), (3600, "1 MB"), (36000, "10 MB")):
        table = [row(number) for number in range(count)]
        objects = orjson.dumps({"rows": table})
        arrays = orjson.dumps({"rows": [list(each.values()) for each in table]})
        found += [
            Case(f"JSON {size}, names", "application/json", objects, NAMED, None, _orjson),
            Case(f"JSON {size}, paths", "application/json", objects, ANCHORED, None, _orjson),
            Case(f"JSON {size}, positions", "application/json", arrays, NAMED, told, _orjson),
        ]
        if size == "1 MB":
            found.append(Case("JSON 1 MB, pseudonyms", "application/json", objects, PSEUDONYMS, None, _orjson))
            lines = b"".join(orjson.dumps(each) + b"\n" for each in table)
            found.append(Case("NDJSON 1 MB, names", "application/x-ndjson", lines, NAMED, None, _orjson_lines))
    table = [row(number) for number in range(36000)]
    for name, quoting in _QUOTINGS:
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n", quoting=quoting)
        writer.writerow(table[0])
        writer.writerows([str(v).replace(",", "") for v in each.values()] for each in table)
        found.append(Case(name, "text/csv", sink.getvalue().encode(), NAMED, None, _csv))
    arrow = pa.Table.from_pylist(table)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, arrow.schema) as out:
        out.write_table(arrow, max_chunksize=8192)
    body = stream.getvalue().to_pybytes()
    found.append(Case("Arrow stream", "application/vnd.apache.arrow.stream", body, NAMED))
    found.append(Case("Arrow stream, pseudonyms", "application/vnd.apache.arrow.stream", body, PSEUDONYMS))
    parquet = pa.BufferOutputStream()
    pq.write_table(arrow, parquet)
    found.append(Case("Parquet", "application/vnd.apache.parquet", parquet.getvalue().to_pybytes(), NAMED))
    return found


def speed(work: Callable[[], object], size: int) -> float:
    """MB/s of the best round. CPU time, so that other work on the machine does not count."""
    best = float("inf")
    for _ in range(ROUNDS):
        repeat = max(1, 200_000 // size)
        start = time.process_time()
        for _ in range(repeat):
            work()
        best = min(best, (time.process_time() - start) / repeat)
    return size / best / 1e6


def run(case: Case) -> bytes:
    """The masked body, through the same door as in the gateway."""
    reply = Reply("GET", 200, ((b"content-type", case.media.encode()),), case.body)
    return mask(reply, case.plan, (), LIMIT, case.delivery).body


def checked(case: Case) -> None:
    """Ends the run when a masked value is in the output."""
    masked = run(case)
    if case.media == "application/vnd.apache.parquet":
        masked = str(pq.read_table(pa.BufferReader(masked)).to_pydict()).encode()
    if SECRET.encode() in masked or len(masked) < len(case.body) // 20:
        sys.exit(f"{case.name}: a value is in clear, or rows are missing")


def main() -> None:
    """Measures and prints."""
    console = Console(width=110)
    table = Table(title=f"CPU time, best of {ROUNDS} rounds; 12 columns, 4 masked")
    for column in ("what", "size kB", "ours MB/s", "parser alone MB/s", "share", "bar"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for case in cases():
        checked(case)
        size = len(case.body)
        ours = speed(lambda case=case: run(case), size)  # type: ignore[misc]
        floor = speed(lambda case=case: case.floor(case.body), size) if case.floor else None  # type: ignore[misc]
        share = f"{ours / floor:.2f}" if floor else "-"
        table.add_row(
            case.name, f"{size / 1000:,.1f}", f"{ours:,.0f}", f"{floor:,.0f}" if floor else "-", share, _bar(case)
        )
    console.print(table)


def _bar(case: Case) -> str:
    if case.name.startswith("JSON"):
        return f"{JSON_BAR} of orjson" if not case.name.startswith("JSON 1 kB") else "-"
    if case.name.startswith("CSV"):
        return f"{CSV_BAR} MB/s"
    return f"{ARROW_BAR} MB/s" if case.name == "Arrow stream" else "-"


def _orjson(body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body))


def _orjson_lines(body: bytes) -> bytes:
    return b"\n".join(orjson.dumps(orjson.loads(line)) for line in body.splitlines())


def _csv(body: bytes) -> str:
    sink = io.StringIO()
    csv.writer(sink).writerows(csv.reader(io.StringIO(body.decode(), newline="")))
    return sink.getvalue()


if __name__ == "__main__":
    main()
