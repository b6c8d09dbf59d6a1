"""What only saves time changes no outcome: each short cut beside the long way."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.detection.budget import BINS, Budget
from sluicegate.detection.covered import SLICE_DAYS, SLICES, Covered
from sluicegate.detection.day import local
from sluicegate.detection.event import key
from sluicegate.detection.indicators.complement import pairs_with
from sluicegate.detection.sketches.distinct import Distinct, together
from sluicegate.detection.sketches.spread import WORTH, Spread
from sluicegate.detection.surprise import bits, on_most_days
from sluicegate.detection.watching import WARMED
from tests.detection.organisation import ADA, DAY, MONDAY, PEOPLE, Office

KEYS = st.integers(0, 2**64 - 1)
COUNTS = st.floats(0.01, 1e6)


@given(st.lists(st.lists(KEYS, max_size=400), max_size=6))
def test_met_at_once_is_met_one_by_one(parts):
    at_once, singly = Distinct(), Distinct()
    for keys in parts:
        at_once.add_all(keys)
        for one in keys:
            singly.add(one)
        assert at_once.packed == singly.packed
        assert at_once.estimate == singly.estimate == Distinct(singly.packed).estimate


@pytest.mark.parametrize("sizes", [(), (0,), (5, 0, 7), (250, 250), (250, 250, 250, 250), (3000, 2), (9000, 20_000)])
def test_together_is_what_merging_gives(sizes):
    chance, parts = random.Random(3), []
    for size in sizes:
        parts.append(Distinct())
        parts[-1].add_all(chance.getrandbits(64) for _ in range(size))
    assert together(parts) == Distinct().merge(parts).estimate


@given(st.lists(st.tuples(st.integers(0, 4), KEYS, st.integers(0, 4), st.booleans()), max_size=60))
@example([(0, 1, 1, True), (0, 2, 1, False), (1, 3, 0, True), (3, 4, 2, False)])
def test_what_was_covered_is_that_of_the_last_slices_whenever_it_is_asked_for(steps):
    covered, met, number = Covered(), [], 0
    for later, one, ahead, put_together in steps:
        number += later
        covered.add(one, number * SLICE_DAYS)
        met.append((number, one))
        asked = number + ahead
        wanted = Distinct()
        wanted.add_all(one for when, one in met if asked - when < SLICES)
        if put_together:
            assert covered.whole(asked * SLICE_DAYS).registers == wanted.registers
        assert covered.size(asked * SLICE_DAYS) == wanted.estimate


@given(COUNTS, COUNTS, st.lists(st.tuples(st.integers(-1, 16), st.integers(0, 15)), max_size=5))
def test_counts_of_days_are_as_surprising_together_as_alone(a, b, counts):
    best = (0.0, 1, 1)
    for count, days in counts:
        if 0 < count <= days:
            base = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.lgamma(a + b + days)
            chance = sum(
                math.comb(days, n) * math.exp(base + math.lgamma(a + n) + math.lgamma(b + days - n))
                for n in range(count, days + 1)
            )
            best = max(best, (bits(chance), count, days))
    found = on_most_days(counts, (a, b))
    assert found[0] == pytest.approx(best[0], abs=1e-3)


def spreads():
    return st.builds(Spread, st.integers(0, 60), st.floats(0, 20), st.floats(0, 5))


@given(spreads(), spreads(), st.floats(0, 1e9), st.floats(0.9, 1.1))
def test_no_amount_below_the_bound_strays(own, group, amount, near):
    bound = own.bound(group)
    for one in (amount, bound * near if bound < 1e300 else amount):
        if one < bound:
            assert own.strays(one, group) < WORTH


@given(st.floats(9.5e8, 4e9), st.sampled_from(["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"]))
def test_the_hour_is_the_one_on_the_clock(at, zone):
    moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
    assert local(at, zone) == (moment.toordinal(), moment.weekday() * 24 + moment.hour)


@given(st.lists(st.tuples(st.floats(0, 70), st.floats(0, 70)), max_size=40))
def test_the_line_is_drawn_anew_when_something_is_counted(rises):
    budget = Budget()
    for number, (before, after) in enumerate(rises):
        budget.begin(number // 5)
        assert budget.line(50) == Budget.of(budget.plain()).line(50)
        budget.rise(before, after)
        for allowed in (50, 2, 900):
            assert budget.line(allowed) == Budget.of(budget.plain()).line(allowed)
    other = Budget.of([9, 3.0, [0.0] * (BINS - 1) + [5.0]])
    budget.line(2)
    budget.add(other, Budget())
    assert budget.line(2) == Budget.of(budget.plain()).line(2)


def test_columns_are_news_again_when_what_was_seen_begins_anew():
    office = Office()
    column = key("column", "customers", "ssn")
    for number in range(2):
        office.do(MONDAY + number, chunks=("1",), clear=("id", "ssn"))
    seen, chance = office.watching.people[ADA].seen, random.Random(1)
    while not seen.begun:
        seen.add(chance.getrandbits(64))
    assert column not in seen
    office.do(MONDAY + 5, chunks=("1",), clear=("id", "ssn"))
    assert column in seen


def covered_by(people: int) -> dict[str, Covered]:
    """Each has been through half of 600 chunks, so that some share all of it and others nothing."""
    found = {}
    for number in range(people):
        found[f"idp p{number}"] = covered = Covered()
        for chunk in range(300):
            covered.add(key(str((number * 100 + chunk) % 600)), 5)
    return found


@pytest.mark.parametrize("later", [0, 1, 2])
def test_who_is_compared_is_the_same_before_and_after_it_is_put_together(later):
    people = covered_by(30)
    day = 5 + later * SLICE_DAYS
    cold = pairs_with("idp p0", people, day, 600.0)
    for covered in people.values():
        covered.whole(day)
    assert cold and pairs_with("idp p0", people, day, 600.0) == cold


def test_what_people_have_is_put_together_a_few_at_a_time():
    office = Office()
    for number, who in enumerate(PEOPLE):
        office.do(MONDAY + number, who, chunks=("1",))
    watching = office.watching
    while watching.warm():
        pass
    assert not watching.cold
    office.do(MONDAY + 12 * DAY, ADA, chunks=("2",))
    turns = 1
    while watching.warm():
        turns += 1
    assert turns == math.ceil(len(PEOPLE) / WARMED)
    assert all(habit.covered["customers"]._late or who == ADA for who, habit in watching.people.items())
