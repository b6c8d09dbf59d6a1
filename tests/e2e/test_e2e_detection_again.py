"""Detection live and again: a whole gateway in process, with a clock that the test drives, weeks of work with signs
planted in it over the wire; then the recording alone must lead to the same findings, and to the same habits."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import sys

import pytest

from sluicegate import cli
from sluicegate.clock import SetClock
from sluicegate.detection.taint import worker
from sluicegate.pipeline import order
from sluicegate.settings import State
from sluicegate_replay import cli as replay
from tests.detection.organisation import DAY, MONDAY
from tests.e2e.driven import Gate, StandIn, stored
from tests.origin import Cut, Origin, json_response

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
  {{ request = "POST /d/{{dataset}}/export", kind = "export", dataset = "path:dataset", destination = "$.to" }},
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
columns = {{ ssn = "restricted", email = "personal" }}
[jobs.letters]
dataset = "customers"
columns = ["id", "personal"]
who = ["group:eng"]
[[rules]]
id = "work"
effect = "allow"
who = ["group:eng"]
dataset = ["customers"]
[[rules]]
id = "notes"
effect = "allow"
service = ["notes"]
[[rules]]
id = "secret"
effect = "deny"
dataset = ["secret-*"]
[[rules]]
id = "look-first"
effect = "deny"
finding = ["beyond-job", "taint"]
[detection]
observe_days = 7
alerts_per_thousand = 200
taint_seconds = 8.0
"""
PEOPLE = ("ada", "bob", "cyd", "dan", "eve", "fay")


def answer(request: bytes) -> bytes:
    path = request.split(b" ")[1].decode()
    if not path.startswith("/d/customers/"):
        return json_response(b'{"ok":true}')
    last = path.partition("?")[0].rpartition("/")[2]
    whole, chunk = divmod(int(last) if last.isdigit() else 0, 1000)
    rows = []
    for number in range(chunk * 5, chunk * 5 + 5):
        row = {"id": number, "email": f"person{number}@mail{number}.example.org"}
        if whole:  # chunks from 1000 on have all columns
            row["ssn"] = f"{number:03}-45-{number + 6789}"
        rows.append(row)
    if whole > 1:  # from 2000 on in pieces
        rows = [{**row, "text": "x" * 30_000} for row in rows]
        body = json.dumps({"data": {"rows": rows}}).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        raise Cut(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    return json_response(json.dumps({"rows": rows}).encode())


async def play(gate, chunks, notes):
    """Nearly four weeks; what is planted is written beside it."""
    statuses = []
    for day in range(26):
        if day % 7 >= 5:
            continue
        if day >= 21:
            night = MONDAY + day * DAY + 2.5 * 3600  # a class that was never received, at night
            for number in range(4):
                await gate.ask(night + number * 60, "bob", chunks, f"/d/customers/{1000 + number % 2}")
        for index, who in enumerate(PEOPLE):
            for number in range(2):
                at = MONDAY + day * DAY + (9 + number * 2) * 3600 + index * 60
                await gate.ask(at, who, chunks, f"/d/customers/{(day * 31 + index * 7 + number * 13) % 90}")
        if day >= 21:
            for number in range(3):  # doors
                at = MONDAY + day * DAY + 15 * 3600 + number
                assert await gate.ask(at, "cyd", chunks, f"/d/secret-{day}-{number}/1") == 403
            to = json.dumps({"to": "s3://my-own/x"}).encode()
            await gate.ask(MONDAY + day * DAY + 16 * 3600, "dan", chunks, "/d/customers/export", "POST", to)
    late = MONDAY + 28 * DAY + 10 * 3600
    # More than the job names: the finding refuses its own answer.
    statuses.append(await gate.ask(late, "eve", chunks, "/d/customers/1007?columns=id,email", job="letters"))
    # What was received, sent elsewhere: refused before it goes.
    await gate.ask(late + 60, "fay", chunks, "/d/customers/1003")
    rows = [{"m": f"person{n}@mail{n}.example.org", "s": f"{n:03}-45-{n + 6789}"} for n in range(15, 20)]
    statuses.append(await gate.ask(late + 120, "fay", notes, "/d/notes/export", "POST", json.dumps(rows).encode()))
    await gate.stream(late + 180, "ada", chunks, "/d/customers/2003")
    statuses.append(await gate.ask(late + 240, "ada", notes, "/d/notes/export", "POST", json.dumps(rows).encode()))
    await gate.ask(late + DAY, "ada", chunks, "/d/customers/1")
    return statuses


async def live(folder):
    chunks, notes = Origin(None, answer), Origin(None, answer)
    (folder / "policy.toml").write_text(POLICY.format(chunks=chunks.port, notes=notes.port))
    state = State(folder / "state").open()
    gate = await Gate(folder / "policy.toml", state, SetClock(MONDAY)).start()
    try:
        statuses = await play(gate, chunks.port, notes.port)
    finally:
        await gate.stop()
        chunks.close()
        notes.close()
    return statuses, await stored(state)


@pytest.fixture
def run(monkeypatch, capsys):
    def call(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["sluicegate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            module.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def test_a_recording_leads_to_the_same_findings_and_habits_as_the_gateway(tmp_path, monkeypatch, run):
    monkeypatch.setattr(order, "IdentityAddon", StandIn)
    monkeypatch.setattr(worker, "START_SECONDS", 60.0)
    statuses, (found, known) = asyncio.run(live(tmp_path))
    assert statuses == [403, 403, 403]
    assert {row.person.rpartition(" ")[2] for row in found.values() if row.indicator == "taint"} == {"ada", "fay"}
    indicators = {row.indicator for row in found.values()}
    assert {"probing", "often-outside", "new-destination", "first-class", "beyond-job", "taint"} <= indicators, (
        indicators
    )

    policy, folder = tmp_path / "policy.toml", tmp_path / "state" / "recordings"
    code, out, err = run(replay, "findings", "--from", folder, "--again", policy, "--json")
    assert code == 0, err
    again = {one["id"]: one for one in json.loads(out)["findings"]}
    assert again.keys() == found.keys()
    for name, row in found.items():
        one = again[name]
        assert (one["indicator"], one["person"], one["detail"], one["evidence"]) == (
            row.indicator, row.person, row.detail, row.evidence,
        )  # fmt: skip
        assert (one["at"], one["score"], one["risk"], one["line"]) == (row.at, row.score, row.risk, row.line)

    code, out, err = run(cli, "recording", "relearn", "--policy", policy, "--state", tmp_path / "state", "--json")
    assert code == 0, err
    assert json.loads(out)["people"] == len(PEOPLE) and json.loads(out)["damage"] == []
    with (folder / "log" / ".lock").open() as held:  # what a gateway holds that runs
        fcntl.flock(held, fcntl.LOCK_EX)
        code, _, err = run(cli, "recording", "relearn", "--policy", policy, "--state", tmp_path / "state")
        assert code == 2 and "is writing" in err
    _, anew = asyncio.run(stored(State(tmp_path / "state")))
    assert anew.keys() == known.keys()
    for name, state in known.items():
        assert anew[name] == state, name

    # Twice the same recordings, and damage in one: what is whole is learned, who is in none is forgotten, and it is said.
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    flows = sorted(other.rglob("*.flows"))[-1]
    flows.write_bytes(flows.read_bytes()[:-40])
    arguments = ("recording", "relearn", "--policy", policy, "--state", tmp_path / "state", "--also", other, "--json")
    code, out, err = run(cli, *arguments)
    assert code == 1, err
    said = json.loads(out)
    assert len(said["damage"]) == 1 and said["people"] == len(PEOPLE)
    _, twice = asyncio.run(stored(State(tmp_path / "state")))
    assert twice.keys() == known.keys() and twice != known
    code, _, err = run(cli, *arguments[:-2], tmp_path / "nowhere")
    assert code == 2 and "no recordings" in err
    assert asyncio.run(stored(State(tmp_path / "state")))[1] == twice
