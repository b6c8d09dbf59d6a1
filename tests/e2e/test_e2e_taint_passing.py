"""Value taint of responses that pass piece by piece, through a whole gateway: what left is known, whatever becomes of
the rest, and before the rest has come."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading

import pytest

from sluicegate.clock import SetClock
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.taint import sample, worker
from sluicegate.pipeline import order
from sluicegate.settings import State
from tests.detection.organisation import MONDAY
from tests.e2e.driven import Gate, StandIn, read_on
from tests.origin import Origin, Poured, json_response
from tests.running import Wire

POLICY = """
[gateway]
listen = "127.0.0.1:1"
[identity]
issuer = "https://idp.test"
[dialects.chunks]
routes = [
  {{ request = "GET /d/{{dataset}}/{{chunk}}", kind = "read", dataset = "path:dataset", chunks = "path:chunk" }},
  {{ request = "POST /notes", kind = "write", dataset = "$.to", accepts = ["note"] }},
]
[services.chunks]
hosts = ["http://127.0.0.1:{chunks}"]
dialect = "chunks"
addresses = ["127.0.0.0/8"]
[services.notes]
hosts = ["http://127.0.0.1:{notes}"]
dialect = "chunks"
addresses = ["127.0.0.0/8"]
[datasets.customers]
service = "chunks"
columns = {{ email = "personal", phone = "contact" }}
[datasets.hidden]
service = "chunks"
columns = {{ email = "personal", phone = "contact" }}
[[masks]]
id = "phones"
columns = ["contact"]
method = "hmac"
dataset = ["hidden"]
[[rules]]
id = "no-data-elsewhere"
effect = "deny"
finding = ["taint"]
service = ["notes"]
[[rules]]
id = "work"
effect = "allow"
dataset = ["customers", "hidden"]
[[rules]]
id = "notes"
effect = "allow"
dataset = ["notebook"]
"""


def row(number: int) -> dict[str, object]:
    return {"id": number, "email": f"person{number}@mail{number}.example.org", "phone": f"+49 170 {number + 5_000_000}"}


def sent(*numbers: int) -> bytes:
    return "\n".join(f"{row(number)['email']};{row(number)['phone']}" for number in numbers).encode()


PADDED = [{**row(number), "text": "x" * 400} for number in range(2000)]
"""900 KB of JSON."""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n%s\r\n"


def chunked(body: bytes, step: int = 16_384):
    for at in range(0, len(body), step):
        piece = body[at : at + step]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


class Service:
    """Answers in pieces; what has no end waits behind its first half until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, request: bytes) -> bytes:
        chunk = request.split(b" ")[1].rpartition(b"/")[2].decode()
        if chunk == "hits":
            hits = [{"_index": "customers", "_id": str(one["id"]), "_source": one} for one in PADDED[:100]]
            return json_response(json.dumps({"hits": {"hits": hits}}).encode())
        raise Poured(self._pieces(chunk))

    def _pieces(self, chunk: str):
        kind, body, more = b"application/json", json.dumps({"data": {"rows": PADDED}}).encode(), b""
        if chunk == "lines":
            kind, body = b"application/x-ndjson", b"".join(json.dumps(one).encode() + b"\n" for one in PADDED)
        if chunk == "csv":
            lines = [",".join(map(str, one.values())) for one in PADDED]
            kind, body = b"text/csv", "\r\n".join([",".join(PADDED[0]), *lines, ""]).encode()
        if chunk == "packed":
            body, more = gzip.compress(body, 1), b"content-encoding: gzip\r\n"
        if chunk == "events":
            kind, body = (
                b"text/event-stream",
                b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in PADDED[:9]),
            )
        yield HEAD % (kind, more)
        pieces = list(chunked(body))
        half = len(pieces) if chunk == "events" else len(pieces) // 2
        yield from pieces[:half]
        if chunk in ("events", "broken", "half"):
            self.go_on.wait(120)
        if chunk == "broken":
            return
        yield from pieces[half:]
        yield b"0\r\n\r\n"


class World:
    def __init__(self, gate, service, chunks, notes):
        self.gate, self.service, self.chunks, self.notes = gate, service, chunks.port, notes.port

    def wire(self) -> Wire:
        return Wire(self.gate.master.proxyserver.listen_addrs()[0][1])

    async def get(self, who: str, chunk: str, *, until: bytes = b"", of: str = "customers") -> tuple[Wire, bytes]:
        """Ask, and read until so much is there."""
        wire = self.wire()

        def ask() -> bytes:
            host = f"127.0.0.1:{self.chunks}"
            wire.send(f"GET http://{host}/d/{of}/{chunk} HTTP/1.1\r\nHost: {host}\r\nx-who: {who}\r\n\r\n".encode())
            return read_on(wire, until)

        return wire, await asyncio.to_thread(ask)

    async def send(self, who: str, note: bytes) -> int:
        body = json.dumps({"to": "notebook", "note": note.decode()}).encode()
        wire, host = self.wire(), f"127.0.0.1:{self.notes}"
        head = (
            f"POST http://{host}/notes HTTP/1.1\r\nHost: {host}\r\nx-who: {who}\r\ncontent-type: application/json\r\n"
        )
        status, _, said = await asyncio.to_thread(
            wire.ask, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        )
        wire.close()
        assert status == 200 or b"no-data-elsewhere" in said, said
        return status


@pytest.fixture
async def world(tmp_path, monkeypatch):
    monkeypatch.setattr(order, "IdentityAddon", StandIn)
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)
    look = worker.Taints.look

    async def patiently(self, *given):  # how fast it is says something about the machine
        return await look(self, *given[:-1], 60.0)

    monkeypatch.setattr(worker.Taints, "look", patiently)
    monkeypatch.setattr(RiskAddon, "limit", 120.0)
    service = Service()
    chunks, notes = Origin(None, service), Origin(None, lambda request: json_response(b"{}"))
    (tmp_path / "policy.toml").write_text(POLICY.format(chunks=chunks.port, notes=notes.port))
    gate = await Gate(tmp_path / "policy.toml", State(tmp_path / "state").open(), SetClock(MONDAY)).start()
    yield World(gate, service, chunks, notes)
    service.go_on.set()
    await gate.stop()
    chunks.close()
    notes.close()


async def test_what_passed_piece_by_piece_is_known(world):
    for who, chunk in (("ada", "json"), ("bob", "lines"), ("cyd", "packed"), ("dan", "csv"), ("eve", "hits")):
        wire, seen = await world.get(who, chunk, until=b"person99@" if chunk == "hits" else b"")
        assert (b"200 OK" in seen and b"content-length" not in seen.lower()) or chunk == "hits"
        wire.close()
        there = (7, 8, 90) if chunk == "hits" else (7, 1024, 1999)
        assert await world.send(who, b"nothing of it") == 200, chunk
        assert await world.send(who, sent(*there)) == 403, chunk
    assert await world.send("fay", sent(7, 1024, 1999)) == 200  # who never received it


async def test_masked_values_may_go_and_clear_ones_may_not(world):
    for who, chunk in (("ada", "json"), ("bob", "lines"), ("dan", "csv"), ("eve", "hits")):
        wire, seen = await world.get(who, chunk, until=b"person99@" if chunk == "hits" else b"", of="hidden")
        wire.close()
        lines = seen.replace(b'"_index"', b"\n").replace(b'"id"', b"\n").splitlines()
        rows = [line for line in lines if b"person5@" in line or b"person6@" in line or b"person7@" in line]
        assert len(rows) >= 3 and b"+49 170 500000" not in b"".join(rows)
        shown = json.dumps([line.decode().replace("@", " ").replace("person", "p") for line in rows]).encode()
        assert await world.send(who, shown) == 200, shown
        assert await world.send(who, sent(5, 6, 7)) == 403, chunk


async def test_what_has_no_end_is_known_while_it_passes(world):
    wire, seen = await world.get("ada", "events", until=b"person8@")
    assert b"text/event-stream" in seen
    assert await world.send("ada", sent(1, 2, 3)) == 403
    wire.close()
    wire, _ = await world.get("bob", "half", until=b"person900@")
    assert await world.send("bob", sent(1500, 1501, 1502)) == 200  # they have not come
    world.service.go_on.set()
    await asyncio.to_thread(read_on, wire)
    assert await world.send("bob", sent(1500, 1501, 1502)) == 403
    wire.close()


async def test_what_broke_off_is_known_as_far_as_it_left(world):
    wire, _ = await world.get("ada", "broken", until=b"person900@")
    wire.close()  # the client goes away
    assert await world.send("ada", sent(1, 2, 900)) == 403
    world.service.go_on.set()
    wire, seen = await world.get("bob", "broken")  # the service goes away
    assert b"person900@" in seen and not seen.endswith(b"\r\n0\r\n\r\n")
    wire.close()
    assert await world.send("bob", sent(1, 2, 900)) == 403
    risk = next(room for room in world.gate.gateway.rooms if room.name == "risk")
    assert not risk.taints._passing and not risk.taints.lost


async def test_what_passed_counts_with_its_columns_rows_and_bytes_also_where_it_broke_off(world):
    risk = next(room for room in world.gate.gateway.rooms if room.name == "risk")
    events, after = [], risk.watching.after

    def noted(event, *given, **told):
        events.append(event)
        return after(event, *given, **told)

    risk.watching.after = noted
    for who, chunk in (("ada", "json"), ("bob", "lines"), ("cyd", "packed"), ("dan", "csv")):
        wire, _ = await world.get(who, chunk)
        wire.close()
        (event,) = events
        assert set(event.clear) >= {"id", "email", "phone"} and 1900 < event.rows < 2100 and event.taken, chunk
        assert event.size > (9_000 if chunk == "packed" else 800_000)
        events.clear()
    wire, _ = await world.get("eve", "broken", until=b"person900@")
    wire.close()
    world.service.go_on.set()
    wire, _ = await world.get("fay", "broken")
    wire.close()
    while len(events) < 2:
        await asyncio.sleep(0)
    for event in events:
        assert "email" in event.clear and 850 < event.rows < 1100 and event.taken and 400_000 < event.size < 600_000


async def test_of_very_much_a_part_is_known_that_grows_with_its_doublings(monkeypatch):
    monkeypatch.setattr(sample, "WINDOW", 1024)
    handed = []
    one = sample.Sample(lambda data, head, piece: handed.append((len(data), piece)))
    one._size = 1024
    for number in range(4096):
        one.take(b"%07d\n" % number * 128)
    await asyncio.sleep(0)
    assert all(piece for _, piece in handed)
    assert 8 + 4 * 8 < len(handed) < 8 + 4 * 10 and handed[0][0] == 1024
    one.close()


async def test_where_much_waits_to_be_read_the_rest_of_an_answer_waits_and_nothing_is_left_out(world, monkeypatch):
    monkeypatch.setattr(worker, "WAITING", 10)
    for who, chunk in (("ada", "json"), ("bob", "lines")):
        wire, seen = await world.get(who, chunk)
        assert seen.endswith(b"\r\n0\r\n\r\n")
        wire.close()
        assert await world.send(who, sent(7, 1024, 1999)) == 403
    assert not world.gate.room("risk").taints.lost
