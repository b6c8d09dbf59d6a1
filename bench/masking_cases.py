"""What `bench.masking` measures: bodies, what is owed on them, and what each is held against."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from jsonpath_ng.parser import parse

from sluicegate import codings
from sluicegate.exchange import Delivery, Obligation, Output, Rows
from sluicegate.mask_method import Detector
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-"
"""What every masked value begins with; nothing else holds it."""
MASKED = ("ssn", "email", "phone", "salary")
JSON, LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"

_METHODS = Methods(b"k" * 32)
_DETECTORS: frozenset[Detector] = frozenset(("email", "phone", "card", "iban", "national-id", "secret"))
_KILO = 3.36  # rows of a kilobyte of JSON

Work = Callable[[bytes], object]


class Case(NamedTuple):
    """A body, what is owed, how its service delivers it; `floor` is the parser alone, `naive` jsonpath-ng's own way."""

    name: str
    media: str
    body: bytes
    plan: Plan
    bar: str = ""
    delivery: Delivery | None = None
    coding: str = ""
    floor: Work | None = None
    naive: Work | None = None
    streams: bool = False
    """Whether it is fed in pieces of 64 kB, as it passes through the gateway."""
    size: int = 0
    """Bytes of the body once decoded."""


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


def named(method: str = "redact") -> Plan:
    """The four columns by their names."""
    return Plan((Obligation("b", method, frozenset(MASKED)),), _METHODS)  # type: ignore[arg-type]


def pathed(paths: list[str]) -> Plan:
    """A rule for each path."""
    return Plan(tuple(Obligation(f"b{n}", "redact", path=path) for n, path in enumerate(paths)), _METHODS)


def _columns(count: int) -> list[str]:
    """So many names: first those that are secret, then one that is not, then some that are nowhere."""
    return [*MASKED, "city", *(f"absent_{n}" for n in range(15))][:count]


def rows_of(kilobytes: float) -> list[dict[str, object]]:
    """Rows that take so much as JSON."""
    return [row(number) for number in range(max(3, int(kilobytes * _KILO)))]


def cases(largest: int) -> Iterator[Case]:
    """Every line of the table, in its order, bodies up to `largest` megabytes."""
    for kilobytes, label in ((1, "1 kB"), (100, "100 kB"), (1000, "1 MB"), (10_000, "10 MB"), (100_000, "100 MB")):
        if kilobytes <= largest * 1000:
            yield from _json(kilobytes, label)
    table = rows_of(10_000)
    lines = b"".join(orjson.dumps(each) + b"\n" for each in table)
    yield Case("NDJSON 10 MB", LINES, lines, named(), floor=_orjson_lines)
    yield Case("NDJSON 10 MB, streaming", LINES, lines, named(), "0.8 of buffered", streams=True)
    document = orjson.dumps({"rows": table})
    yield Case("JSON 10 MB, streaming", JSON, document, named(), "0.8 of buffered", streams=True)
    for name, quoting in (("CSV 6 MB", csv.QUOTE_NONE), ("CSV 7 MB, all quoted", csv.QUOTE_ALL)):
        body = _csv_of(table, quoting)
        yield Case(name, CSV, body, named(), "300 MB/s", floor=_csv)
        yield Case(f"{name}, streaming", CSV, body, named(), "0.8 of buffered", streams=True)
    arrow = pa.Table.from_pylist(table)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, arrow.schema) as out:
        out.write_table(arrow, max_chunksize=8192)
    stream = sink.getvalue().to_pybytes()
    yield Case("Arrow 7 MB", ARROW, stream, named(), "800 MB/s")
    yield Case("Arrow 7 MB, pseudonyms", ARROW, stream, named("hmac"))
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink)
    yield Case("Parquet (of compressed bytes)", PARQUET, sink.getvalue().to_pybytes(), named())
    small = orjson.dumps({"rows": table[:3600]})
    for coding in ("gzip", "br", "zstd"):
        packed = codings.encode(small, coding)
        yield Case(f"JSON 1 MB, {coding}", JSON, packed, named(), coding=coding, floor=_recode(coding), size=len(small))
    found = Plan((Obligation("d", "redact", detect=_DETECTORS),), _METHODS)
    clean = orjson.dumps({"rows": [{**each, **dict.fromkeys(MASKED, "-")} for each in table[:3600]]})
    mixed = orjson.dumps({"rows": [{**each, "phone": "-", "salary": "-"} for each in table[:3600]]})
    yield Case("detectors, 1 MB, nothing to find", JSON, clean, found, "100 MB/s", floor=_orjson)
    yield Case("detectors, 1 MB, two values a row", JSON, mixed, found, floor=_orjson)


def _json(kilobytes: float, label: str) -> Iterator[Case]:
    table = rows_of(kilobytes)
    body = orjson.dumps({"rows": table})
    bars = ("", "") if kilobytes < 100 else ("0.8 of orjson", "0.6 of orjson")
    for count in (1, 5, 20):
        anchored, below = ([f"{front}{name}" for name in _columns(count)] for front in ("$.rows[*].", "$.."))
        few = kilobytes <= 1000 or (kilobytes <= 10_000 and count == 1)  # the rest would take minutes
        for word, paths, bar in (("anchored", anchored, bars[0]), ("descendant", below, bars[1])):
            name = f"JSON {label}, {count} {word}"
            naive = _jsonpath(paths) if few else None
            yield Case(name, JSON, body, pathed(paths), bar, floor=_orjson, naive=naive)
    yield Case(f"JSON {label}, names", JSON, body, named(), bars[0], floor=_orjson)
    if kilobytes > 10_000:
        return
    columns = tuple(Output(name, frozenset({("d", name)})) for name in row(0))
    told = Delivery((Rows(path="$.rows", shape="arrays", columns=columns),))
    arrays = orjson.dumps({"rows": [list(each.values()) for each in table]})
    yield Case(f"JSON {label}, positions", JSON, arrays, named(), bars[0], told, floor=_orjson)
    yield Case(f"JSON {label}, pseudonyms", JSON, body, named("hmac"), floor=_orjson)


def _csv_of(table: list[dict[str, object]], quoting: int) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(table[0])
    writer.writerows([str(v).replace(",", "") for v in each.values()] for each in table)
    return sink.getvalue().encode()


def _orjson(body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body))


def _orjson_lines(body: bytes) -> bytes:
    return b"\n".join(orjson.dumps(orjson.loads(line)) for line in body.splitlines())


def _csv(body: bytes) -> str:
    sink = io.StringIO()
    csv.writer(sink).writerows(csv.reader(io.StringIO(body.decode(), newline="")))
    return sink.getvalue()


def _recode(coding: str) -> Work:
    return lambda body: codings.encode(codings.decode(body, coding, 1 << 30), coding)


def _jsonpath(paths: list[str]) -> Work:
    parsed = [parse(path) for path in paths]

    def update(body: bytes) -> bytes:
        document = orjson.loads(body)
        for path in parsed:
            path.update(document, "[redacted]")
        return orjson.dumps(document)

    return update
