"""The catalog follows the recordings, is never believed more than they are, and stays outside of them."""

from __future__ import annotations

import itertools
import os
import sqlite3
import stat

import pytest

from sluicegate.errors import Fault
from sluicegate.exchange import Finding, Operation, Principal
from sluicegate_replay.catalog import addresses, build
from sluicegate_replay.catalog.place import place_of
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.filters.match import fits
from sluicegate_replay.filters.parse import parse
from sluicegate_replay.source import source
from tests.recording.recorders import live
from tests.replay.folders import DAY, START, element, intent, put
from tests.replay.quiet import QUIET


def made(count: int, start: float = START):
    return [live(f"/{number}", start + number) for number in range(count)]


def ids(folder, cache, **chosen):
    with source(folder, cache, QUIET) as ours:
        return [line.id for line in ours.wanted(Selection(**chosen))][::-1]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recordings"


def test_what_is_added_is_read_and_what_is_known_is_not(folder, cache, monkeypatch):
    first, second = made(3), made(2, START + 10)
    put(folder, first)
    assert ids(folder, cache) == [exchange.id for _, exchange in first]
    read = []
    scan = build.scan
    monkeypatch.setattr(build, "scan", lambda where, files: read.append(files) or scan(where, files))
    put(folder, second, "214511Z-0001")
    assert ids(folder, cache) == [exchange.id for _, exchange in first + second]
    assert read == [[f"{DAY}/214511Z-0001.flows"]]
    assert ids(folder, cache) == [exchange.id for _, exchange in first + second]
    assert len(read) == 1


def test_a_file_that_grows_changes_or_goes_is_followed(folder, cache):
    pairs = made(4)
    file = put(folder, pairs[:2])
    assert len(ids(folder, cache)) == 2
    with file.open("ab") as stream:
        stream.write(element(*pairs[2]))
    assert len(ids(folder, cache)) == 3
    # The same size and the same time of modification: the time of change tells.
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    with file.open("r+b") as stream:
        stream.write(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with source(folder, cache, QUIET) as ours:
        assert len(ours.damage) == 1
        assert len(list(ours.wanted(Selection()))) == 2
    file.unlink()
    assert ids(folder, cache) == []


def test_an_outcome_in_another_segment_closes_an_intent_whichever_is_read_anew(folder, cache):
    (pair,) = made(1)
    file = put(folder, [pair], "220000Z-0001")
    open_intent = folder / DAY / "214501Z-0001.intents"
    open_intent.write_bytes(intent(pair[1]))
    with source(folder, cache, QUIET) as ours:
        assert ours.unknown == []
    for touched in (file, open_intent):
        os.utime(touched)
        with source(folder, cache, QUIET) as ours:
            assert ours.unknown == []
            assert len(list(ours.wanted(Selection()))) == 1
    file.unlink()
    with source(folder, cache, QUIET) as ours:
        assert [line.id for line in ours.unknown] == [pair[1].id]
        assert ours.code == 1


def test_a_catalog_that_is_broken_or_of_another_version_is_made_anew(folder, cache):
    put(folder, made(2))
    expected = ids(folder, cache)
    kept = place_of(folder, cache)
    for spoil in (
        lambda: kept.write_bytes(b"no database at all" * 100),
        lambda: os.truncate(kept, 5000),
        lambda: sqlite3.connect(kept).execute("PRAGMA user_version = 99"),
        lambda: sqlite3.connect(kept).execute("DROP TABLE exchange"),
        lambda: kept.unlink(),
    ):
        spoil()
        assert ids(folder, cache) == expected


def test_the_catalog_is_the_users_alone_and_never_among_the_recordings(folder, cache):
    put(folder, made(1))
    ids(folder, cache)
    assert stat.S_IMODE(place_of(folder, cache).stat().st_mode) == 0o600
    for inside in (folder, folder / DAY, folder / "x"):
        with pytest.raises(Fault, match="inside the recordings"), source(folder, inside, QUIET):
            pass
    assert not (folder / "x").exists()


def test_without_a_catalog_nothing_is_left(folder, tmp_path, monkeypatch):
    put(folder, made(2))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with source(folder, None, QUIET, keep=False) as ours:
        assert len(list(ours.wanted(Selection()))) == 2
        assert list((tmp_path / "temporary").iterdir())
    assert not list((tmp_path / "temporary").iterdir())


def test_a_line_whose_place_holds_something_else_now_is_not_shown_as_it(folder, cache):
    one, other = made(2)
    file = put(folder, [one])
    with source(folder, cache, QUIET) as ours:
        (line,) = ours.wanted(Selection())
        file.write_bytes(element(*other))
        with pytest.raises(Fault, match="has changed"):
            ours.again(line)


def test_many_processes_read_the_same(folder, cache, monkeypatch):
    expected = []
    for number in range(4):
        pairs = made(5, START + number * 100)
        put(folder, pairs, f"21450{number}Z-0001")
        expected += [exchange.id for _, exchange in pairs]
    monkeypatch.setattr(build, "LARGE", 1)
    monkeypatch.setattr("sluicegate_replay.catalog.said.LARGE", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with source(folder, cache, QUIET) as ours:
        assert [line.id for line in ours.wanted(Selection())][::-1] == expected
        assert {line.id for line in ours.saying("engineering", Selection(), QUIET)} == set(expected)


@pytest.fixture
def mixed(folder):
    pairs = made(6)
    exchanges = [exchange for _, exchange in pairs]
    exchanges[1].principal = Principal("s-42", "https://idp", session="session-[2]*", name="Grace Hopper")
    exchanges[2].operation = Operation("ware", "export", "orders")
    exchanges[2].service = "ware"
    exchanges[3].findings.append(Finding("odd-hours", "Chunk 3 at 03:12."))
    exchanges[3].findings.append(Finding("walk", "Chunks 1 to 3."))
    exchanges[4].principal = None
    exchanges[5].risk = 3.5
    put(folder, pairs)
    return {exchange.id: number for number, exchange in enumerate(exchanges)}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"who": "LOVELACE"}, [0, 2, 3, 5]),
        ({"who": "s-4"}, [1]),
        ({"since": START + 4}, [4, 5]),
        ({"until": START + 1}, [0]),
        ({"service": "ware"}, [2]),
        ({"dataset": "cust*"}, [0, 1, 3, 4, 5]),
        ({"dataset": "cust"}, []),
        ({"kind": "export"}, [2]),
        ({"verdict": "allow", "since": START + 5}, [5]),
        ({"verdict": "refused"}, []),
        ({"rule": "people-*", "until": START + 2}, [0, 1]),
        ({"finding": "*"}, [3]),
        ({"finding": "walk"}, [3]),
        ({"finding": "wal"}, []),
        ({"session": "session-[[]2]*"}, [1]),
        ({"who": "lovelace", "kind": "export"}, [2]),
    ],
)
def test_each_choice_chooses(folder, cache, mixed, chosen, expected):
    assert [mixed[one] for one in ids(folder, cache, **chosen)] == expected


def test_a_session_is_played_whatever_its_name(folder, cache, mixed):
    with source(folder, cache, QUIET) as ours:
        assert [mixed[line.id] for line in ours.session("session-[2]*")] == [1]
        assert [(one.id, one.who, one.count) for one in ours.catalog.sessions()] == [
            ("session-1", "Ada Lovelace", 4),
            ("session-[2]*", "Grace Hopper", 1),
        ]


def test_lines_say_what_the_recordings_say(folder, cache, mixed):
    with source(folder, cache, QUIET) as ours:
        lines = {mixed[line.id]: line for line in ours.wanted(Selection())}
        assert lines[3].findings == ("odd-hours", "walk")
        assert lines[5].risk == 3.5
        assert lines[0].masked == "ssn (national-ids: 1 values)"
        assert lines[0].rows == 1
        for line in lines.values():
            item = ours.again(line)
            assert (item.id, item.url, item.length) == (line.id, line.url, line.length)
            assert len((folder / line.file).read_bytes()) >= line.offset + line.length


def test_hostile_values_are_kept_as_they_can_be(folder, cache):
    flow, exchange = live("/x", START)
    exchange.risk, exchange.service = float("inf"), "half \ud800 of a character"
    exchange.verdict = None
    data = element(flow, exchange)
    assert b"3:inf^" in data
    (folder / DAY).mkdir(parents=True)
    (folder / DAY / "214501Z-0001.flows").write_bytes(data)
    with source(folder, cache, QUIET) as ours:
        (line,) = ours.wanted(Selection())
        assert (line.risk, line.verdict) == (0.0, "not judged")
        assert "half" in line.service


def test_what_is_gone_is_gone_from_the_catalog_too(folder, cache):
    """Retention takes recordings away; their names and words stay in no page of the catalog's file."""
    for number, name in enumerate(("Zebedee Goneforever", "Ada Lovelace")):
        flow, exchange = live(f"/{number}", START + number)
        exchange.principal = Principal(f"s-{number}", "https://idp", name=name)
        flow.response.raw_content = f'{{"said": "xylophone{number} {name}"}}'.encode()
        put(folder, [(flow, exchange)], f"2145{number:02}Z-0001")
    with source(folder, cache, QUIET) as ours:
        assert [len(list(ours.saying(word, Selection(), QUIET))) for word in ("xylophone0", "xylophone1")] == [1, 1]
        (who,) = {line.who for line in ours.saying("goneforever", Selection(), QUIET)}
    kept = place_of(folder, cache)
    assert b"Goneforever" in kept.read_bytes() and b"xylophone0" in kept.read_bytes()
    (folder / DAY / "214500Z-0001.flows").unlink()
    with source(folder, cache, QUIET) as ours:
        assert [len(list(ours.saying(word, Selection(), QUIET))) for word in ("xylophone0", "xylophone1")] == [0, 1]
    data = kept.read_bytes().lower()
    assert b"goneforever" not in data and b"xylophone0" not in data and b"xylophone1" in data


EXPRESSIONS = [
    "/1",
    "~u '/[0-9]$'",
    "! ~u '[13579]$'",
    "~u '2|3' & ! ~u 3",
    "~u nothing | ~u '/4'",
    "~u '[a-z]z'",
    "~m get",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("looks", [0, 1, 7])
def test_a_pattern_finds_the_same_however_soon_everything_is_looked_through(
    folder, cache, monkeypatch, expression, looks
):
    for segment in range(3):
        pairs = made(9, START + 5 * segment)  # segments overlap in time
        put(folder, pairs, f"21450{segment}Z-0001")
    node = parse(expression)
    with source(folder, cache, QUIET) as ours:

        def answers():
            return (
                [line.id for line in ours.wanted(Selection(filter=node))],
                [line.id for line in ours.oldest_first(Selection(filter=node))],
                [line.id for line in ours.saying("people", Selection(filter=node), QUIET)],
                ours.catalog.count(Selection(filter=node)),
            )

        plain = answers()
        every = [line for line in ours.wanted(Selection()) if fits(node, ours.again(line), None)]
        assert plain[0] == [line.id for line in every] and plain[3] == len(every)
        assert plain[1] == plain[0][::-1] or sorted(plain[1]) == sorted(plain[0])
        monkeypatch.setattr(addresses, "LOOKS", looks)
        assert answers() == plain
        # A search that is still read from is not disturbed by another one.
        slow = ours.wanted(Selection(filter=node))
        first = [line.id for line in itertools.islice(slow, 1)]
        ours.catalog.count(Selection(filter=node))
        assert first + [line.id for line in slow] == plain[0]


def test_somebody_else_may_bring_the_catalog_up_to_date_meanwhile(folder, cache, monkeypatch):
    monkeypatch.setattr(addresses, "LOOKS", 0)
    put(folder, made(4))
    with source(folder, cache, QUIET) as ours:
        assert len(list(ours.wanted(Selection(filter=parse("~u '[0-9]'"))))) == 4
        put(folder, made(3, START + 50), "214550Z-0001")
        assert len(ids(folder, cache)) == 7
