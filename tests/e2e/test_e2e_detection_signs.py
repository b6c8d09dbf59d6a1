"""Signs that need weeks, on the wire: what a gateway has learned before is filled in by the same code, the last days come
over its connections. What a sign leads to is in the database before the answer, is shown, and changes the answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import threading

import pytest
import websockets.sync.server
from websockets.exceptions import ConnectionClosedError

from sluicegate.clock import SetClock
from sluicegate.database.tables import findings
from sluicegate.detection.event import Event
from sluicegate.detection.taint import worker
from sluicegate.pipeline import order
from sluicegate.settings import State
from sluicegate_replay import cli as replay
from tests.detection.organisation import DAY, MONDAY
from tests.e2e.driven import ISSUER, Gate, StandIn, stored, weeks
from tests.e2e.sockets import CLOSE, TEXT
from tests.origin import Origin, json_response

HOUR = 3600.0
PEOPLE = ("ada", "bob", "cyd", "dan", "eve", "fay", "gil", "hal", "ida", "jon", "kim", "lea")
CHUNKS = 300
POLICY = """
[gateway]
listen = "127.0.0.1:1"
[identity]
issuer = "https://idp.test"
[recording]
durability = "group"
[dialects.chunks]
routes = [
  {{ request = "GET /d/{{dataset}}/{{chunk}}", kind = "read", dataset = "path:dataset", chunks = "path:chunk", columns = "query:columns" }},
  {{ request = "GET /live/{{dataset}}", kind = "read", dataset = "path:dataset" }},
  {{ request = "POST /d/{{dataset}}/notes", kind = "write", dataset = "path:dataset", accepts = ["text"] }},
]
[services.chunks]
hosts = ["http://127.0.0.1:{chunks}"]
dialect = "chunks"
addresses = ["127.0.0.0/8"]
[services.chat]
hosts = ["http://127.0.0.1:{chat}"]
dialect = "chunks"
addresses = ["127.0.0.0/8"]
websocket = true
[datasets.customers]
service = "chunks"
columns = {{ ssn = "restricted", email = "personal" }}
[datasets.room]
service = "chat"
columns = {{ ssn = "restricted" }}
[[rules]]
id = "work"
effect = "allow"
who = ["group:eng"]
[[rules]]
id = "speak"
effect = "allow"
service = ["chat"]
kind = ["message"]
[[rules]]
id = "look-first"
effect = "deny"
{rule}
reason = "What was done lately is unusual."
[detection]
alerts_per_thousand = 20
taint_seconds = 8.0
{more}
"""


def answer(request: bytes) -> bytes:
    """Five rows of a chunk, with all columns."""
    if request.startswith(b"POST "):
        return json_response(b'{"ok":true}')
    chunk = int(request.split(b" ")[1].partition(b"?")[0].rpartition(b"/")[2])
    rows = [
        {"id": n, "email": f"person{n}@mail{n}.example.org", "ssn": f"{n % 900 + 100}-45-{n % 9000 + 1000}"}
        for n in range(chunk * 5, chunk * 5 + 5)
    ]
    return json_response(json.dumps({"rows": rows}).encode())


class Chat:
    """A real server of WebSockets (the websockets package): says back what it is told, and keeps it."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.says: str | bytes = b""
        """In the place of what it is told."""
        self.server = websockets.sync.server.serve(self._serve, "127.0.0.1", 0, ping_interval=None)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, connection) -> None:
        with contextlib.suppress(ConnectionClosedError):
            for message in connection:
                self.heard.append(message)
                connection.send(self.says or message)

    def close(self) -> None:
        self.server.shutdown()


def work(watching, *, chunks=300, halves=(), days=28):
    """Working days from 8 to 17, a dozen chunks at random a day; each of `halves` takes their half of all there are, in no
    order and none twice, a few more a day than the others."""
    lot, number = random.Random(7), 0
    left = {who: lot.sample(range(index, chunks, 2), chunks // 2) for index, who in enumerate(halves)}
    for day in range(days):
        if day % 7 >= 5:
            continue
        for turn in range(15):
            for who in PEOPLE:
                if who not in left and turn >= 12:
                    continue
                at = MONDAY + day * DAY + 8 * HOUR + turn * 36 * 60 + lot.random() * 600
                chunk = left[who].pop() if who in left else lot.randrange(chunks)
                number += 1
                watching.after(
                    Event(
                        f"before-{number}", at, f"{ISSUER} {who}", ("eng",), name=who.title(), service="chunks",
                        dataset="customers", declared=True, chunks=(str(chunk),), chunk_count=1, status=200,
                        target=f"/d/customers/{chunk}", clear=("id", "email", "ssn"), rows=5, size=300,
                    )
                )  # fmt: skip
                watching.settle()
    return left


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs a play through a gateway that stands on filled weeks; gives back what it returned and the findings."""
    monkeypatch.setattr(order, "IdentityAddon", StandIn)
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)

    async def whole(fill, act, rule, more):
        chunks, chat = Origin(None, answer), Chat()
        (tmp_path / "policy.toml").write_text(POLICY.format(chunks=chunks.port, chat=chat.port, rule=rule, more=more))
        state = State(tmp_path / "state").open()
        try:
            await weeks(tmp_path / "policy.toml", state, fill)
            gate = await Gate(tmp_path / "policy.toml", state, SetClock(MONDAY)).start()
            try:
                said = await act(gate, chunks, chat)
            finally:
                await gate.stop()
        finally:
            chunks.close()
            chat.close()
        found, _ = await stored(state)
        return said, list(found.values())

    def run(fill, act, *, rule, more=""):
        return asyncio.run(whole(fill, act, rule, more))

    return run


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """What `sluicegate-replay findings` shows."""

    def call(*arguments):
        given = ["sluicegate-replay", "findings", "--from", tmp_path / "state" / "recordings", *arguments]
        monkeypatch.setattr(sys, "argv", list(map(str, given)))
        with pytest.raises(SystemExit) as ended:
            replay.main()
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        return out

    return call


async def written(gate) -> set[str]:
    """What has been found by now, out of the database itself."""
    database = gate.gateway.database
    rows = await database.read(lambda connection: connection.execute(findings.select()).all())
    return {row.indicator for row in rows}


def test_the_same_chunk_at_night(play, shown):
    async def act(gate, chunks, chat):
        said, begun = [], MONDAY + 28 * DAY + 2 * HOUR
        for number in range(5):
            status = await gate.ask(begun + number * 600, "ada", chunks.port, "/d/customers/7")
            said.append((status, await written(gate)))
        said.append((await gate.ask(begun, "bob", chunks.port, "/d/customers/7"), set()))
        return said

    said, (found,) = play(work, act, rule='finding = ["night-repeat"]')
    # The fourth answer is kept back by what it leads to; whoever else is up is nobody's business.
    assert said == [(200, set())] * 3 + [(403, {"night-repeat"})] * 2 + [(200, set())]
    assert (found.person, found.evidence["times"], found.evidence["hour"]) == (f"{ISSUER} ada", "4", "Mon 02h")
    (one,) = json.loads(shown("--json"))["findings"]
    assert one["evidence"].items() >= found.evidence.items() and one["evidence"]["id"] == found.id
    assert "does not work" in shown("--who", "ada")


def test_a_restart_in_the_middle_of_a_night_forgets_none_of_it(play):
    async def act(gate, chunks, chat):
        said, begun = [], MONDAY + 28 * DAY + 2 * HOUR
        for number in range(6):
            said.append(await gate.ask(begun + number * 600, "ada", chunks.port, "/d/customers/7"))
            if number == 1:
                await gate.restart()
        return said

    said, (found,) = play(work, act, rule='finding = ["night-repeat"]')
    assert said == [200] * 3 + [403] * 3 and found.evidence["times"] == "4"


def test_in_report_mode_a_night_is_told_and_nothing_is_kept_back(play, shown):
    async def act(gate, chunks, chat):
        begun = MONDAY + 28 * DAY + 2 * HOUR
        return [await gate.ask(begun + n * 600, "ada", chunks.port, "/d/customers/7") for n in range(6)]

    said, (found,) = play(work, act, rule='finding = ["night-repeat"]', more='mode = "report"')
    assert said == [200] * 6 and found.indicator == "night-repeat"
    assert [one["evidence"]["id"] for one in json.loads(shown("--json"))["findings"]] == [found.id]


def test_of_many_requests_at_once_none_passes_with_what_one_of_them_led_to(play):
    """Four are on their way when the fourth answer comes; three have passed by then, and the service is slow with the rest."""
    slow = threading.Event()

    def slowly(request: bytes) -> bytes:
        if request.split(b" ")[1].endswith(b"/7"):
            slow.wait(60)
        return answer(request)

    async def act(gate, chunks, chat):
        begun, chunks.respond = MONDAY + 28 * DAY + 2 * HOUR, slowly
        others = [await gate.beside() for _ in range(4)]
        for number in range(3):
            assert await gate.ask(begun + number, "ada", chunks.port, "/d/customers/8") == 200
        waiting = [asyncio.create_task(one.ask(begun + 3, "ada", chunks.port, "/d/customers/7")) for one in others]
        while bytes(chunks.received).count(b"GET /d/customers/7 ") < len(others):
            await asyncio.sleep(0)
        assert await gate.ask(begun + 4, "ada", chunks.port, "/d/customers/8") == 403
        slow.set()
        said = await asyncio.gather(*waiting)
        for one in others:
            one.wire.close()
        return said

    said, (found,) = play(work, act, rule='finding = ["night-repeat"]')
    assert said == [403] * 4 and found.evidence["chunk"] == "8"


def test_two_who_share_a_dataset_out(play, shown):
    left = {}

    async def act(gate, chunks, chat):
        said, begun = [], MONDAY + 28 * DAY + 9 * HOUR
        for number in range(10):
            for index, who in enumerate(("ada", "bob", "cyd")):
                chunk = left[who].pop() if who in left else number * 7
                status = await gate.ask(begun + number * 900 + index, who, chunks.port, f"/d/customers/{chunk}")
                said.append((who, status))
        return said, await written(gate)

    def fill(watching):
        left.update(work(watching, chunks=640, halves=("ada", "bob")))

    (said, now), found = play(fill, act, rule='finding = ["complement"]')
    assert {one.indicator for one in found} == {"complement"} == now
    assert {(one.person, one.evidence["other"]) for one in found} == {
        (f"{ISSUER} ada", "bob"),
        (f"{ISSUER} bob", "ada"),
    }
    statuses = {who: [status for one, status in said if one == who] for who in ("ada", "bob", "cyd")}
    assert statuses["ada"] == statuses["bob"] == [200] * 8 + [403] * 2 and statuses["cyd"] == [200] * 10
    assert shown("--who", "bob").count("hardly overlaps with that of ada") == 1


def lines(chunk: int, *names: str) -> list[bytes]:
    """Values of the rows of a chunk, a line for each."""
    rows = json.loads(answer(b"GET /%d HTTP" % chunk).partition(b"\r\n\r\n")[2])["rows"]
    return [" ".join(row[name] for name in names).encode() for row in rows]


@pytest.mark.parametrize(
    "messages, passed",
    [
        ([b"\n".join(lines(7, "email", "ssn"))], 0),  # all rows at once
        (lines(7, "email", "ssn"), 0),  # a row at a time: one is evidence
        (lines(7, "email"), 2),  # a value at a time: the third
    ],
    ids=["rows", "a row each", "a value each"],
)
def test_values_in_messages(play, shown, tmp_path, messages, passed):
    async def act(gate, chunks, chat):
        begun = MONDAY + 28 * DAY + 10 * HOUR
        await gate.ask(begun, "ada", chunks.port, "/d/customers/7")
        socket = await gate.socket(begun + 60, "ada", chat.port, "/live/room")
        said = await socket.say(begun + 61, b"good morning")
        for number, text in enumerate(messages[: passed + 1]):
            assert said[0] == TEXT and not await written(gate)
            said = await socket.say(begun + 62 + number, text)
        socket.close()
        return said, await written(gate), [text.encode() for text in chat.heard]

    (said, now, heard), (found,) = play(work, act, rule='finding = ["taint"]', more="observe_days = 0.0")
    assert said[0] == CLOSE and b"look-first" in said[1]
    assert now == {"taint"} == {found.indicator} and found.evidence["sent to"] == "chat"
    assert heard == [b"good morning", *messages[:passed]]
    (one,) = json.loads(shown("--json"))["findings"]
    assert one["evidence"]["id"] == found.id
    (again,) = json.loads(shown("--again", tmp_path / "policy.toml", "--json"))["findings"]
    assert (again["id"], again["detail"], again["score"]) == (found.id, found.detail, found.score)


def test_values_that_came_in_a_message_are_known_wherever_they_are_sent(play):
    async def act(gate, chunks, chat):
        begun = MONDAY + 28 * DAY + 10 * HOUR
        chat.says = answer(b"GET /7 HTTP").partition(b"\r\n\r\n")[2].decode()
        socket = await gate.socket(begun, "ada", chat.port, "/live/room")
        assert (await socket.say(begun + 1, b"rows, please"))[0] == TEXT
        said = []
        for text in (b"nothing of it", b"; ".join(lines(7, "email", "ssn"))):
            body = json.dumps({"text": text.decode()}).encode()
            said.append(await gate.ask(begun + 2, "ada", chunks.port, "/d/customers/notes", "POST", body))
        socket.close()
        return said, bytes(chunks.received)

    (said, received), (found,) = play(work, act, rule='finding = ["taint"]')
    assert said == [200, 403] and b"nothing of it" in received and b"mail35" not in received
    assert (found.evidence["dataset"], found.evidence["sent to"], found.evidence["rows"]) == ("room", "chunks", "5")
