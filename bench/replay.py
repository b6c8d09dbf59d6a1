"""The replay tool over many recorded exchanges: how long the catalog takes, and then list, filters and search.

python -m bench.replay [COUNT]       a million unless said otherwise; the bar is 2 s for each question
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from mitmproxy.test import tflow

from sluicegate.exchange import Exchange, Exposure, Obligation, Operation, Principal, Verdict
from sluicegate.recording.flow_reader import NO_CRC
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.redact import Redactor
from sluicegate_replay.catalog.place import place_of
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.filters.parse import parse
from sluicegate_replay.searching import hits
from sluicegate_replay.source import Source, source

BAR_SECONDS = 2.0
START = 1_795_470_301.0
A_SEGMENT = 20_000
PEOPLE, DATASETS = 200, 12
_ID, _CHUNK, _WORD = "0" * 36, "987654321", "quixotic00"
"""What of a template is another in each exchange, always as long."""


class Quiet:
    """Progress that nobody sees."""

    def start(self, what: str, total: int) -> None:
        pass

    def step(self, count: int) -> None:
        pass

    def stop(self) -> None:
        pass


def template(person: int, dataset: int) -> bytes:
    """An exchange as the recorder writes it, up to its checksum."""
    flow = tflow.tflow(resp=True)
    assert flow.response is not None
    flow.id = _ID
    flow.request.path = f"/datasets/data{dataset:02d}/chunks/{_CHUNK}?columns=id,notes,ssn"
    flow.response.headers["content-type"] = "application/json"
    rows = ", ".join(
        f'{{"id": {_CHUNK}{row}, "notes": "{_WORD} part {row}", "ssn": "***-**-67{row}9"}}' for row in range(4)
    )
    flow.response.raw_content = f'{{"rows": [{rows}]}}'.encode()
    exchange = Exchange(
        id=_ID,
        started=START,
        client=f"10.0.{person // 250}.{person % 250}",
        method="GET",
        scheme="https",
        host="chunks.internal",
        port=8443,
        target=flow.request.path,
        service="chunks",
        principal=Principal(
            f"s-{person:05d}",
            "https://idp",
            frozenset({"ml"}),
            session=f"session-{person:05d}",
            name=f"Person{person} Name",
        ),
        operation=Operation("chunks", "read", f"data{dataset:02d}", True, (_CHUNK,), ("id", "notes", "ssn"), "listed"),
        verdict=Verdict(
            "allow", ("people-read",), ("They may read.",), (Obligation("m", "last4", frozenset({"ssn"})),)
        ),
        exposure=Exposure({"id": "clear", "ssn": "masked"}, 4, {"m": 4}),
    )
    writer = FlowWriter(Redactor(), "bench")
    return writer.encode(flow, exchange, writer.summary(flow, exchange, START, intent=False))


def elements(count: int, seed: int = 7) -> Iterator[bytes]:
    """So many exchanges, the same ones for the same seed."""
    rng = random.Random(seed)
    made = [template(rng.randrange(PEOPLE), rng.randrange(DATASETS)) for _ in range(300)]
    moment = repr(START).encode()
    for number in range(count):
        element = (
            rng.choice(made)
            .replace(_ID.encode(), f"{rng.getrandbits(128):032x}{number % 10_000:04d}".encode())
            .replace(_CHUNK.encode(), b"%09d" % rng.randrange(10**9))
            .replace(_WORD.encode(), b"word%06d" % rng.randrange(200_000))
            .replace(moment, b"%.1f" % (START + number // 10))
        )
        element = element[: -len(NO_CRC)] + NO_CRC
        yield b"%b8:%08x;}}}" % (element[: -len(NO_CRC)], zlib.crc32(element))


def generate(folder: Path, count: int) -> int:
    """Segments below a folder; the bytes in them."""
    every, size = elements(count), 0
    for number in range(-(-count // A_SEGMENT)):
        file = folder / f"2026-11-{1 + number // 24:02d}" / f"{number % 24:02d}0000Z-0001.flows"
        file.parent.mkdir(parents=True, exist_ok=True)
        size += file.write_bytes(b"".join(islice(every, A_SEGMENT)))
    return size


def questions(ours: Source) -> dict[str, Callable[[], int]]:
    """What is asked, by what it is called; each gives how many it found."""

    def listed(**chosen: object) -> Callable[[], int]:
        return lambda: len(list(islice(ours.wanted(Selection(**chosen)), 100)))  # type: ignore[arg-type]

    def searched(text: str, **chosen: object) -> Callable[[], int]:
        return lambda: len(list(hits(ours, islice(ours.saying(text, Selection(**chosen), Quiet()), 100), text)))  # type: ignore[arg-type]

    return {
        "list": listed(),
        "list --who": listed(who="person42"),
        "list --who, nobody": listed(who="no such person"),
        "list --dataset --since": listed(dataset="data03", since=START + 1000),
        "list --filter ~m GET & ~u chunks": listed(filter=parse("~m GET & ~u chunks/00")),
        "list --filter, a pattern that fits nothing": listed(filter=parse("~u 'chunks/[a-z]+'")),
        "sessions": lambda: len(ours.catalog.sessions()),
        "show: an id": lambda: len(ours.catalog.beginning("0a")),
        "search, a rare word": searched("word000042"),
        "search, a word in all": searched("people-read"),
        "search, a phrase": searched("word000042 part 3"),
        "search, nothing": searched("nowhere"),
        "search --who": searched("word000042", who="person42"),
    }


def main() -> int:
    """Print the figures; 1 where a question took longer than the bar."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    root = Path(tempfile.mkdtemp(prefix="sluicegate-bench-"))
    slow = 0
    try:
        size = generate(root / "recordings", count)
        print(f"{count} exchanges, {size / 1e6:.0f} MB")
        began = time.perf_counter()
        with source(root / "recordings", root / "cache", Quiet()) as ours:
            print(f"catalog made in {time.perf_counter() - began:.1f} s")
            began = time.perf_counter()
            list(islice(ours.saying("anything", Selection(), Quiet()), 1))
            print(f"words read in {time.perf_counter() - began:.1f} s")
        kept = place_of(root / "recordings", root / "cache").stat().st_size
        print(f"catalog of {kept / 1e6:.0f} MB")
        began = time.perf_counter()
        with source(root / "recordings", root / "cache", Quiet()) as ours:
            print(f"{'opened again':45} {time.perf_counter() - began:7.3f} s")
            for name, ask in questions(ours).items():
                began = time.perf_counter()
                found = ask()
                took = time.perf_counter() - began
                slow += took > BAR_SECONDS
                print(f"{name:45} {took:7.3f} s  {found:4} found{'   over the bar' if took > BAR_SECONDS else ''}")
    finally:
        shutil.rmtree(root)
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"memory: {own / 1024:.0f} MB at most, and {children / 1024:.0f} MB in each process that reads")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
