"""What an insider does is found, what colleagues do is not, and what is found is the same in another order of gateways."""

from __future__ import annotations

import itertools

import pytest

from sluicegate.detection.habit import pack
from sluicegate.detection.indicators.walk import PART
from sluicegate.detection.watching import Learned
from sluicegate.exchange import OTHERS
from tests.detection.organisation import ADA, DAY, MONDAY, PEOPLE, Office

FRIDAY = MONDAY + 32 * DAY
NIGHT = FRIDAY + 3 * 3600
NOON = FRIDAY + 12 * 3600


@pytest.fixture(scope="module")
def weeks():
    """Five weeks of work; copy it with `after_weeks`."""
    return Office().work(32)


@pytest.fixture
def office(weeks):
    again = Office(seed=2)
    for name in ("people", "groups"):
        for key, state in getattr(weeks.watching, name).items():
            getattr(again.watching, name)[key] = type(state).of(state.plain())
    again.watching.budget = type(weeks.watching.budget).of(weeks.watching.budget.plain())
    return again


def test_colleagues_are_not_pointed_to(weeks):
    assert weeks.found == []
    assert all(weeks.watching.before(who, FRIDAY)[0] < 40 for who in PEOPLE)


def test_a_habit_is_small(weeks):
    assert max(len(pack(habit.plain())) for habit in weeks.watching.people.values()) < 14_000


def test_the_same_chunk_again_at_night(office):
    for number in range(6):
        office.do(NIGHT + number * 600, chunks=("7",), clear=("id", "ssn"))
    (night,) = [one for one in office.found if one.indicator == "night-repeat"]
    assert night.evidence["times"] == "4" and night.evidence["hour"] == "Fri 03h"
    assert night.score > night.line
    risk, known = office.watching.before(ADA, NIGHT + 7200)
    assert risk > 30 and "night-repeat" in known
    assert office.watching.before(ADA, NIGHT + 30 * DAY) == (pytest.approx(0, abs=risk / 8), frozenset())


def test_by_day_the_same_again_is_work(office):
    for number in range(30):
        office.do(NOON + number * 60, chunks=("7",))
    assert "night-repeat" not in office.indicators()


def test_who_works_at_night_is_not_found_for_it():
    office = Office()
    for day in range(33):
        for who in PEOPLE:
            shift = 22 * 3600 if who == ADA else 8 * 3600
            for number in range(10):
                office.do(MONDAY + day * DAY + shift + number * 600, who, chunks=(str(number % 4),), clear=("ssn",))
    assert "night-repeat" not in office.indicators()


def test_retries_at_night_are_nobodys_doing(office):
    for number in range(12):
        office.do(NIGHT + number * 20, chunks=("7",), status=503, rows=0, clear=())
    assert office.found == []


def test_the_zone_is_the_persons(weeks):
    office = Office(time_zones={"person:p0": "America/Los_Angeles", "group:eng": "UTC"})
    assert office.watching.weighing.zone(ADA, ("eng",)) == "America/Los_Angeles"
    assert office.watching.weighing.zone(PEOPLE[1], ("eng",)) == "UTC"


def test_chunk_after_chunk(office):
    for number in range(120):
        office.do(NOON + number * 5, chunks=(str(number),), clear=("id", "ssn"))
    assert {"walk", "breadth"} & office.indicators()


def test_more_columns_than_the_job_names_is_certain():
    office = Office()  # nothing is known of anybody yet
    assert office.do(MONDAY, job="letters", clear=("id", "email")) == []
    (found,) = office.do(MONDAY + 1, job="letters", clear=("id", "email", "ssn"))
    assert found.indicator == "beyond-job" and found.certain and found.evidence["columns"] == "ssn"
    assert office.do(MONDAY + 2, job="letters", clear=("id", "ssn"), rows=0) == []  # nothing was really returned


def test_columns_and_a_class_that_the_group_does_not_receive(office):
    office.do(NOON, chunks=("7",), clear=("id", "ssn", "salary", "iban"))
    assert "first-class" in office.indicators()


def test_while_habits_are_learned_at_first_nothing_is_said():
    office = Office().work(5)
    for number in range(60):
        office.do(MONDAY + 6 * DAY + 3 * 3600 + number, chunks=("7",), clear=("ssn",))
    assert office.found == []


def test_what_is_opened_to_others_needs_no_place(office):
    given = {"kind": "share", "rows": 0, "clear": (), "method": "PUT", "size": 0}
    office.do(NOON, status=403, **given)  # the service did not do it
    office.do(NOON + 60, refused="policy-denied", status=403, **given)
    assert "new-destination" not in office.indicators()
    found = office.do(NOON + 120, status=204, **given)
    (new,) = [one for one in found if one.indicator == "new-destination"]
    assert new.evidence["destination"] == "whoever may read customers" and new.score > new.line
    office.do(NOON + DAY, PEOPLE[1], status=204, **given)
    assert office.do(NOON + 120 + 60, status=204, **given) == []  # said once


def test_a_destination_that_nobody_used(office):
    given = {"kind": "export", "external": True, "rows": 0, "clear": ()}
    for who in PEOPLE[1:4]:
        office.do(NOON, who, destination="s3://partner/in", **given)
    first = [one.indicator for one in office.found]
    office.do(NOON + 5, destination="s3://partner/other", **given)
    assert first.count("new-destination") == 3  # on the same day it is new to each of them
    office.work(3, first=33)
    office.found.clear()
    office.do(NOON + 4 * DAY, PEOPLE[5], destination="s3://partner/in", **given)
    known = max((one.score for one in office.found), default=0.0)
    assert known <= 24  # the group knows it, but this person did not: a note where few alerts are spent, and no more
    office.do(NOON + 4 * DAY, PEOPLE[5], destination="s3://evil/in", **given)
    assert max(one.score for one in office.found if one.indicator == "new-destination") > known + 10


def test_collect_pack_send_remove(office):
    for number in range(40):
        office.do(NOON + number, chunks=(str(number),), clear=("ssn",), rows=500)
    upload = {
        "service": OTHERS,
        "dataset": None,
        "declared": False,
        "kind": "upload",
        "clear": (),
        "rows": 0,
        "method": "POST",
    }
    office.do(NOON + 100, destination="https://transfer.sh", external=True, sent=200_000, packed=True, **upload)
    office.do(NOON + 200, kind="admin", statements=("drop",), clear=(), rows=0)
    assert {"sequence", "copy-out"} <= office.indicators()
    longest = max((one for one in office.found if one.indicator == "sequence"), key=lambda one: len(one.detail))
    assert "collected, packed, sent" in longest.detail


def test_many_refusals(office):
    refused = {"refused": "policy-denied", "status": 403, "rows": 0, "clear": ()}
    for number in range(40):
        office.do(NOON + number, chunks=(str(number),), **refused)
    points = [one for one in office.watching.people[ADA].points if one.indicator == "probing"]
    assert points and office.found == []  # a script with a mistake in it: worth a note, and nothing by itself
    for day in range(3, 8):
        for number in range(3):
            office.do(FRIDAY + day * DAY + 15 * 3600 + number, dataset=f"d{day}-{number}", rules=("no",), **refused)
    assert "probing" in office.indicators()


def test_the_same_mistake_day_after_day_is_no_probing(office):
    for day in range(3, 15):
        for number in range(3):
            office.do(FRIDAY + day * DAY + 15 * 3600 + number, refused="policy-denied", status=403, rows=0, clear=())
    assert "probing" not in office.indicators()


def test_a_few_chunks_each_day_from_where_the_last_day_ended(office):
    for number in range(600):  # what others take of it makes it known as a large one
        office.do(NOON + number, PEOPLE[1 + number % 8], dataset="big", chunks=(f"c{number * 3}",), clear=("id",))
    office.found.clear()
    for day in range(3, 13):
        office.work(1, first=32 + day, people=(ADA,))  # with other work in between
        for number in range(2):
            at = FRIDAY + day * DAY + 15 * 3600 + number
            office.do(at, dataset="big", chunks=(f"c{5000 + day * 2 + number}",), clear=("id",))
    points = [one for one in office.watching.people[ADA].points if one.indicator == "walk"]
    assert max(one.score for one in points) >= 17 * PART  # columns without a class weigh 1, so that of 20 is the most
    others = office.watching.people[PEOPLE[2]].points
    assert not [one for one in others if one.indicator == "walk" and one.score > 10]


def test_random_reading_of_a_small_dataset_is_no_walk(office):
    for day in range(3, 17):
        for number in range(20):
            at = FRIDAY + day * DAY + 14 * 3600 + number * 60
            office.do(at, dataset="small", chunks=(str(office.random.randrange(120)),), clear=("id",))
    assert [one for one in office.watching.people[ADA].points if one.indicator == "walk"] == []


def test_the_same_chunk_night_after_night(office):
    for day in range(3, 10):
        office.do(FRIDAY + day * DAY + 3 * 3600, chunks=("7",), clear=("id", "ssn"))
        office.work(1, first=32 + day, people=(ADA,))
    nights = [one for one in office.found if one.indicator == "night-repeat" and "night after night" in one.detail]
    assert int(nights[-1].evidence["nights"].split()[0]) >= 3 and nights[-1].score > 30
    # It is said again only where it is stronger, and never becomes a habit within two weeks.
    assert all(one.score > other.score for other, one in itertools.pairwise(nights))


def test_who_exports_day_after_day_and_never_did_before_is_pointed_to_once_for_each_new_strength(office):
    for day in range(3, 17):
        office.work(1, first=32 + day)
        given = {"kind": "export", "external": True, "rows": 0, "clear": ()}
        office.do(FRIDAY + day * DAY + 15 * 3600, destination="s3://mine/x", **given)
    often = [one for one in office.found if one.indicator == "often-outside"]
    assert 1 <= len(often) < 6 and often[-1].score > 30


def test_what_other_rooms_found_and_results_of_others():
    office = Office()
    (told,) = office.do(MONDAY, told=(("session-shared", "one session, two machines"),))
    assert told.indicator == "session-shared" and told.certain
    assert office.do(MONDAY + 60, told=(("session-shared", "one session, two machines"),)) == []  # once a day
    (others,) = office.do(MONDAY, PEOPLE[1], others="it belongs to somebody else", refused="no-rule", status=403)
    assert others.indicator == "others-result"
    assert "session-shared" in office.watching.before(ADA, MONDAY + 60)[1]


def test_an_indicator_that_is_off_says_nothing():
    office = Office(off=["beyond-job"])
    assert office.do(MONDAY, job="letters", clear=("ssn",)) == []
    assert office.watching.before(ADA, MONDAY) == (0.0, frozenset())


def test_a_day_on_which_something_was_found_is_no_habit():
    office = Office(alerts_per_thousand=300).work(32)
    for day in range(10):
        for number in range(200):
            office.do(NOON + day * DAY + number, chunks=(str(number),), clear=("id", "ssn"), rows=2000)
    days = {int((one.at - MONDAY) // DAY) for one in office.found}
    assert len(days) >= 9  # they are found each day: it does not become usual


def test_an_event_that_comes_late_breaks_nothing(office):
    office.do(NOON, chunks=("1",))
    office.do(NOON - 40 * DAY, chunks=("2",))
    office.do(NOON + 1, chunks=("3",))
    assert office.watching.people[ADA].last == NOON + 1


def test_learned_again_on_top_of_a_newer_state_teaches_nobody_twice(office):
    groups = {name: peers.plain() for name, peers in office.watching.groups.items()}
    budget = office.watching.budget.plain()
    for number in range(50):
        office.watching.learn(Learned(office.event(NOON + 3 * DAY + number, chunks=(str(number),), clear=("ssn",))))
    assert {name: peers.plain() for name, peers in office.watching.groups.items()} == groups
    assert office.watching.budget.plain() == budget
    assert office.watching.people[ADA].day.rows == 1000


def test_two_people_who_share_a_dataset_out():
    office = Office(observe_days=0)
    chunks = list(range(600))
    office.random.shuffle(chunks)
    for number in range(0, 500, 2):  # everybody together makes the dataset's size known
        office.do(MONDAY + number, PEOPLE[3 + number % 6], chunks=(f"x{chunks[number]}",))
    for number in range(300):
        office.do(MONDAY + 9 * 3600 + number, PEOPLE[0], chunks=(f"x{chunks[number]}",))
        office.do(MONDAY + 9 * 3600 + number, PEOPLE[1], chunks=(f"x{chunks[300 + number]}",))
    late = [
        office.do(MONDAY + DAY + number * 60, who, chunks=(f"x{chunks[number % 290]}",))
        for number, who in enumerate(PEOPLE[:2] * 20)
    ]
    points = [point.indicator for who in PEOPLE[:2] for point in office.watching.people[who].points]
    assert "complement" in points, late
