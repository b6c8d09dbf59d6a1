"""What people take: counted by event time and the zone's day, kept over restarts, and bounded."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure, Operation, Principal
from sluicegate.policy import usage as counters
from sluicegate.policy.addon import PolicyAddon, UsageAddon
from sluicegate.policy.usage import SLOT, Usage, person_of
from sluicegate.policy.usage_kept import UsageKept
from sluicegate.settings import Loaded
from tests.databases import with_tables

ADA, EVE = Principal("ada", "i"), Principal("eve", "i")
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def read(*chunks, dataset="customers", **more):
    return Operation("chunks", "read", dataset=dataset, declared=True, chunks=chunks, column_scope="all", **more)


def test_people_and_datasets_are_counted_apart():
    usage = Usage()
    usage.asked(ADA, read("a", "b"), NOON)
    usage.asked(ADA, read("a"), NOON + 1)
    usage.left(ADA, read("a"), NOON + 1, 10, 1000)
    usage.asked(ADA, read(dataset="orders"), NOON)
    use = usage.of(ADA, NOON + 2)["customers", "UTC"]
    assert (use.chunks, use.rows, use.bytes, use.distinct) == (3, 10, 1000, {"a", "b"})
    assert usage.of(ADA, NOON)["orders", "UTC"].chunks == 1
    assert usage.of(EVE, NOON)["customers", "UTC"].chunks == 0
    assert usage.of(Principal("ada", "another"), NOON)["customers", "UTC"].chunks == 0


def test_a_day_ends_at_the_zones_midnight():
    usage = Usage()
    late = datetime(2026, 11, 26, 22, 50, tzinfo=UTC).timestamp()  # 23:50 in Berlin, 04:35 in Kathmandu
    usage.asked(ADA, read("a"), late)
    usage.asked(ADA, read("b"), late + 1800)  # 00:20 in Berlin
    taken = usage.of(ADA, late + 1800)
    counts = {zone: taken["customers", zone].chunks for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu")}
    assert counts == {"UTC": 2, "Europe/Berlin": 1, "Asia/Kathmandu": 2}
    usage.asked(ADA, read("c"), late)  # came late: it belongs to yesterday in Berlin
    assert usage.of(ADA, late + 1800)["customers", "Europe/Berlin"].chunks == 1
    assert usage.of(ADA, late + 1800)["customers", "UTC"].chunks == 3
    assert usage.of(ADA, late + 26 * 3600)["customers", "UTC"].chunks == 0


def test_several_datasets_count_all_that_left():
    usage = Usage()
    operation = read("a", parts=(read(dataset="orders"),))
    usage.asked(ADA, operation, NOON)
    usage.left(ADA, operation, NOON, 5, 50)
    taken = usage.of(ADA, NOON)
    assert [(taken[d, "UTC"].chunks, taken[d, "UTC"].rows) for d in ("customers", "orders")] == [(1, 5), (1, 5)]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(counters, "NAMES", 5)
    monkeypatch.setattr(counters, "DATASETS", 3)
    usage = Usage()
    usage.asked(ADA, read(*(f"c{n}" for n in range(9))), NOON)
    use = usage.of(ADA, NOON)["customers", "UTC"]
    assert (use.chunks, len(use.distinct), use.unnamed) == (9, 5, 4)
    for number in range(20):
        usage.asked(ADA, Operation("chunks", "read", dataset=f"made-up-{number}", column_scope="all"), NOON)
    assert len(usage._counts[person_of(ADA)]) == 4
    assert usage.of(ADA, NOON)["made-up-19", "UTC"].chunks == 18  # what is not told apart counts together
    usage.asked(EVE, read(), NOON + 3 * 86_400)
    assert list(usage._counts) == [person_of(EVE)]


async def test_a_restart_forgets_nothing_and_counts_nothing_twice(tmp_path):
    clock = SetClock(NOON)
    for start in range(3):
        database, usage = with_tables(tmp_path / "d.sqlite3"), Usage()
        kept = UsageKept(usage, database, clock)
        await database.open()
        await kept.open()
        use = usage.of(ADA, NOON)["customers", "UTC"]
        assert (use.chunks, use.rows, len(use.distinct)) == (2 * start, 7 * start, min(start, 1) * 1 + start)
        usage.asked(ADA, read("same", f"c{start}"), NOON)
        await kept.write()
        usage.left(ADA, read(), NOON, 7, 70)
        await kept.close()
        await database.close()


async def test_old_counts_go(tmp_path):
    clock = SetClock(NOON)
    database = with_tables(tmp_path / "d.sqlite3")
    await database.open()
    usage = Usage()
    kept = UsageKept(usage, database, clock)
    usage.asked(ADA, read("a"), NOON)
    await kept.write()
    clock.advance(2 * 86_400)
    usage.asked(ADA, read("b"), clock.now())
    await kept.write()
    later = Usage()
    await UsageKept(later, database, SetClock(NOON)).open()
    assert [list(slots) for d in later._before.values() for slots in d.values()] == [[int(clock.now() // SLOT)]]
    await database.close()


async def test_a_database_that_fails_is_tried_again(tmp_path, caplog):
    database = with_tables(tmp_path / "d.sqlite3")
    usage = Usage()
    kept = UsageKept(usage, database, SetClock(NOON))
    usage.asked(ADA, Operation("chunks", "read", dataset="\ud800\0", chunks=("\udfff",), column_scope="all"), NOON)
    await kept.write()
    await kept.write()
    assert caplog.text.count("cannot be written") == 1
    await database.open()
    await kept.write()
    again = Usage()
    await UsageKept(again, database, SetClock(NOON)).open()
    assert again.of(ADA, NOON)["\ud800\0", "UTC"].chunks == 1
    await database.close()


def addons(bench, *rules):
    usage = Usage()
    settings = bench({"effect": "allow", "id": "all"}, *rules).policy.settings
    policy = PolicyAddon(Loaded(settings, "d", None, {}), usage)
    return usage, policy, UsageAddon(usage, None, SetClock())


def exchange_of(operation, now=NOON):
    exchange = Exchange("1", now)
    exchange.principal, exchange.operation = ADA, operation
    return exchange


def test_the_fourth_chunk_of_three_is_denied(bench):
    budget = {"effect": "deny", "id": "enough", "budget": {"chunks": 3, "rows": 100}}
    _, policy, count = addons(bench, budget)
    for chunk in "abc":
        exchange = exchange_of(read(chunk))
        policy.request(None, exchange)
        count.request(None, exchange)
    with pytest.raises(Refusal) as caught:
        policy.request(None, exchange_of(read("d")))
    assert caught.value.rules == ("enough",)
    policy.request(None, exchange_of(read("d"), NOON + 86_400))


def test_rows_and_bytes_count_when_they_leave(bench):
    usage, policy, count = addons(bench, {"effect": "deny", "id": "enough", "budget": {"rows": 10}})
    exchange = exchange_of(read("a"))
    policy.request(None, exchange)
    exchange.exposure = Exposure(rows=10)
    count.response(SimpleNamespace(response=SimpleNamespace(raw_content=b"x" * 30)), exchange)
    assert usage.of(ADA, NOON)["customers", "UTC"].bytes == 30
    with pytest.raises(Refusal):
        policy.request(None, exchange_of(read("a")))
    exchange.exposure = None
    with pytest.raises(RuntimeError):
        count.response(SimpleNamespace(response=SimpleNamespace(raw_content=b"")), exchange)


def test_nothing_is_kept_of_anybody_without_budgets(bench):
    usage, policy, count = addons(bench)
    exchange = exchange_of(read("a"))
    policy.request(None, exchange)
    count.request(None, exchange)
    assert usage._counts == {} and usage.changed() == []


def test_report_rules_are_counted(bench):
    _, policy, _ = addons(bench, {"effect": "deny", "id": "trial", "mode": "report"})
    for _ in range(3):
        exchange = exchange_of(read("a"))
        policy.request(None, exchange)
    assert exchange.verdict.reported == ("trial",) and policy.reported == {"trial": 3}


async def test_several_gateways_count_together(tmp_path):
    """Two on one database: what one of them lets through counts at the other, once, and again when it is more."""
    database, clock = with_tables(tmp_path / "db.sqlite3"), SetClock(NOON)
    await database.open()
    here, there = Usage(), Usage()
    here.counting = there.counting = True
    kept = [UsageKept(usage, database, clock) for usage in (here, there)]
    for one in kept:
        await one.open()
    here.asked(ADA, read("a", "b"), NOON)
    there.asked(ADA, read("b", "c"), NOON)
    for _ in range(2):  # twice changes nothing
        for one in kept:
            await one.write()
        for one in kept:
            await one.take_up()
        for usage in (here, there):
            use = usage.of(ADA, NOON)["customers", "UTC"]
            assert (use.chunks, use.distinct) == (4, {"a", "b", "c"})
    here.asked(ADA, read("d"), NOON + SLOT)
    await kept[0].write()
    clock.advance(SLOT + 1)
    await kept[1].take_up()
    assert there.of(ADA, NOON + SLOT)["customers", "UTC"].chunks == 5
    for one in kept:
        await one.close()
    await database.close()


async def test_what_others_take_and_cannot_be_read_is_said_once_and_ends_nothing(tmp_path, caplog):
    database = with_tables(tmp_path / "db.sqlite3")
    await database.open()
    usage = Usage()
    usage.counting = True
    kept = UsageKept(usage, database, SetClock(NOON))
    await kept.open()
    usage.asked(ADA, read("a"), NOON)
    await database.close()
    await kept.take_up()
    await kept.take_up()
    assert len([line for line in caplog.records if "others take" in line.getMessage()]) == 1
    assert usage.of(ADA, NOON)["customers", "UTC"].chunks == 1
