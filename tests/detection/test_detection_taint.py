"""Value taint: what was received is found again whatever it is wrapped in, and what was not received is not."""

from __future__ import annotations

import asyncio
import base64
import bz2
import codecs
import csv
import functools
import gzip
import html
import io
import json
import lzma
import os
import urllib.parse
import zipfile
import zlib

import pyarrow as pa
import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from sluicegate.database.tables import taints as table
from sluicegate.detection.taint import cells, learning, peel, worker
from sluicegate.detection.taint.held import Held, Received
from sluicegate.detection.taint.judge import count, index, judge
from sluicegate.detection.taint.learning import Handed
from sluicegate.detection.taint.outgoing import parts
from sluicegate.detection.taint.searching import firsts, search
from sluicegate.detection.taint.tables import Body
from sluicegate.detection.taint.words import candidates, long_enough, strong, words
from sluicegate.detection.taint.worker import NotLooked, Taints
from sluicegate.detection.taint.zones import Zones
from sluicegate.exchange import OTHERS
from tests.databases import with_tables
from tests.detection.organisation import ADA, DAY, MONDAY, PEOPLE, settings

KEY = b"k" * 32
fake = Faker(["en_US", "de_DE", "pl_PL"])
fake.seed_instance(11)
PEOPLE_ROWS = [
    {"id": number, "name": fake.name(), "email": fake.email(), "ssn": f"{100 + number}-{number % 90 + 10}-{number * 7 % 9000 + 1000}",
     "phone": fake.phone_number(), "country": "Germany"}
    for number in range(300)
]  # fmt: skip
BODY = json.dumps({"rows": PEOPLE_ROWS}).encode()
COLUMNS = tuple(PEOPLE_ROWS[0])


def read(body: bytes, media: str = "application/json", coding: str = "", masked=(), **told) -> bytes:
    return cells.read(Body(body, coding, media, **told), masked, "customers", KEY) or b""


PACKED = read(BODY)
KNOWN = list(cells.unpack(PACKED))
INDEX, FIRSTS = index(KNOWN), firsts(KNOWN)
FIVE = PEOPLE_ROWS[40:45]
PLAIN = "\n".join(f"{row['name']};{row['email']}" for row in FIVE).encode()


def found(data: bytes, coding: str = "") -> int:
    return count(search((data,), coding, FIRSTS, KEY).values, INDEX).rows


def mirrored(data: bytes) -> bytes:
    """Atbash."""
    return bytes(219 - byte if 97 <= byte <= 122 else 155 - byte if 65 <= byte <= 90 else byte for byte in data)


def zipped(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.txt", data)
    return target.getvalue()


@pytest.mark.parametrize(
    "wrap",
    [
        bytes, bytes.upper, base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, base64.b85encode, gzip.compress,
        zlib.compress, bz2.compress, lzma.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE), mirrored, zipped, lambda data: data.hex().encode(), lambda data: data[::-1],
        lambda data: zlib.compress(data)[2:-4], lambda data: base64.b64encode(base64.b64encode(gzip.compress(data))),
        lambda data: urllib.parse.quote(data).encode(), lambda data: b"xy=" + base64.b64encode(b"!" + data),
        lambda data: codecs.encode(data.decode(), "rot13").encode(), lambda data: data.decode().encode("utf-16"),
        lambda data: json.dumps(json.dumps(data.decode())).encode(), lambda data: html.escape(data.decode()).encode("ascii", "xmlcharrefreplace"),
        lambda data: " ".join(map(str, data)).encode(), lambda data: " ".join(f"{b:08b}" for b in data).encode(),
        lambda data: b"\n".join(b"2026-06-01 INFO got " + line.replace(b";", b" mail=") for line in data.split(b"\n")),
        lambda data: json.dumps([{"a": row["email"], "b": row["ssn"]} for row in reversed(FIVE)]).encode(),
        lambda data: b"".join(b"\\x%02x" % b for b in data),
    ],
)  # fmt: skip
def test_what_was_received_is_found_again(wrap):
    assert found(wrap(PLAIN)) >= 3


def test_a_content_coding_is_taken_off_and_one_that_lies_is_said():
    assert found(gzip.compress(PLAIN), "gzip") >= 3
    assert search((PLAIN,), "gzip", FIRSTS, KEY).cut


def test_in_the_address_in_the_name_of_a_host_and_in_headers():
    label = base64.b32encode(PLAIN).decode().rstrip("=").lower()
    host = ".".join(label[at : at + 60] for at in range(0, len(label), 60)) + ".evil.test"
    query = "/p?d=" + urllib.parse.quote(PLAIN.decode())
    for given_parts in (
        parts(b"", host, "/", [], ()),
        parts(b"", "evil.test", query, [], ()),
        parts(b"", "evil.test", "/", [(b"X-Data", base64.b64encode(PLAIN))], ()),
    ):
        assert count(search(given_parts, "", FIRSTS, KEY).values, INDEX).rows >= 3, given_parts
    secret = parts(b"", "h", "/", [(b"Authorization", PLAIN), (b"Host", PLAIN)], {"authorization"})
    assert PLAIN not in b"".join(secret)


def test_foreign_data_of_the_same_shape_is_no_proof():
    other = Faker(["en_US", "de_DE", "pl_PL"])
    other.seed_instance(12)
    accidents = 0
    for _ in range(16):
        page = json.dumps(
            [{"name": other.name(), "email": other.email(), "phone": other.phone_number()} for _ in range(50)]
        )
        rows = found(page.encode())
        assert rows < 3
        accidents += rows > 0
    assert accidents <= 3


def test_one_row_is_evidence_and_three_are_proof():
    one, three = (json.dumps(PEOPLE_ROWS[:many]).encode() for many in (1, 3))
    for data, certain in ((one, False), (three, True)):
        signal = judge(count(search((data,), "", FIRSTS, KEY).values, INDEX), "customers", "evil.test")
        assert signal.certain is certain and signal.evidence["sent to"] == "evil.test"
    assert judge(count([], INDEX), "customers", "x") is None
    assert judge(count(search((b"Germany Germany",), "", FIRSTS, KEY).values, INDEX), "customers", "x") is None


def test_what_cannot_be_read_is_said():
    assert cells.read(Body(b"\x89PNG\x00\x01\x02\x03\x04\x05\x06", "", "image/png"), (), "customers", KEY) is None
    assert cells.read(Body(BODY, "snappy", "application/json"), (), "customers", KEY) is None


def test_only_what_left_in_clear_is_known():
    # Short values are left, and one that all rows have.
    assert read(BODY, masked=("name", "EMAIL", "ssn", "phone")) == b""


def lines(kind: str) -> tuple[bytes, str]:
    if kind == "csv":
        target = io.StringIO()
        writer = csv.DictWriter(target, COLUMNS)
        writer.writeheader()
        writer.writerows(PEOPLE_ROWS)
        return target.getvalue().encode(), "text/csv"
    if kind == "arrow":
        sink = io.BytesIO()
        table = pa.Table.from_pylist(PEOPLE_ROWS)
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue(), "application/vnd.apache.arrow.stream"
    if kind == "lines":
        return b"\n".join(json.dumps(row).encode() for row in PEOPLE_ROWS), "application/x-ndjson"
    rows = [list(row.values()) for row in PEOPLE_ROWS]
    return json.dumps({"columns": list(COLUMNS), "data": rows}).encode(), "application/json"


@pytest.mark.parametrize("kind", ["csv", "arrow", "lines", "positions"])
def test_cells_are_read_out_of_every_format(kind):
    body, media = lines(kind)
    packed = read(gzip.compress(body), media, "gzip")
    assert {cell.value for cell in cells.unpack(packed)} >= {cell.value for cell in KNOWN if cell.column & cells.STRONG}


def test_values_are_the_same_in_another_writing():
    assert words("Ａda  LOVELACE") == words("ada lovelace") == ["ada", "lovelace"]
    assert words("123-45-6789") == ["123", "45", "6789"]
    assert long_enough("山田太郎") and not long_enough("anna")
    assert strong("123456789") and strong("ada@example.org") and not strong("adalovelace")
    begin = frozenset(int.from_bytes(FIRSTS[at : at + 4], "little") for at in range(0, len(FIRSTS), 4))
    assert "".join(words(FIVE[0]["name"])) in set(candidates(f"<b>{FIVE[0]['name']}</b>", begin))


@given(st.binary(max_size=3000), st.text(max_size=300))
def test_whatever_is_sent_is_peeled_within_its_bounds(data, text):
    for one in (data, text.encode("utf-8", "surrogatepass"), base64.b64encode(data), data * 30):
        peeled = peel.peel(one)
        assert sum(map(len, peeled.texts)) < 40 * (len(one) + 100)
        for media in ("application/json", "text/csv", "text/html", "application/msgpack", ""):
            assert list(cells.unpack(read(one, media))) is not None


def test_a_bomb_is_cut_off():
    bomb = gzip.compress(gzip.compress(b"\0" * (20 << 20)))
    peeled = peel.peel(bomb)
    assert peeled.cut and sum(map(len, peeled.texts)) <= 3 * peel.MOST


def test_what_cannot_be_read_is_counted():
    wild = bytes((number * 197 + number // 7 * 31) % 251 for number in range(5000))
    assert peel.peel(wild).opaque + sum(map(len, peel.peel(wild).texts)) >= 5000


def test_zones_say_what_is_elsewhere():
    made = settings(zones={"ours": ["chunks", "reports"]}, canaries=["GB00 CANA RY12 3456"])
    zones = Zones(made, KEY)
    assert zones.protected == {"customers"}
    assert not zones.elsewhere("chunks", "chunks") and not zones.elsewhere("chunks", "reports")
    assert zones.elsewhere("chunks", OTHERS) and zones.elsewhere("chunks", "logs")
    held = Held.of([], lambda service: True, zones.canaries)
    seen = held.judge(search((b"iban: GB00CANARY123456",), "", held.begin, KEY), "evil.test", zones.canary_values)
    assert [one.indicator for one in seen] == ["canary"] and seen[0].certain
    off = Zones(settings(off=["taint", "canary"], canaries=["GB00 CANA RY12 3456"]), KEY)
    assert not off.looks(OTHERS)


def test_data_of_the_same_zone_is_not_looked_for():
    received = [Received("customers", "chunks", MONDAY, PACKED)]
    assert Held.of(received, lambda service: False, ()).begin == b""
    held = Held.of(received, lambda service: True, ())
    assert held.judge(search((PLAIN,), "", held.begin, KEY), "x", frozenset())[0].certain


@pytest.fixture
async def taints(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)  # how fast a process starts says something about the machine
    database = with_tables(tmp_path / "d.sqlite3")
    await database.open()
    made = Taints(database, KEY, Zones(settings(), KEY), days=30)
    yield made
    await made.close()
    await database.close()


def learn(taints, at=MONDAY, who=ADA, body=BODY):
    return taints.learn(Handed(who, "customers", "chunks", at, "x1", Body(body, "", "application/json")))


async def look(taints, data=PLAIN, at=MONDAY + 60, who=ADA, target=OTHERS, seconds=60.0):
    return await taints.look(who, target, "evil.test", at, (data,), "", seconds)


async def test_what_is_being_read_is_waited_for_and_kept_over_a_restart(taints):
    learn(taints)
    (signal,) = await look(taints)  # at once: the search waits for what is still being read
    assert signal.certain and signal.evidence["rows"] == "5"
    assert await look(taints, who=PEOPLE[1]) == ()
    assert await look(taints, target="chunks") == ()
    assert await look(taints, at=MONDAY + 40 * DAY) == ()
    again = Taints(taints._database, KEY, taints.zones, days=30)
    assert (await look(again))[0].certain
    await again.close()
    other = Taints(taints._database, b"o" * 32, taints.zones, days=30)
    assert await look(other) == ()  # another key knows nothing
    await other.close()


async def test_what_another_gateway_was_slower_to_write_is_known_as_well(taints):
    """Numbers are drawn before a transaction ends, so a smaller one may come to light behind a larger one."""
    await learn(taints)
    (row,) = await taints._database.read(lambda connection: connection.execute(table.select()).all())
    later = {**row._mapping, "number": row.number + 8, "cells": b""}
    await taints._database.run(lambda connection: connection.execute(table.delete()))
    await taints._database.run(lambda connection: connection.execute(table.insert().values(later)))
    assert await look(taints) == ()
    await taints._database.run(lambda connection: connection.execute(table.insert().values(row._mapping)))
    assert (await look(taints))[0].certain


async def test_a_policy_that_comes_while_somebody_sends_is_what_counts_afterwards(taints, monkeypatch):
    await learn(taints)
    of, canary = Held.of, "nobody@canary.example.org"
    adopted, loop = Zones(settings(canaries=[canary]), KEY), asyncio.get_running_loop()

    def meanwhile(*given):
        found = of(*given)
        asyncio.run_coroutine_threadsafe(adopt(), loop).result(60)
        return found

    async def adopt():
        taints.adopt(adopted)

    with monkeypatch.context() as racing:
        racing.setattr(Held, "of", meanwhile)
        await look(taints, data=b"nothing")
    assert [one.indicator for one in await look(taints, data=canary.encode())] == ["canary"]


async def test_what_takes_too_long_or_dies_was_not_looked_at(taints, monkeypatch):
    learn(taints)
    assert await look(taints)
    monkeypatch.setattr(worker, "search", _stuck)
    with pytest.raises(NotLooked, match="too long"):
        await look(taints, seconds=0.3)
    monkeypatch.setattr(worker, "search", _dies)
    with pytest.raises(NotLooked):
        await look(taints)
    monkeypatch.setattr(worker, "search", search)
    assert await look(taints)  # a new process is there
    with pytest.raises(NotLooked, match="more of it"):
        await look(taints, data=b"nothing known here " * (peel.MOST // 18))


async def test_a_large_body_delays_nobody(taints, tmp_path, monkeypatch):
    learn(taints)
    assert await look(taints)
    os.mkfifo(gate := tmp_path / "gate")
    monkeypatch.setattr(worker, "search", functools.partial(_held_if_large, gate))
    large = asyncio.ensure_future(look(taints, data=json.dumps(PEOPLE_ROWS * 12).encode()))
    await asyncio.sleep(0)
    assert await look(taints) and not large.done()
    await asyncio.to_thread(lambda: gate.open("wb").close())
    assert (await large)[0].certain


async def test_a_response_that_cannot_be_kept_is_said(taints, monkeypatch, caplog):
    async def broken(work, **_):
        raise OSError

    monkeypatch.setattr(taints._database, "run", broken)
    await learn(taints)
    assert taints.lost == 1 and "cannot be kept" in caplog.text


@pytest.mark.parametrize("error", [OperationalError("insert", {}, Exception("database is locked")), TimeoutError()])
async def test_a_database_that_is_away_for_a_while_is_waited_for(taints, monkeypatch, caplog, error):
    monkeypatch.setattr(learning, "AGAIN_SECONDS", 0.0)
    kept, away = taints._database.run, [error] * 10

    async def run(work, **given):
        if away:
            raise away.pop()
        return await kept(work, **given)

    monkeypatch.setattr(taints._database, "run", run)
    learn(taints)
    (signal,) = await look(taints)  # who sends something waits for it
    assert signal.certain and not away and taints.lost == 0
    assert caplog.text.count("tried again") == 1


async def test_what_is_sent_while_the_database_is_away_does_not_pass_unlooked_at(taints, monkeypatch):
    async def run(work, **_):
        raise TimeoutError

    with monkeypatch.context() as failing:
        failing.setattr(taints._database, "run", run)
        failing.setattr(learning, "AGAIN_SECONDS", 0.0)
        learn(taints)
        with pytest.raises(NotLooked, match="too long"):
            await look(taints, seconds=0.3)
    assert (await look(taints))[0].certain


async def test_many_responses_are_kept_by_one_reading_and_one_that_breaks_it_takes_no_other_along(taints, monkeypatch):
    read, kept = [], taints._database.run

    async def counted(work, **given):
        read.append(work)
        return await kept(work, **given)

    monkeypatch.setattr(taints._database, "run", counted)
    await asyncio.gather(*[learn(taints, at=MONDAY + number) for number in range(20)])
    assert len(read) == 1 and taints.lost == 0
    monkeypatch.setattr(cells, "read_all", _dies_of_it)
    await asyncio.gather(learn(taints), learn(taints, body=b"deadly", who=PEOPLE[1]), learn(taints, who=PEOPLE[2]))
    assert taints.lost == 1
    assert (await look(taints, who=PEOPLE[2]))[0].certain and await look(taints, who=PEOPLE[1]) == ()


async def test_when_much_waits_responses_wait(taints, monkeypatch):
    monkeypatch.setattr(worker, "WAITING", 10)
    task = learn(taints)
    assert taints.full
    await asyncio.wait_for(taints.room(), 60)
    await task
    assert not taints.full


def _stuck(*_):
    import time

    time.sleep(60)


def _held_if_large(gate, parts, *given):
    if sum(map(len, parts)) > worker.SMALL:
        gate.open("rb").close()  # until somebody opens it to write
    return search(parts, *given)


def _dies_of_it(given, key):
    if any(body.data == b"deadly" for body, *_ in given):
        _dies()
    return [cells.read(*one, key) for one in given]


def _dies(*_):
    os._exit(1)
