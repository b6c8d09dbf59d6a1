"""Search finds what was asked, answered and decided, and shows where it stands."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys

import pytest

from sluicegate.settings import State
from sluicegate_replay import cli
from tests.recording.recorders import exchange_through, live, recorder
from tests.replay.folders import START

EVIL = "\x1b]0;owned\x07\u202e"


async def record(root) -> list[str]:
    ids = []
    async with recorder(root) as addon:
        bodies = [
            (b'{"rows": [{"name": "Grace Hopper", "city": "Z\\u00fcrich"}]}', {}),
            (gzip.compress(b'{"rows": [{"name": "Alan Turing"}]}'), {"content-encoding": "gzip"}),
            (json.dumps({"evil": f"needle{EVIL}"}, ensure_ascii=False).encode(), {}),
            (b"PAR1\x00\xffneedle", {"content-type": "application/octet-stream"}),
        ]
        for number, (body, headers) in enumerate(bodies):
            flow, exchange = live(f"/datasets/customers%20all/chunks/{number}", START + number)
            flow.request.raw_content = b'{"statement": "select secret_column from vault"}' if number == 0 else b""
            flow.response.headers.update(headers)
            flow.response.raw_content = body
            await exchange_through(addon, flow, exchange)
            ids.append(exchange.id)
    return ids


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    ids = asyncio.run(record(tmp_path))

    def search(*arguments: str) -> tuple[int, list[int], str]:
        command = ["sluicegate-replay", "search", *arguments, "--from", str(State(tmp_path).recordings)]
        monkeypatch.setattr(sys, "argv", [*command, "--json"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out = capsys.readouterr().out
        hits = [ids.index(hit["id"]) for hit in json.loads(out)["hits"]] if out else []
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit):
            cli.main()
        return ended.value.code, hits, capsys.readouterr().out

    return search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grace", [0]),
        ("Grace HOPP", [0]),
        ("hopper grace", []),
        ("zurich", [0]),
        ("Zürich", [0]),
        ("turing", [1]),
        ("uring", []),
        ("secret_column", [0]),
        ("select secret_column from vault", [0]),
        ("customers all", [0, 1, 2, 3]),
        ("people-read", [0, 1, 2, 3]),
        ("They may read", [0, 1, 2, 3]),
        ("lovelace", [0, 1, 2, 3]),
        ("needle", [2]),
        ('"needle" OR grace', []),
        ("name NEAR hopper *", []),
        ("nowhere", []),
    ],
)
def test_words_are_found_as_they_follow_each_other(world, text, expected):
    code, hits, _ = world(text)
    assert (code, hits) == (0, expected)


def test_anywhere_looks_inside_words_and_at_signs(world):
    assert world("uring", "--anywhere")[1] == [1]
    assert world("}]}", "--anywhere")[1] == [0, 1]
    assert world("}]}")[0] == 2


def test_what_is_chosen_besides_holds(world):
    assert world("lovelace", "--filter", "~b turing")[1] == [1]
    assert world("lovelace", "--limit", "2")[1] == [2, 3]
    assert world("lovelace", "--who", "nobody else")[1] == []


def test_the_place_is_shown_and_drives_no_terminal(world):
    _, _, shown = world("grace hopper")
    assert "Grace Hopper" in shown
    assert "/chunks/0" in shown
    _, _, shown = world("needle")
    assert "needle" in shown
    assert not any(sign in shown for sign in ("\x1b", "\x07", "\u202e"))
    assert world("nowhere")[2] == "Nothing says these words.\n"
