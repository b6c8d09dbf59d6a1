"""The reader shows what is whole and says where a file is not, whatever was done to it."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.recording import intents, tnetstring
from sluicegate.recording.flow_reader import read_all, read_at, read_folder, read_intents
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Recorded
from sluicegate.recording.redact import Redactor
from tests.recording.recorders import live

WRITER = FlowWriter(Redactor(), "run-1")
DAY = "2026-11-23"


def element(path: str, body: bytes = b"{}", *, run: str = "run-1", intent: bool = False) -> tuple[str, bytes]:
    flow, exchange = live(path)
    flow.response.raw_content = body
    summary = {**WRITER.summary(flow, exchange, 1.0, intent=intent), "run": run}
    return exchange.id, WRITER.encode(flow, exchange, summary)


THREE = [element(f"/{n}") for n in range(3)]
IDS = [found for found, _ in THREE]
WHOLE = b"".join(data for _, data in THREE)
STARTS = [0, len(THREE[0][1]), len(THREE[0][1]) + len(THREE[1][1])]


def put(folder: Path, data: bytes, name: str = "000000Z-0001.flows") -> Path:
    (folder / DAY).mkdir(exist_ok=True)
    (folder / DAY / name).write_bytes(data)
    return folder


def read(folder: Path, data: bytes) -> tuple[list[str], list[Damage]]:
    items = list(read_folder(put(folder, data)))
    found = [item.id for item in items if isinstance(item, Recorded)]
    return found, [item for item in items if isinstance(item, Damage)]


def test_a_whole_folder_is_read_in_the_order_of_its_names(tmp_path):
    put(tmp_path, THREE[1][1], "000001Z-0001.flows")
    put(tmp_path, THREE[0][1], "000000Z-0001.flows")
    (tmp_path / "2026-11-22").mkdir()
    (tmp_path / "2026-11-22" / "235959Z-0001.flows").write_bytes(THREE[2][1])
    (tmp_path / DAY / ".probe-1").write_bytes(b"junk")
    (tmp_path / "notes.flows").write_bytes(b"junk")
    found = [(item.id, item.file, item.offset) for item in read_folder(tmp_path)]
    assert [found_id for found_id, *_ in found] == [IDS[2], IDS[0], IDS[1]]
    assert read_at(tmp_path, *found[1][1:]).id == IDS[0]


def test_a_file_cut_anywhere_shows_all_before_the_cut(tmp_path):
    file = put(tmp_path, WHOLE) / DAY / "000000Z-0001.flows"
    for cut in reversed(range(STARTS[2] - 5, len(WHOLE))):
        os.truncate(file, cut)
        items = list(read_folder(tmp_path))
        found = [item.id for item in items if isinstance(item, Recorded)]
        damage = [item for item in items if isinstance(item, Damage)]
        whole = sum(cut >= end for end in (*STARTS[1:], len(WHOLE)))
        assert found == IDS[:whole], cut
        if cut in (0, *STARTS):
            assert damage == []
        else:
            assert [d.offset for d in damage] == [STARTS[whole]], cut


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300, deadline=None
)
@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_one_flipped_bit_is_always_found_and_hides_nothing_else(tmp_path, bit):
    data = bytearray(WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    hit = sum(bit // 8 >= start for start in STARTS) - 1
    found, damage = read(tmp_path, bytes(data))
    assert found == [one for n, one in enumerate(IDS) if n != hit]
    assert damage[0].offset == STARTS[hit]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 4000), st.binary(max_size=40))
def test_bytes_taken_out_and_put_in_hide_only_what_they_touch(tmp_path, start, taken, put_in):
    data = WHOLE[:start] + put_in + WHOLE[start + taken :]
    ends = [*STARTS[1:], len(WHOLE)]
    untouched = [
        one
        for one, begin, end in zip(IDS, STARTS, ends, strict=True)
        if end <= start or (begin >= start + taken and begin > start)
    ]
    found, _ = read(tmp_path, data)
    assert [one for one in found if one in untouched] == untouched


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=300))
def test_garbage_never_raises(tmp_path, data):
    read(tmp_path, data)
    put(tmp_path, data, "000000Z-0001.intents")
    list(read_all(tmp_path))


@pytest.mark.parametrize(
    "head", [b"999999999999", b"4294967296", b"99999999999999999999", b"1000000", b"0", b"-5", b"007"]
)
def test_a_hostile_length_costs_nothing(tmp_path, head):
    data = WHOLE + head + b":7:version;2:21#" + b"x" * 500 + WHOLE
    tracemalloc.start()
    found, damage = read(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    assert found == IDS + IDS
    assert damage[0].offset == len(WHOLE)


def test_a_file_in_which_everything_could_begin_ends_in_time(tmp_path):
    tail = THREE[0][1][-200:]
    size = 40_000
    heads = b"".join(b"%07d:7:version;2:21#" % (size * 24 + 200 - n * 24 - 9) for n in range(size)).replace(
        b"0", b"1", 1
    )
    found, damage = read(tmp_path, heads + tail)
    assert found == []
    assert damage


def test_behind_damage_a_forged_flow_file_in_a_body_is_not_taken_for_a_record(tmp_path):
    forged_id, forged = element("/forged", run="guessed")
    _, carrier = element("/carrier", body=b"junk" + forged + b"junk")
    broken = b"9" + carrier[1:]  # the length of the carrier leads nowhere
    found, damage = read(tmp_path, THREE[0][1] + broken + THREE[1][1])
    assert found == [IDS[0], IDS[1]]
    assert forged_id not in found
    assert damage[0].offset == STARTS[1]
    resynced = [item.resynced for item in read_folder(tmp_path) if isinstance(item, Recorded)]
    assert resynced == [False, True]


def test_flows_of_others_are_named_as_such(tmp_path):
    flow, _ = live()
    stock = tnetstring.encode(flow.get_state())
    found, damage = read(tmp_path, THREE[0][1] + stock + THREE[1][1])
    assert found == IDS[:2]
    assert damage[0].offset == STARTS[1]


def test_a_file_that_cannot_be_read_is_damage_and_a_folder_that_is_none_an_error(tmp_path):
    (tmp_path / DAY).mkdir()
    (tmp_path / DAY / "000000Z-0001.flows").symlink_to(tmp_path / "elsewhere")
    (damage,) = read_folder(tmp_path)
    assert "cannot be read" in damage.reason
    with pytest.raises(OSError):
        list(read_folder(tmp_path / "none"))


def intent_line(exchange_id: str) -> bytes:
    return intents.seal({"version": 1, "id": exchange_id, "time": 1.0, "target": "/x"})


def test_an_intent_without_an_outcome_is_told(tmp_path):
    put(tmp_path, b"".join(map(intent_line, [*IDS, "gone"])), "000000Z-0001.intents")
    put(tmp_path, THREE[0][1], "000000Z-0001.flows")
    put(tmp_path, THREE[1][1] + THREE[2][1], "000100Z-0001.flows")
    (open_intent,) = [item for item in read_all(tmp_path) if isinstance(item, Intent)]
    assert open_intent.id == "gone"


def test_an_outcome_in_an_earlier_file_than_its_intent_counts(tmp_path):
    made, data = element("/x", intent=True)
    put(tmp_path, data, "000000Z-0001.flows")
    put(tmp_path, intent_line(made), "000100Z-0001.intents")
    assert not [item for item in read_all(tmp_path) if isinstance(item, Intent)]


def test_torn_and_damaged_intents_are_told_with_their_place(tmp_path):
    lines = [intent_line(str(n)) for n in range(4)]
    data = lines[0] + lines[1].replace(b'"/x"', b'"/y"') + lines[2] + lines[3][:-1]
    put(tmp_path, data, "000000Z-0001.intents")
    items = list(read_intents(tmp_path, f"{DAY}/000000Z-0001.intents"))
    assert [item.id if isinstance(item, Intent) else None for item in items] == ["0", None, "2", None]
    assert [item.offset for item in items] == [n * len(lines[0]) for n in range(4)]


@given(st.integers(0, len(intent_line("a")) - 2), st.integers(1, 255))
def test_a_changed_intent_is_always_found(place, change):
    line = bytearray(intent_line("a")[:-1])
    line[place] ^= change
    with pytest.raises((ValueError, TypeError)):
        intents.parse(bytes(line), "f", 0)


def test_reading_changes_nothing(tmp_path):
    put(tmp_path, WHOLE[:-5])
    put(tmp_path, intent_line("a"), "000000Z-0001.intents")

    def state():
        return {
            str(p): (p.stat().st_mtime_ns, p.is_file() and hashlib.sha256(p.read_bytes()).hexdigest())
            for p in tmp_path.rglob("*")
        }

    before = state()
    list(read_all(tmp_path))
    assert state() == before
