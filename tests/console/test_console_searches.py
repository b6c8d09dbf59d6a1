"""Searching in the console: what the replay tool finds, on the record, bounded, and in nobody's way."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.console import searches as module
from sluicegate.console.searches import Answer, Asked, Searches
from sluicegate.database.tables import events
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from tests.console.serving import Served
from tests.console.test_console_pages import XSS, Visitor
from tests.recording.recorders import live

SEGMENTS, WORDS = count(1), count(1)
GRACE = Principal("grace", "https://idp", name="Grace Hopper")


@pytest.fixture(scope="module")
def grace(running_console: Served) -> Visitor:
    """An operator."""
    someone = Visitor(running_console)
    assert someone.sign_in("grace").status_code == 200
    return someone


@pytest.fixture(scope="module")
def mallory(running_console: Served) -> Visitor:
    """An auditor."""
    someone = Visitor(running_console)
    assert someone.sign_in("mallory").status_code == 200
    return someone


@pytest.fixture
def said(running_console: Served) -> Any:
    """Records exchanges whose answers say a text, and gives their ids, the first recorded first."""

    def made(text: str, number: int = 1, **changes: Any) -> list[str]:
        ids = []
        for _ in range(number):
            flow, exchange = live(started=1_795_470_301.0)
            for name, value in changes.items():
                setattr(exchange, name, value)
            flow.response.raw_content = json.dumps({"said": text}).encode()
            running_console.recorded(flow, exchange, f"22{next(SEGMENTS):04}Z-0001")
            ids.append(exchange.id)
        return ids

    return made


@pytest.fixture
def word() -> str:
    """A word that nothing else says."""
    return f"xenolith{next(WORDS)}"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 120.0)


def found(page: str) -> list[str]:
    return re.findall(r'class="cover" href="/recordings/([\w-]+)"', page)


def told(console: Served) -> list[Any]:
    wanted = select(events.c.body).where(events.c.kind == "recording.searched").order_by(events.c.id)
    return console.do(console.database.read(lambda connection: list(connection.execute(wanted).scalars())))


def search(visitor: Visitor, **asked: str) -> Any:
    return visitor.get("/search?" + urlencode(asked))


def test_it_finds_what_the_replay_tool_finds(
    running_console: Served, grace: Visitor, said: Any, word: str, tmp_path: Path
) -> None:
    ids = said(f"before {word} behind", 3)
    said("something else")
    other = said(f"{word} too", principal=Principal("linus", "https://idp", name="Linus Pauling"))
    page = search(grace, text=word).text
    command = [sys.executable, "-m", "sluicegate_replay", "search", word, "--json"]
    command += ["--from", str(running_console.recordings), "--cache", str(tmp_path)]
    hits = json.loads(subprocess.run(command, capture_output=True, check=False, timeout=120).stdout)["hits"]
    assert found(page) == [hit["id"] for hit in reversed(hits)] == [*other, *reversed(ids)]
    for hit in hits:
        assert hit["excerpt"] in html.unescape(page)
    assert found(search(grace, text=word, who="pauling").text) == other
    assert found(search(grace, text=word, service="nowhere").text) == []
    assert "Nothing says these words" in search(grace, text=word + "x").text
    assert grace.get(f"/recordings/{other[0]}").status_code == 200


def test_who_searches_is_on_the_record_once(
    running_console: Served, grace: Visitor, mallory: Visitor, said: Any, word: str
) -> None:
    said(word)
    before = len(told(running_console))
    for visitor in (grace, grace, mallory):
        assert len(found(search(visitor, text=word, who="ada").text)) == 1
        assert len(found(visitor.get("/search/hits?" + urlencode({"text": word, "who": "ada"})).text)) == 1
    new = told(running_console)[before:]
    assert [(body["by"]["subject"], body["text"], body["who"]) for body in new] == [
        ("grace", word, "ada"),
        ("mallory", word, "ada"),
    ]


def test_nothing_is_searched_when_it_cannot_be_told(
    running_console: Served, grace: Visitor, said: Any, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(word)

    def broken(*_: Any) -> None:
        raise OSError("the disk is full")

    ran: list[Any] = []
    monkeypatch.setattr(module, "tell", broken)
    monkeypatch.setattr(Searches, "_run", lambda *asked: ran.append(asked))
    answer = search(grace, text=word)
    assert answer.status_code == 500 and word not in answer.text and not ran


@pytest.mark.parametrize(
    "text",
    [
        "--help",
        "-h",
        "--from=/etc",
        "--cache=/tmp/x",
        "--",
        "'; rm -rf ~",
        '"',
        "a OR b",
        "*",
        "NEAR(a b)",
        "\x1b[2J",
        "\0x",
    ],
)
def test_what_is_searched_for_is_never_an_option_nor_a_query(
    running_console: Served, grace: Visitor, text: str
) -> None:
    for asked in ({"text": text}, {"text": "x", "who": text, "service": text}):
        answer = search(grace, **asked)
        assert answer.status_code == 200
        assert "Usage" not in answer.text and "Traceback" not in answer.text
        wordless = not any(character.isalnum() for character in asked["text"])
        assert ("There is no word" in answer.text) == ("notice bad" in answer.text) == wordless
    assert sorted(path.name for path in running_console.recordings.parent.iterdir() if path.name == "catalog")


def test_what_was_recorded_and_what_is_asked_stay_text(grace: Visitor, said: Any, word: str) -> None:
    said(f"{word} {XSS}", target=f"/{XSS}", principal=Principal("x", "https://idp", name=XSS))
    page = search(grace, text=word).text
    assert found(page) and "<script>" not in page and "<img src=x" not in page and "49" not in found(page)
    assert "<script>" not in search(grace, text=XSS, who=XSS).text


def test_pages_are_turned(grace: Visitor, said: Any, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where in (module, sys.modules["sluicegate.console.pages.searching"]):
        monkeypatch.setattr(where, "A_PAGE", 2)
        monkeypatch.setattr(where, "MOST_PAGES", 2)
    ids = said(word, 5)[::-1]
    first = search(grace, text=word).text
    assert found(first) == ids[:2] and "4 or more" in first
    (older,) = re.findall(r'href="([^"]+)">Earlier', first)
    second = grace.get(html.unescape(older)).text
    assert found(second) == ids[2:4] and "Earlier" not in second and "Later" in second
    for nonsense in ("0", "-1", "99", "x", "1e9", "²"):
        assert grace.get("/search?" + urlencode({"text": word, "page": nonsense})).status_code == 200


def test_one_that_takes_long_is_waited_for_on_the_page(
    grace: Visitor, said: Any, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(word)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    page = search(grace, text=word).text
    assert "The search goes on" in page and "Look again" in page
    (follow,) = re.findall(r'data-follow="([^"]+)"', page)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 120.0)
    assert len(found(grace.get(html.unescape(follow)).text)) == 1
    assert "data-follow" not in search(grace, text=word).text
    assert grace.get("/search/hits?text=nobody-asked-for-this").status_code == 404


def test_nobody_else_may_search(running_console: Served, word: str) -> None:
    for person in ("ada", "linus"):
        visitor = Visitor(running_console)
        visitor.sign_in(person)
        for path in ("/search", "/search/hits"):
            assert visitor.get(f"{path}?text={word}").status_code == 403


class Ledger:
    """A database that takes whatever is told."""

    async def run(self, work: Any) -> None:
        return None


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Searches]:
    (tmp_path / "recordings").mkdir()
    yield Searches(tmp_path / "recordings", Ledger(), SetClock())  # type: ignore[arg-type]


async def test_so_many_wait_and_no_more_and_one_runs_at_a_time(
    alone: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, running, most = asyncio.Event(), 0, 0

    async def slow(_self: Searches, _recordings: Path, asked: Asked) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return Answer(({"id": asked.text},))

    monkeypatch.setattr(Searches, "_run", slow)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    for number in range(module.MOST_WAITING):
        assert await alone.answer(Asked(str(number)), GRACE) is None
    with pytest.raises(Refusal, match="too-many-searches"):
        await alone.answer(Asked("one more"), GRACE)
    assert await alone.answer(Asked("0"), GRACE) is None, "whoever waits already may look again"
    go.set()
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 60.0)
    for number in range(module.MOST_WAITING):
        answer = await alone.answer(Asked(str(number)), GRACE)
        assert answer is not None and answer.hits == ({"id": str(number)},)
    assert most == 1
    await alone.close()


async def test_a_search_that_fails_is_said_and_tried_again(alone: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")  # type: ignore[attr-defined]
    for _ in range(2):
        answer = await alone.answer(Asked("x"), GRACE)
        assert answer is not None and "could not be run" in answer.failed
    monkeypatch.undo()
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 120.0)
    answer = await alone.answer(Asked("x"), GRACE)
    assert answer == Answer()
    await alone.close()


@pytest.fixture
def hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search that never ends, and has started another process; where it writes the numbers of both."""
    pids = tmp_path / "pids"
    script = tmp_path / "hangs"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {pids}.new\nmv {pids}.new {pids}\nwait\n")
    script.chmod(0o700)
    monkeypatch.setattr(module.sys, "executable", str(script))  # type: ignore[attr-defined]
    return pids


async def is_over(pids: Path) -> None:
    for pid in map(int, pids.read_text().split()) if pids.exists() else ():
        while _lives(pid):
            await asyncio.sleep(0)


async def test_what_takes_too_long_is_ended_with_everything_it_started(
    alone: Searches, monkeypatch: pytest.MonkeyPatch, hangs: Path
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 1.0)
    answer = await alone.answer(Asked("x"), GRACE)
    assert answer is not None and "too long" in answer.failed
    await is_over(hangs)


@pytest.mark.parametrize("turns", [*range(12), None])
async def test_a_console_that_closes_ends_what_searches_wherever_it_stands(
    alone: Searches, monkeypatch: pytest.MonkeyPatch, hangs: Path, turns: int | None
) -> None:
    """After so many turns of the loop, which connects to the new process in several; None: when it runs.

    The process may be quicker than the loop: here it has started another before the loop comes to its next turn.
    """
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    assert await alone.answer(Asked("x"), GRACE) is None
    for _ in range(turns or 0):
        await asyncio.sleep(0)
    while turns is None and not hangs.exists():
        await asyncio.sleep(0)
    while any(str(hangs.with_name("hangs")) in one.cmdline() for one in psutil.Process().children()):
        if hangs.exists():
            break
    async with asyncio.timeout(60):
        await alone.close()
    await is_over(hangs)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


async def test_answers_are_forgotten(alone: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    async def quick(_self: Searches, _recordings: Path, asked: Asked) -> Answer:
        runs.append(asked.text)
        return Answer(({"id": asked.text},))

    monkeypatch.setattr(Searches, "_run", quick)
    for number in range(module.MOST_KEPT + 3):
        await alone.answer(Asked(str(number)), GRACE)
    await alone.answer(Asked("0"), GRACE)
    assert runs.count("0") == 2 and len(alone._runs) <= module.MOST_KEPT + 1
    alone._clock.time += module.KEPT_SECONDS  # type: ignore[attr-defined]
    await alone.answer(Asked("0"), GRACE)
    assert runs.count("0") == 3 and len(alone._runs) == 1


async def test_without_recordings_it_says_so(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "none"):
        searches = Searches(folder, Ledger(), SetClock())  # type: ignore[arg-type]
        answer = await searches.answer(Asked("x"), GRACE)
        assert answer is not None and "no recordings" in answer.failed
