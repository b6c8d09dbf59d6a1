"""The page of a recorded exchange: what the replay tool says, who looked, and nothing from anywhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sluicegate.console.record import MOST_CHARACTERS
from sluicegate.database.tables import events, exchanges
from sluicegate.exchange import Exchange
from sluicegate.recording.flow_reader import read_at
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.shown import facts
from tests.console.serving import Served
from tests.console.test_console_pages import XSS, Visitor
from tests.e2e.tunnels import IDS
from tests.recording.recorders import live
from tests.replay.folders import DAY

SEGMENTS = count(1)


@pytest.fixture(scope="module")
def grace(running_console: Served) -> Visitor:
    """An operator."""
    someone = Visitor(running_console)
    assert someone.sign_in("grace").status_code == 200
    return someone


@pytest.fixture
def kept(running_console: Served) -> Iterator[Any]:
    """Records an exchange, and gives its id and its file."""

    def made(change: Callable[[Any, Exchange], None] = lambda flow, exchange: None) -> tuple[str, Path]:
        flow, exchange = live(started=1_795_470_301.0)
        change(flow, exchange)
        return exchange.id, running_console.recorded(flow, exchange, f"21{next(SEGMENTS):04}Z-0001")

    yield made


def seen(page: str) -> str:
    """The text of a page, as people read it."""
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def viewed(console: Served) -> list[Any]:
    wanted = select(events.c.body).where(events.c.kind == "recording.viewed").order_by(events.c.id)
    return console.do(console.database.read(lambda connection: list(connection.execute(wanted).scalars())))


def test_it_says_what_the_replay_tool_says(running_console: Served, grace: Visitor, kept: Any) -> None:
    key, file = kept()
    text = seen(grace.get(f"/recordings/{key}").text)
    item = read_at(running_console.recordings, f"{DAY}/{file.name}", 0)
    assert isinstance(item, Recorded)
    known = list(facts(item))
    assert {"who", "verdict", "masked", "policy", "kept in"} <= {fact.name for fact in known}
    for fact in known:
        assert fact.name in text and str(fact.value) in text, fact
    assert '"ssn": "***-**-6789"' in text, "the body, indented"
    for name, value in (*item.request.headers, *item.response.headers):  # type: ignore[union-attr]
        assert name in text and value in text


def test_who_looks_is_on_the_record(running_console: Served, grace: Visitor, kept: Any) -> None:
    key, _ = kept()
    before = len(viewed(running_console))
    grace.get(f"/recordings/{key}")
    (found,) = viewed(running_console)[before:]
    assert (found["exchange"], found["by"]["subject"]) == (key, "grace")


def test_nothing_is_shown_when_the_look_cannot_be_told(
    running_console: Served, grace: Visitor, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = kept()

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("sluicegate.console.record.tell", full)
    answer = grace.get(f"/recordings/{key}")
    said = IDS.sub(b"", answer.content).decode()
    assert answer.status_code == 500 and "6789" not in said and "No space" not in said


def test_what_came_off_the_wire_stays_text(grace: Visitor, kept: Any) -> None:
    def hostile(flow: Any, exchange: Exchange) -> None:
        flow.request.path = f"/{XSS}"
        flow.request.headers["x-note"] = XSS
        flow.response.headers[XSS.replace(":", "")] = XSS
        flow.response.content = f"<title>{XSS}\u202e</title>".encode()
        exchange.principal = replace(exchange.principal, name=XSS)  # type: ignore[type-var]
        exchange.verdict = replace(exchange.verdict, reasons=(XSS,), rules=(XSS,))  # type: ignore[type-var]

    answer = grace.get(f"/recordings/{kept(hostile)[0]}")
    assert answer.status_code == 200 and "&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text and "<img src=x" not in answer.text and "\u202e" not in answer.text


def test_a_request_that_nobody_answered(grace: Visitor, kept: Any) -> None:
    def alone(flow: Any, exchange: Exchange) -> None:
        flow.response = None

    assert "Nothing that the service answered" in grace.get(f"/recordings/{kept(alone)[0]}").text


def test_a_large_body_is_cut_and_says_so(grace: Visitor, kept: Any) -> None:
    def large(flow: Any, exchange: Exchange) -> None:
        flow.response.headers["content-type"] = "text/plain"
        flow.response.raw_content = b"0123456789" * 100_000

    answer = grace.get(f"/recordings/{kept(large)[0]}")
    assert "Cut here" in answer.text and MOST_CHARACTERS < len(answer.text) < MOST_CHARACTERS + 20_000


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"flow_file": f"{DAY}/999999Z-0001.flows"}, "it cannot be read"),
        ({"flow_file": "../../../etc/passwd", "flow_offset": 0}, "outside the recordings"),
        ({"flow_file": "/etc/passwd", "flow_offset": 0}, "outside the recordings"),
        ({"flow_offset": 7}, "damaged"),
        ({"flow_offset": 10**12}, "damaged"),
        ({"flow_offset": -1}, "damaged"),
        ({"flow_file": None}, "does not say"),
    ],
)
def test_a_place_that_is_none(
    running_console: Served, grace: Visitor, kept: Any, place: dict[str, Any], why: str
) -> None:
    key, _ = kept()
    moved = update(exchanges).where(exchanges.c.id == key).values(**place)
    running_console.do(running_console.database.run(lambda connection: connection.execute(moved) and None))
    before = len(viewed(running_console))
    answer = grace.get(f"/recordings/{key}")
    assert answer.status_code == 200 and why in answer.text and "What the index says" in answer.text
    assert "root:" not in answer.text and len(viewed(running_console)) == before


def test_another_exchange_at_that_place_is_not_shown(running_console: Served, grace: Visitor, kept: Any) -> None:
    key, _ = kept()
    _, other = kept()
    moved = update(exchanges).where(exchanges.c.id == key).values(flow_file=f"{DAY}/{other.name}")
    running_console.do(running_console.database.run(lambda connection: connection.execute(moved) and None))
    assert "has another exchange" in grace.get(f"/recordings/{key}").text


def test_exchanges_pass_by_in_a_stream(running_console: Served, grace: Visitor, kept: Any) -> None:
    jar = "; ".join(f"{name}={value}" for name, value in grace.cookies.items())
    with grace.client.stream("GET", running_console.url + "/live/stream", headers={"cookie": jar}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        assert any("Exchanges" in line for line in lines)
        key, _ = kept(lambda flow, exchange: setattr(exchange, "started", running_console.clock.now() + 60))
        assert any(f'href="/recordings/{key}"' in line for line in lines), "what is new comes by itself"


def test_older_recordings_are_a_page_further(running_console: Served, grace: Visitor) -> None:
    for number in range(880000, 880205):
        running_console.passed(number)
    first = grace.get("/recordings?text=/datasets/88").text
    (older,) = re.findall(r'href="(/recordings\?[^"]*before=[^"]*)"', first)
    second = grace.get(html.unescape(older)).text
    shown = [set(re.findall(r'href="/recordings/([\w-]+)"', page)) for page in (first, second)]
    assert [len(found) for found in shown] == [200, 5] and not shown[0] & shown[1]
    for nonsense in ("nan", "inf", "x", "-1e999"):
        assert grace.get(f"/recordings?text=/datasets/88&before={nonsense}").status_code == 200


def test_the_policy_page_counts_rules_on_trial(running_console: Served, grace: Visitor, kept: Any) -> None:
    def on_trial(flow: Any, exchange: Exchange) -> None:
        exchange.started = running_console.clock.now()
        exchange.verdict = replace(exchange.verdict, rules=(), reported=("external-export",))  # type: ignore[type-var]

    kept(on_trial)
    assert "would have applied: 1" in seen(grace.get("/policy").text)
