"""The summaries: within their errors, whatever the order, the same after packing, and unmoved by broken packings."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.detection.budget import Budget
from sluicegate.detection.event import key
from sluicegate.detection.habit import Habit, pack, unpack
from sluicegate.detection.peers import Peers
from sluicegate.detection.recent import Past, Recent
from sluicegate.detection.rhythm import Rhythm
from sluicegate.detection.risk import MOST, Point, risk, weighed, with_point
from sluicegate.detection.runs import Runs, number_of
from sluicegate.detection.sketches.count_min import CountMin
from sluicegate.detection.sketches.distinct import Distinct
from sluicegate.detection.sketches.hours import Hours, oddness
from sluicegate.detection.sketches.seen import Seen
from sluicegate.detection.sketches.spread import Spread
from sluicegate.detection.sketches.tiers import Tiers
from sluicegate.detection.surprise import above_usual, at_least, at_most, bits, on_days, once, usual_days

KEYS = st.lists(st.integers(0, 40).map(lambda number: key("k", str(number))), max_size=200)


@given(KEYS)
def test_counts_are_never_too_low(keys):
    counter, true = CountMin(), {}
    for one in keys:
        true[one] = true.get(one, 0) + 1
        assert counter.add(one) >= true[one]
    again = CountMin(counter.packed)
    for one, count in true.items():
        assert again.add(one) == CountMin(counter.packed).add(one) >= count + 1


def test_counts_are_seldom_too_high_and_end_at_their_bound():
    counter = CountMin()
    for number in range(400):
        counter.add(key("x", str(number)))
    high = sum(counter.add(key("x", str(number))) > 2 for number in range(400))
    assert high < 40
    one = key("one")
    for _ in range(70_000):
        last = counter.add(one)
    assert last == 65_535


@pytest.mark.parametrize("count", [0, 1, 50, 256, 257, 1000, 20_000])
def test_different_things_are_counted_within_their_error(count):
    sketch = Distinct()
    for number in range(count):
        sketch.add(key("thing", str(number)))
        if number % 3 == 0:
            assert not sketch.add(key("thing", str(number)))
    assert abs(len(sketch) - count) <= max(2, 0.12 * count)
    assert len(Distinct(sketch.packed)) == len(sketch)
    assert math.isclose(Distinct(sketch.packed).estimate, sketch.estimate)


def test_merged_summaries_are_those_of_all():
    one, other, both = Distinct(), Distinct(), Distinct()
    for number in range(3000):
        (one if number % 2 else other).add(key(str(number)))
        both.add(key(str(number)))
    assert one.merge([other]).registers == both.registers


@given(st.binary(max_size=2000))
def test_a_broken_packing_is_no_error(data):
    for kind in (CountMin, Distinct, Seen, Hours):
        again = kind(data)
        assert isinstance(again.packed, bytes)
    Distinct(data).add(7)
    assert Distinct(data).estimate >= 0
    with pytest.raises(ValueError, match=r"."):
        Habit.of(unpack(data))


def test_what_was_seen_is_known_and_what_was_not_hardly_ever():
    seen = Seen()
    assert all(seen.add(key("a", str(number))) for number in range(3))
    for number in range(300):
        seen.add(key("a", str(number)))
    assert not any(seen.add(key("a", str(number))) for number in range(300))
    assert sum(key("b", str(number)) in seen for number in range(2000)) < 20
    assert key("a", "7") in Seen(seen.packed)


def test_a_habit_strays_upwards_only_where_there_is_more():
    own, group = Spread(), Spread()
    assert own.strays(1e9, group) == 0.0  # nothing known, nothing strange
    for day in range(30):
        own.learn(100 + day % 7)
        group.learn(1000)
    assert own.strays(100, group) < 1 < own.strays(10_000, group)
    assert own.strays(10, group) < 0
    newcomer = Spread()
    assert newcomer.strays(1000, group) == pytest.approx(0, abs=0.1)  # their group's habit is theirs
    assert Spread.unpacked(own.packed).strays(5000, group) == own.strays(5000, group)
    assert Spread.unpacked("nonsense").days == 0


def test_hours_at_which_nobody_works_are_odd_and_the_others_are_not():
    own, group = Hours(), Hours()
    for _ in range(4):
        for day in range(5):
            for hour in range(8, 17):
                own.learn(day * 24 + hour)
                for _again in range(10):
                    group.learn(day * 24 + hour)
    odd = oddness(own.shares(group))
    assert odd[24 + 3] > 6 and odd[6 * 24 + 12] > 6
    assert not any(odd[day * 24 + hour] for day in range(5) for hour in range(8, 17))
    assert own.usual(10) and not own.usual(3)
    assert math.isclose(math.fsum(own.shares(group)), 1)
    assert all(oddness(Hours().shares())[hour] == 0 for hour in range(168))  # nothing known: no hour is odd


def test_bits_fall_with_probability_and_never_leave_their_range():
    assert bits(1) == 0 and bits(0.5) == 1 and bits(0) == 20 and bits(-1) == 20 and bits(7) == 0
    assert above_usual(-3) == 0 and above_usual(0) == 0
    steps = [above_usual(strays / 2) for strays in range(200)]
    assert steps == sorted(steps) and steps[-1] <= 20
    assert above_usual(2) == pytest.approx(-math.log2(0.0580583), abs=0.001)  # Student's t, 4 degrees of freedom
    assert at_least(0, 5) == 0 and at_least(5, 5) < 2 < at_least(20, 5) and at_least(10_000, 1) == 20
    assert at_most(0, 0.1) < 1 < at_most(0, 10) and at_most(10, 10) < 2


def test_risk_fades_and_many_weak_points_are_no_strong_one():
    point = Point("walk", "d", 1, 0.0, 40.0)
    assert risk([point], 0, 100) == 40 and risk([point], 100, 100) == 20 and risk([], 0, 100) == 0
    assert risk([point], -50, 100) == 40  # an event that came late does not raise anything
    assert weighed([8.0] * 24) < 8 * 2.7
    assert risk([point._replace(about=str(n), score=60.0) for n in range(24)], 0, 100) == MOST


def test_the_same_thing_counts_once_a_day_and_the_weakest_goes():
    points = []
    assert with_point(points, Point("walk", "d", 1, 0.0, 10.0))
    assert not with_point(points, Point("walk", "d", 1, 5.0, 9.0))
    assert with_point(points, Point("walk", "d", 1, 6.0, 12.0)) and len(points) == 1
    for number in range(40):
        with_point(points, Point("volume", str(number), 1, 6.0, 20.0 + number))
    assert len(points) == 24 and min(one.score for one in points) > 12


def test_known_clocks_say_nothing_and_new_clocks_and_retries_do():
    rhythm = Rhythm()
    assert not rhythm.meet(1, 0.0, failed=True)
    # Tries again are no beats: nothing else would have been a clock, and what they bring is news.
    assert not rhythm.meet(1, 10.0, failed=True) and not rhythm.meet(1, 20.0, failed=False)
    assert Rhythm.unpacked(rhythm.packed).packed[0][3] == 0
    assert not rhythm.meet(1, 25.0, failed=False)  # the last one did not fail
    assert not rhythm.meet(2, 0.0, failed=True) and not rhythm.meet(2, 500.0, failed=False)
    said = [rhythm.meet(3, minute * 3600.0, failed=False) for minute in range(24 * 8)]
    assert not any(said[: 24 * 7]) and all(said[24 * 7 + 1 :])  # a clock is a habit once it is a week old
    wild = random.Random(4)
    at = 0.0
    for _ in range(400):
        at += wild.random() * 4000
        assert not rhythm.meet(4, at, failed=False)
    for other in range(300):
        rhythm.meet(1000 + other, at, failed=False)
    assert len(rhythm.packed) == 200 and Rhythm.unpacked(rhythm.packed).packed == rhythm.packed


def test_who_meets_very_many_things_has_them_all_for_new_again():
    seen, wild = Seen(), random.Random(6)
    for _ in range(20_000):
        seen.add(wild.getrandbits(64))
        assert seen._bits.bit_count() <= 2048 + 4  # so at most one new thing of sixteen is taken for known
    fresh = [seen.add(wild.getrandbits(64)) for _ in range(300)]
    assert sum(fresh) > 270


def test_the_budget_draws_the_line_where_so_many_days_lie_above():
    budget, wild = Budget(), random.Random(5)
    for day in range(1, 31):
        for _ in range(100):
            budget.begin(day)
            budget.rise(0.0, wild.expovariate(1 / 6))
    ten, two, half = (budget.line(number) for number in (10, 2, 0.5))
    assert 10 <= ten < two < half
    above = sum(wild.expovariate(1 / 6) > ten for _ in range(20_000)) / 20
    assert 4 < above < 20  # of 1,000
    assert Budget().line(2) == 10  # nothing known yet
    assert Budget.of(budget.plain()).line(2) == two


def test_budgets_of_two_gateways_add_up():
    base = Budget()
    base.begin(5)
    here, there = Budget.of(base.plain()), Budget.of(base.plain())
    for _ in range(4):
        here.begin(5)
        there.begin(5)
    there.rise(0.0, 30.0)
    there.add(here, base)
    assert sum(there.plain()[2]) == 9 and there.plain()[2][60] == 1


def test_packed_states_are_small_and_the_same_again():
    habit = Habit()
    assert Habit.of(unpack(pack(habit.plain()))).plain() == habit.plain()
    assert Peers.of(unpack(pack(Peers().plain()))).plain() == Peers().plain()
    for broken in ([], [9], None, [1, *[0] * 12], habit.plain()[:-1], [1, *habit.plain()[1:]]):
        with pytest.raises(ValueError, match=r"."):
            Habit.of(broken)
    with pytest.raises(ValueError, match=r"."):
        unpack(pack(habit.plain())[:-4])


def test_merged_summaries_are_what_all_keys_together_give():
    chance = random.Random(5)
    for sizes in ((3, 0), (400, 5), (2000, 3000), (30_000, 1)):
        one, other, both = Distinct(), Distinct(), Distinct()
        for sketch, size in zip((one, other), sizes, strict=True):
            for _ in range(size):
                thing = chance.getrandbits(64)
                sketch.add(thing)
                both.add(thing)
        merged = one.merge([other])
        assert merged.registers == both.registers and math.isclose(merged.estimate, both.estimate)
        assert one.merge([]).registers == one.registers


def test_registers_that_no_key_can_have_set_count_as_nothing():
    assert len(Distinct(b"\xff" * 1024)) == 0 and len(Distinct(b"\x00\x01\xff")) == 0


def test_half_of_all_counts_is_forgotten():
    counter, twin = CountMin(), CountMin()
    for number in range(9):
        for _ in range(number):
            counter.add(key("x", str(number)))
    counter.halve()
    assert array("H", counter.packed).tolist() == [count >> 1 for count in array("H", _counted(twin).packed).tolist()]


def _counted(counter):
    for number in range(9):
        for _ in range(number):
            counter.add(key("x", str(number)))
    return counter


def test_days_by_powers_of_two():
    tiers = Tiers()
    for amount in (0, 0, 0, 1, 5, 40):
        tiers.learn(amount)
    assert tiers.days == 6 and [tiers.like(amount) for amount in (0, 1, 4, 33, 64, 10**9)] == [6, 3, 2, 1, 0, 0]
    assert Tiers.unpacked(tiers.packed).packed == tiers.packed
    assert Tiers.unpacked(None).days == Tiers.unpacked([1.0]).days == 0
    for _ in range(1000):
        tiers.learn(2)
    assert tiers.days <= 200


def test_on_more_days_than_usual():
    never = usual_days(0, 20, 10, 1000)
    assert 6 < once(never) < 9
    rising = [on_days(count, count, never) for count in range(1, 6)]
    assert rising == sorted(rising) and rising[2] > 14
    assert math.isclose(on_days(1, 1, never), once(never))
    assert on_days(3, 14, usual_days(4, 20, 10, 1000)) < 3  # who does it every week
    assert on_days(0, 5, never) == on_days(6, 5, never) == 0
    # What few of a group do at all is no proof against the first of the others, however long they did not.
    assert once(usual_days(0, 10_000, 3, 10_000)) < 18


def test_a_day_is_usual_when_two_weeks_lie_behind_it():
    recent = Recent()
    for day in range(1, 14):
        assert recent.over(Past(day, 1, 1 << day, False), day + 1) == []
    assert (
        recent.days == 0 and recent.counts(0)[-1] == (14, 14) and recent.counts(1) == [(1, 1), (1, 3), (1, 7), (1, 14)]
    )
    (usual,) = recent.over(Past(14, 0, 0, False), 15)
    assert usual.number == 1 and recent.days == 1 and recent.known[0] == 1
    assert Recent.unpacked(recent.packed).packed == recent.packed
    assert [one.number for one in recent.over(Past(15, 0, 0, False), 60)] == list(range(2, 16))  # long ago is long ago
    assert recent.over(Past(61, 1, 0, True), 95) == [] and recent.days == 15  # a day with a finding never is


def test_walks_over_days_and_between_other_work():
    runs = Runs()
    for day in range(1, 6):
        for number in range(3):
            run = runs.step(100 + day * 3 + number, day)
            runs.step(day * 1000 + number * 50, day)
    assert (run.low, run.high, run.since, run.today) == (103, 117, 4, 3)
    assert Runs.unpacked(runs.packed).packed == runs.packed and len(runs.runs) <= 8
    backwards = Runs()
    assert [backwards.step(number, 1).length for number in (9, 8, 7, 7, 8)] == [1, 2, 3, 3, 3]
    one = Runs()
    one.step(5, 1)
    assert one.step(6, 2).since == 0  # a single neighbour of yesterday's is an accident
    assert [number_of(name) for name in ("17", "part-0042.parquet", "none", "9" * 16, "a7b")] == [17, 42, -1, -1, 7]
