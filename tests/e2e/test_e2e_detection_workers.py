"""Detection of one person whose connections land in different workers: what one of them found, saw and handed over, the
other knows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from contextlib import contextmanager

import pytest

from sluicegate.database import Database
from sluicegate.database.tables import findings, habits, taints
from sluicegate.detection.habit import Habit, unpack
from tests.origin import Origin, json_response
from tests.running import BIN
from tests.wire.test_wire_workers import CLIENTS, connect, serving

MORE = """
[services.notes]
hosts = ["localhost:{notes}"]
dialect = "notes"
addresses = ["127.0.0.0/8", "::1/128"]

[[dialects.notes.routes]]
request = "POST /notes"
kind = "write"
accepts = ["text"]

[jobs.letters]
dataset = "customers"
columns = ["id", "email"]
who = ["group:fraud"]

[[rules]]
id = "notes"
effect = "allow"
service = ["notes"]

[[rules]]
id = "look-first"
effect = "deny"
finding = ["beyond-job", "taint"]
reason = "What was done lately is unusual."

[detection]
taint_seconds = 8.0
"""
ROWS = [{"id": n, "email": f"person{n}@mail{n}.example.org", "ssn": f"{n + 100}-45-{n + 6789}"} for n in range(5)]
SECONDS = 100.0
"""For what the other worker does by itself, every few seconds; it is for hanging only."""


@pytest.fixture(scope="module")
def chunks(certs):
    server = Origin(certs.service, lambda request: json_response(json.dumps({"rows": ROWS}).encode()))
    yield server
    server.close()


@pytest.fixture(scope="module")
def notes(certs):
    server = Origin(certs.service, lambda request: json_response(b'{"ok":true}'))
    yield server
    server.close()


class Person:
    """Somebody, from two workstations whose connections land in different workers."""

    def __init__(self, gate, chunks, notes, token) -> None:
        self._gate, self.places, self._token = gate, (chunks, notes), token
        at = {}
        for client in CLIENTS:
            wire = connect(gate, chunks, token, client)
            at.setdefault(serving(gate, wire), client)
            wire.close()
        assert len(at) == 2
        self.clients = list(at.values())

    @contextmanager
    def _wire(self, worker, place):
        wire = connect(self._gate, self.places[place], self._token, self.clients[worker])
        try:
            yield wire
        finally:
            wire.close()

    def read(self, worker, chunk, job=False) -> int:
        path = f"/datasets/customers/chunks/{chunk}" + ("?columns=id,email" if job else "")
        with self._wire(worker, 0) as wire:
            fields = f"Host: localhost:{self.places[0].port}\r\n" + ("Sluicegate-Job: letters\r\n" if job else "")
            return wire.ask(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode())[0]

    def send(self, worker, what) -> int:
        text = json.dumps({"text": what})
        head = f"POST /notes HTTP/1.1\r\nHost: localhost:{self.places[1].port}\r\nContent-Type: application/json\r\n"
        with self._wire(worker, 1) as wire:
            return wire.ask(f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode())[0]


@pytest.fixture(scope="module")
def gate(gateway, chunks, notes, tmp_path_factory):
    folder, more = tmp_path_factory.mktemp("workers"), MORE.format(notes=notes.port)
    with gateway(folder, [f"localhost:{chunks.port}"], gateway="workers = 2", more=more) as running:
        yield running


@pytest.fixture
def somebody(gate, chunks, notes, provider):
    return lambda name: Person(gate, chunks, notes, provider.token(name, groups=["fraud"]))


def of(gate, table, name):
    """A person's rows of a table, as the gateway's database has them now."""

    async def read():
        database = Database.at(gate.state / "sluicegate.sqlite3", read_only=True)
        await database.open()
        try:
            return await database.read(lambda connection: connection.execute(table.select()).all())
        finally:
            await database.close()

    rows = asyncio.run(read())
    return [row for row in rows if (row.name if table is habits else row.person).endswith(f" {name}")]


def until(true) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "not in time"


def test_what_one_worker_found_and_handed_over_the_other_knows(gate, somebody, notes):
    frank = somebody("frank")
    assert frank.read(0, 1) == 200 == frank.read(1, 2)
    until(lambda: len(of(gate, taints, "frank")) == 2)
    assert frank.send(1, "nothing of it") == 200
    assert frank.send(1, [[row["email"], row["ssn"]] for row in ROWS]) == 403
    assert b"nothing of it" in notes.received and b"example.org" not in notes.received
    (found,) = of(gate, findings, "frank")
    assert (found.indicator, found.evidence["rows"]) == ("taint", "5")
    statuses = [200, 200]

    def refused() -> bool:
        """The other worker has news of its own of the same person, so neither state can take the other's place."""
        statuses.append(frank.read(0, 3))
        return statuses[-1] == 403

    until(refused)

    def whole() -> bool:
        """What was taken through either is counted once. The last answer may have been on its way, and kept back."""
        (habit,) = [Habit.of(unpack(row.state)) for row in of(gate, habits, "frank")]
        day, asked = habit.day, len(statuses) + 1
        answered = day.rows // len(ROWS)
        taken = answered - statuses.count(200) in (0, 1) and len(day.chunks) == 2 + (answered > 2)
        return taken and answered + day.refusals == asked and day.loud and set(habit.found) == {"taint"}

    until(whole)
    shown = subprocess.run(
        [BIN / "sluicegate-replay", "findings", "--json", "--who", "frank", "--from", gate.state / "recordings"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [one["evidence"]["id"] for one in json.loads(shown.stdout)["findings"]] == [found.id]


def test_what_refused_its_own_answer_at_one_worker_is_known_at_the_other(gate, somebody):
    grace = somebody("grace")
    assert grace.read(0, 1) == 200 == grace.read(1, 2)
    assert grace.read(1, 2, job=True) == 403
    assert [row.indicator for row in of(gate, findings, "grace")] == ["beyond-job"]
    until(lambda: grace.read(0, 4) == 403)
    assert grace.read(1, 4) == 403
