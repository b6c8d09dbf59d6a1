"""What somebody would do who knows how people are watched: none of it makes anything count for less."""

from __future__ import annotations

import pytest

from sluicegate.detection.budget import Budget
from sluicegate.detection.day import Day
from sluicegate.detection.event import key
from sluicegate.detection.habit import Habit
from sluicegate.detection.look import Signal
from sluicegate.detection.taint.judge import Hits, judge
from sluicegate.exchange import OTHERS
from tests.detection.organisation import ADA, DAY, MONDAY, PEOPLE, Office

HOUR = 3600.0
LATE = MONDAY + 10 * DAY
EVIL = "https://evil.example"


def today(office) -> Day:
    return office.watching.people[ADA].day


def clocked(days: int = 10, **more) -> Office:
    office = Office()
    for hour in range(24 * days):
        office.do(MONDAY + hour * HOUR, chunks=("1",), **more)
    return office


def test_a_known_clock_does_not_count():
    office = clocked()
    office.do(LATE, chunks=("1",))
    assert today(office).rows == 0


@pytest.mark.parametrize("beside", [("1", "{hour}"), ("{hour}", "1")])
def test_what_is_asked_for_beside_what_a_clock_asks_for_counts(beside):
    office = Office()
    for hour in range(24 * 10 + 1):
        office.do(MONDAY + hour * HOUR, chunks=tuple(one.format(hour=100 + hour) for one in beside))
    assert today(office).rows == 20


def test_chunks_that_are_not_named_in_the_record_of_a_request_count():
    office = Office()
    names = tuple(map(str, range(100)))  # of more, a hundred are known by name: the others may differ each time
    for hour in range(24 * 10 + 1):
        office.do(MONDAY + hour * HOUR, chunks=names, chunk_count=101)
    assert today(office).rows == 20
    office = Office()
    for hour in range(24 * 10 + 1):
        office.do(MONDAY + hour * HOUR, chunks=names)
    assert today(office).rows == 0


def test_what_is_had_by_trying_again_counts():
    office = Office()
    for number in range(40):
        office.do(LATE + number * 60, chunks=(str(number),), status=429, rows=0, clear=())
        office.do(LATE + number * 60 + 2, chunks=(str(number),))
    day = today(office)
    assert day.rows == 40 * 20 and 38 <= len(day.chunks) <= 42 and day.walk == 40


def test_a_look_at_other_datasets_does_not_hide_how_far_somebody_is():
    habit = Habit()
    for day in range(20):
        taken = habit.coverage("customers", 739_000 + day)
        for number in range(10):
            taken.add(key(str(day), str(number)), 739_000 + day)
        runs = habit.walked("customers")
        for number in range(day * 10, day * 10 + 10):
            run = runs.step(number, day)
        for decoy in range(8):
            habit.coverage(f"decoy-{decoy}", 739_000 + day).add(decoy, 739_000 + day)
            habit.walked(f"decoy-{decoy}").step(decoy, day)
    assert habit.covered["customers"].whole(739_019).estimate > 180
    assert run.length == 200 and len(habit.covered) == len(habit.runs) == 4


def test_names_that_somebody_made_up_do_not_make_a_class_known():
    office = Office().work(20)
    at = MONDAY + 21 * DAY + 10 * HOUR
    for number in range(60):
        office.do(at + number, chunks=("1",), clear=("id", *(f"alias_{number}_{n}" for n in range(100))))
    found = office.do(at + 100, chunks=("1",), clear=("id", "ssn"))
    assert "first-class" in {one.indicator for one in found}


def test_a_place_is_new_to_whoever_was_refused_thousands_of_others():
    office = Office().work(20)
    at = MONDAY + 21 * DAY
    for number in range(3000):
        office.do(
            at + number, kind="export", external=True, destination=f"s3://decoy-{number}/x", status=403,
            refused="policy-denied", rows=0, clear=(),
        )  # fmt: skip
    day = at + DAY
    found = office.do(day, kind="export", external=True, destination="s3://my-own/x", rows=0, clear=("ssn",))
    assert "new-destination" in {one.indicator for one in found}


def row(rows: int = 1, strong: int = 0, place: str = EVIL, what: int = 0) -> tuple[Signal, ...]:
    signal = judge(Hits(rows, rows * 2 + strong, strong, what), "customers", place)
    return (signal,)


def sends(office: Office, at: float, asked: str, rows: int = 1, **more):
    event = office.event(
        at, service=OTHERS, dataset=None, kind="upload", method="POST", target="/in", asked=asked, external=True,
        destination=EVIL, rows=0, clear=(), sent=400,
    )  # fmt: skip
    return office.watching.after(event, row(rows, **more))


def taint_points(office: Office) -> list[float]:
    return [point.score for point in office.watching.people[ADA].points if point.indicator == "taint"]


def test_a_row_at_a_time_adds_up():
    office = Office().work(20)
    at = MONDAY + 21 * DAY + 10 * HOUR
    scores = []
    for number in range(4):
        found = [one for one in sends(office, at + number * HOUR, f"body {number}") if one.indicator == "taint"]
        scores += [(one.score, one.certain) for one in found]
    assert scores[-1] == (60.0, False)  # strong, and no proof: lists of strangers have a row in common by accident
    assert taint_points(office) == [26.0, 60.0]
    assert Day.unpacked(today(office).packed).pieces == today(office).pieces


def test_a_row_to_each_of_several_places_adds_up():
    office = Office().work(20)
    for number in range(40):  # more than anybody has hosts, and as many as a name server makes names
        sends(office, LATE + 11 * DAY + number, "b", place=f"https://h{number}.evil.example", what=number // 10 + 1)
    assert max(taint_points(office)) == 60.0 and len(today(office).pieces) == 1


def test_a_value_at_a_time_adds_up():
    office = Office().work(20)
    for number in range(12):
        sends(office, LATE + 11 * DAY + number, "the same body", rows=0, strong=1, what=number + 1)
    assert taint_points(office) == [28.0]  # grows: 24 with the third
    office = Office().work(20)
    for number in range(40):
        assert sends(office, LATE + 11 * DAY + number, f"b{number}", rows=0, strong=1, what=7 - number % 2) == []
    assert taint_points(office) == []  # two values, however often


def test_the_same_row_with_another_address_each_time_is_one():
    office = Office().work(20)
    for number in range(6):
        sends(office, LATE + 11 * DAY + number, f"body {number}", what=77)
    assert taint_points(office) == [26.0]


def test_the_same_row_again_and_again_is_one():
    office = Office().work(20)
    for number in range(6):
        sends(office, MONDAY + 21 * DAY + 10 * HOUR + number, "the same body")
    (point,) = [point for point in office.watching.people[ADA].points if point.indicator == "taint"]
    assert point.score == 26.0


def test_what_the_gateway_refuses_for_its_own_troubles_says_nothing_about_a_person():
    office = Office().work(20)
    for number in range(60):
        office.do(LATE + 11 * DAY + number, refused="not-looked-at", status=503, rows=0, clear=(), target=f"/{number}")
    assert "probing" not in office.indicators() and today(office).refusals == today(office).tried == 0
    for number in range(60):  # hosts on private addresses, say, are refused with 502
        office.do(LATE + 11 * DAY + 90 + number, refused="private", status=502, rows=0, clear=(), dataset=f"d{number}")
    assert "probing" in office.indicators()


def test_rows_of_other_days_are_not_added():
    office = Office().work(20)
    for number in range(3):
        sends(office, MONDAY + (21 + number) * DAY + 10 * HOUR, f"body {number}")
    points = [point for point in office.watching.people[ADA].points if point.indicator == "taint"]
    assert {point.score for point in points} == {26.0}


def test_a_clock_of_somebody_in_the_group_does_not_make_the_night_usual():
    office, poller = Office(), "https://idp.test poller"
    for day in range(32):
        for hour in range(24):
            office.do(MONDAY + day * DAY + hour * HOUR, poller, chunks=("1",))
        office.work(1, first=day)
    clock = office.watching.people[poller]
    assert clock.hours.total == 7 * 24  # until it was known as one
    night = MONDAY + 32 * DAY + 3 * HOUR
    for number in range(4):
        office.do(night + number * 60, chunks=("7",))
    assert "night-repeat" in office.indicators()


def says(office: Office, at: float, rows: int = 0, strong: int = 1, what: int = 0):
    """A message of a WebSocket."""
    event = office.event(at, service="chat", dataset="room", target="/live", asked=str(what), rows=0, clear=())
    return office.watching.after(event, row(rows, strong, "chat", what), part=True)


def test_a_value_in_each_of_several_messages_adds_up_and_makes_no_events_of_them():
    office = Office().work(20)
    begun = LATE + 11 * DAY
    office.do(begun, chunks=("1",))
    before = office.watching.people[ADA].rhythm.packed
    assert says(office, begun + 1, what=1) == says(office, begun + 2, what=2) == says(office, begun + 3, what=2) == []
    assert taint_points(office) == [] and office.watching.people[ADA].rhythm.packed == before
    assert today(office).rows == 20
    ahead = row(0, 1, "chat", 2), row(0, 1, "chat", 3)
    said = [[one.bits for one in office.watching.ahead(ADA, ("eng",), begun + 4, each)] for each in ahead]
    assert said == [[], [12.0]]  # before the third is sent
    (found,) = says(office, begun + 4, what=3)
    assert (found.indicator, found.score, found.evidence["requests of the day"]) == ("taint", 24.0, "3")


def test_values_that_are_sent_at_once_in_many_requests_add_up_before_they_go():
    office = Office().work(20)
    begun = LATE + 11 * DAY
    office.do(begun, chunks=("1",))
    said = [office.watching.ahead(ADA, ("eng",), begun + 1, row(0, 1, "chat", what)) for what in (1, 2, 2, 3, 4)]
    assert [bool(one) for one in said] == [False, False, False, True, True]  # none of them has been answered
    assert today(office).pieces == {} and taint_points(office) == []  # nor learned
    assert office.watching.ahead(PEOPLE[1], ("eng",), begun + 2, row(0, 1, "chat", 5)) == []
    assert office.watching.ahead(ADA, ("eng",), begun + DAY, row(0, 1, "chat", 5)) == []


def test_what_the_budget_would_not_let_be_found_is_not_said_ahead(monkeypatch):
    office = Office(observe_days=60).work(20)
    begun = LATE + 11 * DAY
    for number in (1, 2):
        says(office, begun + number, what=number)
    ahead = row(0, 1, "chat", 3)
    assert office.watching.ahead(ADA, ("eng",), begun + 4, ahead) == []  # still observing
    assert office.watching.ahead(ADA, ("eng",), begun + 4, row(1, 2, "chat", 3))  # evidence by itself
    office.watching.weighing = Office().watching.weighing
    assert office.watching.ahead(ADA, ("eng",), begun + 4, ahead)
    assert office.watching.ahead(ADA, ("eng",), begun + 4 + DAY, ahead) == []  # another day
    monkeypatch.setattr(Budget, "line", lambda self, per_thousand: 30.0)
    assert office.watching.ahead(ADA, ("eng",), begun + 4, ahead) == []


def test_values_in_messages_and_in_requests_add_up():
    office = Office().work(20)
    begun = LATE + 11 * DAY
    says(office, begun, what=1)
    sends(office, begun + 1, "a body", rows=0, strong=1, what=2)
    says(office, begun + 2, what=3)
    assert taint_points(office) == [24.0]
