"""What is never recorded, and what a rule wants sealed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.database.tables import exchanges
from sluicegate.errors import Refusal
from sluicegate.recording.flow_reader import read_all
from sluicegate.recording.never import Never
from sluicegate.recording.sealing.opening import find, unseal
from sluicegate.recording.verify import folder_keys, verify
from sluicegate.settings import State
from tests.recording.recorders import exchange_through, live, recorder
from tests.recording.test_recording_sealing import ONE, RECIPIENTS, masked

PRIVATE = "/private/diagnosis?of=ada-lovelace"


async def test_of_what_is_never_recorded_only_the_ledger_knows_that_it_passed(tmp_path):
    async with recorder(tmp_path, never=["chunks.internal/private/*"], recipients=RECIPIENTS) as addon:
        flow, exchange = live(PRIVATE)
        exchange.original = masked()[1].original
        await exchange_through(addon, flow, exchange)
        assert addon.response(flow, exchange) is None, "an outcome comes once"
        other = live("/public")
        await exchange_through(addon, *other)
        await addon._records._index._flush()
        rows = await addon._records._database.read(lambda c: c.execute(select(exchanges.c.id)).scalars().all())
        assert rows == [other[1].id]
    folder = State(tmp_path).recordings
    assert [item.id for item in read_all(folder)] == [other[1].id]
    for path in State(tmp_path).root.rglob("*"):
        assert not path.is_file() or b"diagnosis" not in path.read_bytes(), path
    report = verify(folder, folder_keys(folder))
    assert report.findings == [] and report.unknown == []
    assert (report.counts["intent"], report.counts["outcome"], report.counts.get("sealed")) == (2, 2, None)
    entries = b"".join(path.read_bytes() for path in (folder / "log/tile/entries").rglob("*") if path.is_file())
    assert exchange.id.encode() in entries and b'"unrecorded":true' in entries


@pytest.mark.parametrize(
    ("entry", "host", "target", "covered"),
    [
        ("private.example", "private.example", "/x/y?z", True),
        ("private.example", "PRIVATE.example.", "", True),
        ("private.example", "a.private.example", "/", False),
        ("*.private.example", "a.private.example", "/", True),
        ("*", "anything", "/x", True),
        ("h/health*", "h", "/healthz?deep=1", True),
        ("h/health*", "h", "/data?x=/health", False),
        ("h/health*", "h", "/health/../data", False),
        ("h/health*", "h", "/health/%2E%2e/data", False),
        ("h/health*", "h", "//health", False),
        ("h/health*", "h", "/health\\..\\data", False),
        ("h/health", "h", "/healthy", False),
    ],
)
def test_hosts_and_paths_are_matched_whole_and_odd_paths_are_recorded(entry, host, target, covered):
    assert Never([entry]).covers(host, target) is covered


@given(st.text(), st.text())
def test_nothing_is_left_out_where_nothing_is_named(host, target):
    assert not Never([]) and not Never([]).covers(host, target)
    Never(["h/x*"]).covers(host, target)


async def test_a_recorder_that_is_down_lets_nothing_pass_that_is_never_recorded_either(tmp_path):
    async with recorder(tmp_path, never=["chunks.internal"]) as addon:
        pair = live(PRIVATE)
        addon._records._journal._intake.closed = True
        for hook in (addon.request, addon.response):
            with pytest.raises(Refusal, match="cannot record"):
                await hook(*pair)
        addon._records._journal._intake.closed = False


def wanted(path: str = "/x"):
    """An exchange whose rule wants the answer sealed."""
    flow, exchange = live(path)
    exchange.verdict = replace(exchange.verdict, obligations=(), seal=True)
    return flow, exchange


async def test_what_a_rule_wants_is_sealed_as_the_service_sent_it_masked_or_not(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        plain, both, empty = wanted(), masked(), wanted()
        both[1].verdict = replace(both[1].verdict, seal=True)
        empty[0].response.raw_content = b""
        body, original = plain[0].response.raw_content, both[1].original.body
        for pair in (plain, both, empty):
            await exchange_through(addon, *pair)
    folder = State(tmp_path).recordings
    for pair, expected in ((plain, body), (both, original)):
        (sealed,) = find(folder, pair[1].id)
        assert unseal(folder, sealed, [ONE[0]]).body == expected
    assert find(folder, empty[1].id) == []
    assert verify(folder, folder_keys(folder)).findings == []


@pytest.mark.parametrize("why", ["nobody can open it", "it streams"])
async def test_what_cannot_be_sealed_does_not_pass(tmp_path, why):
    settings = {"recipients": RECIPIENTS} if why == "it streams" else {}
    async with recorder(tmp_path, **settings) as addon:
        flow, exchange = wanted()
        await addon.request(flow, exchange)
        if why == "it streams":
            flow.response.raw_content = None
        with pytest.raises(Refusal, match="cannot be") as refused:
            addon.response(flow, exchange)
        exchange.refusal = refused.value
        await addon.response(flow, exchange)
    folder = State(tmp_path).recordings
    report = verify(folder, folder_keys(folder))
    assert report.findings == [] and report.unknown == [] and "sealed" not in report.counts
