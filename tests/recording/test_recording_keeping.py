"""Retention, legal holds and shredding: what goes is said in the ledger before, what is held stays, two people agree."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.database.tables import exchanges
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.recording.beside import facts
from sluicegate.recording.keeping import keeper as keeper_module
from sluicegate.recording.keeping.holds import in_force
from sluicegate.recording.keeping.orders import OPEN_SECONDS, Orders
from sluicegate.recording.keeping.selection import Selection
from sluicegate.recording.sealing.body import SealError
from sluicegate.recording.sealing.opening import find, unseal
from sluicegate.recording.verify import folder_keys, verify, verify_one
from sluicegate.settings import State
from tests.recording.recorders import exchange_through, live, recorder
from tests.recording.test_recording_sealing import ONE, RECIPIENTS, masked

GRACE, LIN = Principal("grace", "https://idp", name="Grace"), Principal("lin", "https://idp", name="Lin")
ADA = {"subject": "ada", "issuer": "https://idp"}
DAY = 86_400.0


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """The keeper does nothing by itself."""
    monkeypatch.setattr(keeper_module.Keeper, "open", lambda self: None)


def proved(root: Path):
    """The report of a folder in which nothing is wrong."""
    folder = State(root).recordings
    report = verify(folder, folder_keys(folder))
    assert report.findings == []
    return report


def orders_of(addon, clock) -> Orders:
    return Orders(addon._records._database, clock)


async def both(orders: Orders, kind: str, what: dict) -> str:
    """An order that two people agreed on."""
    asked = await orders.ask(kind, what, "case 17", GRACE)
    await orders.agree(asked.id, LIN)
    return asked.id


def aged(root: Path, clock: SetClock) -> None:
    """Files are as old as the clock that wrote them, and not as the test."""
    for path in State(root).recordings.glob("????-??-??/*"):
        os.utime(path, (clock.now(), clock.now()))


async def test_shredding_takes_two_people_and_breaks_no_proof(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        first, orders = masked(1), orders_of(addon, clock)
        await exchange_through(addon, *first)
        order = await orders.ask("shred", ADA, "asked by the person", GRACE)
        assert await addon._records._keeper.carry_out() == 0, "one person alone"
        with pytest.raises(Refusal, match="Somebody else"):
            await orders.agree(order.id, GRACE)
        with pytest.raises(Refusal, match="Somebody else"):
            await orders.agree(order.id, Principal("grace", "https://another-idp"))
        await orders.agree(order.id, LIN)
        with pytest.raises(Refusal, match="is agreed"):
            await orders.agree(order.id, LIN)
        assert await addon._records._keeper.carry_out() == 1
        assert await addon._records._keeper.carry_out() == 0, "an order comes once"
        second = masked(2)
        await exchange_through(addon, *second)
    folder = State(tmp_path).recordings
    report = proved(tmp_path)
    (removal,) = [one for one in report.removals if one.kind == "shredded"]
    assert (removal.by, removal.files, removal.reason) == (("Grace", "Lin"), 1, "asked by the person")
    with pytest.raises(SealError, match=r"shredded by Grace and Lin on 2025-06-15 15:06 UTC"):
        unseal(folder, find(folder, first[1].id)[0], [ONE[0]])
    assert unseal(folder, find(folder, second[1].id)[0], [ONE[0]]).body, "later originals have another key"
    assert verify_one(folder, first[1].id, folder_keys(folder)).findings == []
    told = {number: dict(facts(folder, pair[1].id, "")) for number, pair in enumerate((first, second))}
    assert "shredded by Grace and Lin" in told[0]["original"] and "original" not in told[1]
    for path in (folder / "log").rglob("*"):
        assert not path.is_file() or b"Grace" not in path.read_bytes(), "the ledger names nobody"


async def test_a_key_that_goes_without_an_order_is_still_a_finding(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        pair, orders = masked(1), orders_of(addon, clock)
        await exchange_through(addon, *pair)
        await both(orders, "shred", {"subject": "somebody", "issuer": "https://idp"})
        await addon._records._keeper.carry_out()
    folder = State(tmp_path).recordings
    (key,) = (folder / "keys").iterdir()
    key.unlink()
    assert [one.file for one in verify(folder, folder_keys(folder)).findings] == [f"keys/{key.name}"]
    assert [one.file for one in verify_one(folder, pair[1].id, folder_keys(folder)).findings] == []


async def test_a_hold_wins_over_shredding_until_two_people_release_it(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        pair, orders = masked(1), orders_of(addon, clock)
        await exchange_through(addon, *pair)
        hold = await orders.ask("hold", {"exchange": pair[1].id}, "court", GRACE)
        await both(orders, "shred", {"subject": "ada", "issuer": "https://idp"})
        assert await addon._records._keeper.carry_out() == 2
        folder = State(tmp_path).recordings
        assert len(list((folder / "keys").iterdir())) == 1
        shred = next(order for order in await orders.list() if order.kind == "shred")
        (result,) = shred.document()["done"].values()
        assert (result["shredded"], result["held"], result["holds"]) == (0, 1, [hold.id])
        await orders.ask("release", {"hold": hold.id}, "over", GRACE)
        assert await addon._records._keeper.carry_out() == 0, "one person alone"
        await both(orders, "release", {"hold": hold.id})
        await both(orders, "shred", {"cls": "national-ids", "until": clock.now() + 7200})
        assert await addon._records._keeper.carry_out() == 2
        assert list((folder / "keys").iterdir()) == [] and in_force(folder) == []
    report = proved(tmp_path)
    assert [one.kind for one in report.removals] == ["held", "released", "shredded"]
    assert len(report.removals[0].by) == 1
    assert report.removals[1].by == report.removals[2].by == ("Grace", "Lin")


async def test_retention_ends_files_by_kind_and_the_index_forgets_them(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        await exchange_through(addon, *masked(1))
    aged(tmp_path, clock)
    clock.advance(10 * DAY)
    folder = State(tmp_path).recordings
    keep = {"flows": 20, "originals": 9}
    async with recorder(tmp_path, clock, recipients=RECIPIENTS, keep=keep) as addon:
        due = await addon._records._keeper.retain()
        assert sorted(Path(name).suffix for name in due.files) == [".age", ".sealed"]
        assert not list(folder.glob("*/*.sealed")) and not list(folder.glob("keys/*"))
        later = masked(2)
        await exchange_through(addon, *later)
        clock.advance(11 * DAY)
        due = await addon._records._keeper.retain()
        assert [Path(name).suffix for name in due.files if name.endswith(".flows")] == [".flows"]
        rows = await addon._records._database.read(lambda c: c.execute(select(exchanges.c.id)).scalars().all())
        assert later[1].id not in rows or len(rows) == 1
    report = proved(tmp_path)
    assert {one.why for one in report.removals} == {"retention"}
    assert report.counts["intent"] == 2, "the ledger is kept"


async def test_what_is_written_now_is_never_taken_away(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock, keep={"flows": 1, "intents": 1, "events": 1}) as addon:
        await exchange_through(addon, *live())
        clock.advance(400 * DAY)
        assert (await addon._records._keeper.retain()).files == [], "its segment is open"
    proved(tmp_path)


@pytest.mark.parametrize(
    ("what", "held"),
    [
        (ADA, True),
        ({"session": "session-1"}, True),
        ({"service": "chunks"}, True),
        ({"since": 0.0}, True),
        ({"until": 1_600_000_000.0}, False),
        ({"subject": "somebody-else", "issuer": "https://idp"}, False),
        ({**ADA, "session": "another"}, False),
    ],
)
async def test_a_hold_keeps_whole_segments_beyond_their_time(tmp_path, what, held):
    clock = SetClock()
    async with recorder(tmp_path, clock) as addon:
        await exchange_through(addon, *live())
    aged(tmp_path, clock)
    clock.advance(100 * DAY)
    async with recorder(tmp_path, clock, keep={"flows": 1, "intents": 1}) as addon:
        await orders_of(addon, clock).ask("hold", what, "court", GRACE)
        await addon._records._keeper.carry_out()
        due = await addon._records._keeper.retain()
        assert bool(due.held) is held and bool(due.files) is not held
    proved(tmp_path)


async def test_nothing_is_deleted_while_a_hold_cannot_be_read_or_orders_cannot(tmp_path, monkeypatch):
    clock = SetClock()
    async with recorder(tmp_path, clock) as addon:
        await exchange_through(addon, *live())
    aged(tmp_path, clock)
    clock.advance(100 * DAY)
    folder = State(tmp_path).recordings
    async with recorder(tmp_path, clock, keep={"flows": 1, "intents": 1}) as addon:
        keeper = addon._records._keeper
        (folder / "holds").mkdir()
        broken = folder / "holds" / "0.json"
        broken.write_bytes(b"{")
        with pytest.raises(ValueError):
            await keeper.retain()
        broken.unlink()

        async def down():
            raise OSError("the database is away")

        monkeypatch.setattr(keeper, "carry_out", down)
        monkeypatch.setattr(keeper_module, "LOOK_SECONDS", 0.0)
        running = asyncio.create_task(keeper._run())
        while not keeper._failing.get("orders cannot be carried out"):
            await asyncio.sleep(0)
        keeper._stop.set()
        await running
        assert list(folder.glob("*/*.flows"))


async def test_what_was_interrupted_is_finished_and_said_once(tmp_path):
    """Killed between the file of a hold and its entry, and between the entry of a shredding and its file."""
    clock = SetClock()
    async with recorder(tmp_path, clock, recipients=RECIPIENTS) as addon:
        pair, orders, keeper = masked(1), orders_of(addon, clock), addon._records._keeper
        await exchange_through(addon, *pair)
        await orders.ask("hold", {"session": "nobody's"}, "court", GRACE)
        enter = keeper._enter

        async def killed(*_args):
            raise OSError("killed")

        keeper._enter = killed
        with pytest.raises(OSError, match="killed"):
            await keeper.carry_out()
        keeper._enter = enter
        assert await keeper.carry_out() == 1
        await both(orders, "shred", ADA)

        async def killed_behind(*args):
            await enter(*args)
            raise OSError("killed")

        keeper._enter = killed_behind
        with pytest.raises(OSError, match="killed"):
            await keeper.carry_out()
        keeper._enter = enter
        assert await keeper.carry_out() == 1
        assert list((State(tmp_path).recordings / "keys").iterdir()) == []
    report = proved(tmp_path)
    assert report.counts["held"] == 1


async def test_a_key_that_was_shredded_in_the_segment_of_its_making_is_no_loss_after_a_kill(tmp_path):
    clock = SetClock()
    alive, killed = tmp_path / "alive", tmp_path / "killed"
    async with recorder(alive, clock, recipients=RECIPIENTS) as addon:
        await exchange_through(addon, *masked(1))
        await both(orders_of(addon, clock), "shred", ADA)
        await addon._records._keeper.carry_out()
        shutil.copytree(alive, killed)  # as a kill would have left it
    async with recorder(killed, clock, recipients=RECIPIENTS) as addon:
        await exchange_through(addon, *masked(2))
    assert list(proved(killed).removals)


async def test_an_order_that_nobody_agrees_to_is_over_after_a_week(tmp_path):
    clock = SetClock()
    async with recorder(tmp_path, clock) as addon:
        orders = orders_of(addon, clock)
        order = await orders.ask("shred", ADA, "why", GRACE)
        clock.advance(OPEN_SECONDS + 1)
        with pytest.raises(Refusal, match="expired"):
            await orders.agree(order.id, LIN)
        again = await orders.ask("shred", ADA, "why", GRACE)
        await orders.withdraw(again.id, GRACE)
        with pytest.raises(Refusal, match="withdrawn"):
            await orders.agree(again.id, LIN)
        assert [one.state for one in await orders.list()] == ["withdrawn", "expired"]
        assert await addon._records._keeper.carry_out() == 0


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"issuer": "x"},
        {"host": "x"},
        {"subject": 3},
        {"since": True},
        {"since": 2.0, "until": 1.0},
        {"subject": "\0"},
    ],
)
async def test_an_order_that_chooses_nothing_rightly_is_refused(tmp_path, what):
    async with recorder(tmp_path) as addon:
        orders = orders_of(addon, SetClock())
        for kind in ("hold", "shred", "release"):
            with pytest.raises(Refusal) as refused:
                await orders.ask(kind, what, "why", GRACE)
            assert refused.value.status in (400, 404)
        with pytest.raises(Refusal, match="reason"):
            await orders.ask("hold", ADA, "  ", GRACE)


@given(
    st.dictionaries(
        st.sampled_from(["subject", "issuer", "session", "service", "exchange", "cls", "since", "until", "x"]),
        st.none() | st.text(max_size=5) | st.floats() | st.integers() | st.booleans(),
    )
)
def test_a_selection_is_what_was_said_or_an_error(said):
    try:
        chosen = Selection.of(said)
    except ValueError as error:
        assert str(error)[-1] in ".!?"
        return
    assert Selection.of(chosen.document()) == chosen and str(chosen)
