"""What it takes to approve: so many people, none too close, freshly signed in, with a reason; and what a yes is good for.

Among these are the holes that others have had: an admin's yes to their own request, groups counted for people, a person
in two groups who makes a quorum unreachable, and a window that starts anew shortly before its end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from sluicegate.approvals.difference import differences
from sluicegate.approvals.hold import Hold, hold_of
from sluicegate.approvals.people import Requester, conflict, named
from sluicegate.approvals.store import Store
from sluicegate.approvals.terms import document, read
from sluicegate.clock import SetClock
from sluicegate.database import Database, events
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Operation, Principal, Terms, Verdict
from sluicegate.settings.model import Approvals

IDP = "https://idp"
ADA = Principal("ada", IDP, groups=frozenset({"engineering", "team-red", "oncall"}), name="Ada")
LINUS = Principal("linus", IDP, groups=frozenset({"data-stewards"}), name="Linus")
MARGARET = Principal("margaret", IDP, groups=frozenset({"data-stewards", "privacy"}), name="Margaret")
KATHERINE = Principal("katherine", IDP, groups=frozenset({"privacy"}), name="Katherine")
BOTH = ("group:data-stewards", "group:privacy")
SETTINGS = Approvals()


def hold(number: int = 0, by: Principal = ADA, approvers: tuple[str, ...] = BOTH, **terms: Any) -> Hold:
    exchange = Exchange(
        id=f"exchange-{number}",
        started=0.0,
        method="POST",
        scheme="https",
        host="chunks",
        port=443,
        target="/exports",
        principal=by,
        operation=Operation("chunks", "export", dataset="customers", columns=("id",), destination="s3://b"),
        verdict=Verdict("hold", ("r",), ("Why.",), approvers=approvers, terms=Terms(**terms)),
    )
    return hold_of(exchange, (("content-type", "application/json"),), b'{"n": %d}' % number)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest_asyncio.fixture
async def database(database_at: Callable[[], Database]) -> AsyncIterator[Database]:
    database = database_at()
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database, clock: SetClock) -> Store:
    return Store(database, SETTINGS, clock)


async def code_of(doing: Any) -> str:
    with pytest.raises(Refusal) as caught:
        await doing
    return f"{caught.value.status} {caught.value.code}"


async def told(database: Database) -> list[str]:
    """The kinds of the events that were told, in order."""
    return [event.kind for event in await database.read(events.waiting)]


# --- quorum


async def test_two_people_are_two_people(store: Store, database: Database) -> None:
    asked = await store.ask(hold(quorum=2))
    first = await store.decide(asked.id, LINUS, True)
    assert (first.state, first.yes, first.uses_left) == ("pending", 1, 0)
    assert await store.redeem(asked.fingerprint, "x") is None
    second = await store.decide(asked.id, KATHERINE, True, "fine")
    assert (second.state, second.yes, second.decided_by) == ("approved", 2, "Linus, Katherine")
    assert await store.redeem(asked.fingerprint, "x") == asked.id
    assert await told(database) == ["approval.asked", "approval.seconded", "approval.approved", "approval.used"]


async def test_one_person_in_two_groups_is_one_person(store: Store) -> None:
    asked = await store.ask(hold(quorum=2))
    await store.decide(asked.id, MARGARET, True)
    assert await code_of(store.decide(asked.id, MARGARET, True)) == "409 already-said"
    in_other_groups = replace(MARGARET, groups=frozenset({"privacy"}), name="Maggie", issuer="https://other")
    assert await code_of(store.decide(asked.id, in_other_groups, True)) == "409 already-said"
    assert (await store.show(asked.id, LINUS)).state == "pending"


async def test_a_person_in_two_groups_does_not_make_it_unreachable(store: Store) -> None:
    asked = await store.ask(hold(quorum=1))
    assert (await store.decide(asked.id, MARGARET, True)).state == "approved"
    other = await store.ask(hold(1, quorum=2))
    await store.decide(other.id, MARGARET, True)
    assert (await store.decide(other.id, LINUS, True)).state == "approved"


async def test_one_no_ends_it_whatever_others_said(store: Store) -> None:
    asked = await store.ask(hold(quorum=3))
    await store.decide(asked.id, LINUS, True)
    assert (await store.decide(asked.id, KATHERINE, False, "no")).state == "denied"
    assert await code_of(store.decide(asked.id, MARGARET, True)) == "409 already-decided"
    assert await store.redeem(asked.fingerprint, "x") is None


async def test_who_said_yes_may_still_say_no(store: Store) -> None:
    asked = await store.ask(hold(quorum=2))
    await store.decide(asked.id, LINUS, True)
    denied = await store.decide(asked.id, LINUS, False, "I looked again")
    assert (denied.state, [(v.subject, v.approve) for v in denied.votes]) == ("denied", [("linus", False)])


async def test_yeses_of_a_request_that_expired_do_not_count_for_the_next(store: Store, clock: SetClock) -> None:
    asked = await store.ask(hold(quorum=2))
    await store.decide(asked.id, LINUS, True)
    clock.advance(SETTINGS.pending_seconds)
    assert await code_of(store.decide(asked.id, KATHERINE, True)) == "409 approval-expired"
    again = await store.ask(hold(quorum=2))
    assert again.id != asked.id
    assert (await store.decide(again.id, KATHERINE, True)).state == "pending"


async def test_many_at_once_are_counted_once_each(store: Store) -> None:
    asked = await store.ask(hold(quorum=5))
    people = [replace(LINUS, subject=f"s{number % 5}") for number in range(40)]
    done = await asyncio.gather(*(store.decide(asked.id, p, True) for p in people), return_exceptions=True)
    approvals = [one for one in done if not isinstance(one, BaseException)]
    assert len(approvals) == 5
    assert [one.state for one in approvals].count("approved") == 1
    assert {one.code for one in done if isinstance(one, Refusal)} <= {"already-said", "already-decided"}


# --- who


@pytest.mark.parametrize("groups", [{"data-stewards"}, {"data-stewards", "privacy", "admin", "operators"}])
async def test_an_admin_does_not_approve_their_own_request(store: Store, groups: set[str]) -> None:
    admin = replace(ADA, groups=frozenset(groups))
    asked = await store.ask(hold(by=admin, quorum=2, break_glass=()))
    assert await code_of(store.decide(asked.id, admin, True)) == "403 own-request"
    await store.decide(asked.id, LINUS, True)
    assert await code_of(store.decide(asked.id, admin, True)) == "403 own-request"


async def test_a_machine_approves_nothing(store: Store) -> None:
    asked = await store.ask(hold())
    robot = replace(LINUS, kind="machine")
    assert await code_of(store.decide(asked.id, robot, True)) == "404 approval-unknown"
    assert not named(robot, ("person:linus", "group:data-stewards"))


@pytest.mark.parametrize(
    ("conflicts", "groups", "relations", "ends"),
    [
        ((), {"team-red"}, {}, ""),
        (("group:team-*",), {"team-red", "x"}, {}, "both in team-red."),
        (("group:team-*",), {"team-blue"}, {}, ""),
        (("group:team-*",), {"Team-red"}, {}, ""),
        (("claim:manager",), set(), {"manager": "mia"}, "same manager (mia)."),
        (("claim:manager",), set(), {"manager": "noa"}, ""),
        (("claim:manager",), set(), {}, "a token does not say."),
        (("claim:team",), set(), {"manager": "noa", "team": "x"}, "a token does not say."),
        (("nonsense",), set(), {"manager": "noa"}, "a token does not say."),
        (("group:team-*", "claim:manager"), set(), {"manager": "mia"}, "same manager (mia)."),
    ],
)
def test_conflicts(conflicts: tuple[str, ...], groups: set[str], relations: dict[str, str], ends: str) -> None:
    asked = Requester("ada", frozenset({"team-red", "engineering"}), frozenset({("manager", "mia")}))
    person = Principal("linus", IDP, groups=frozenset(groups), relations=frozenset(relations.items()))
    said = conflict(asked, person, conflicts)
    assert said.endswith(ends) and bool(said) == bool(ends)


async def test_who_is_too_close_may_look_and_not_decide(store: Store) -> None:
    asked = await store.ask(hold(conflicts=("group:team-*",)))
    close = replace(LINUS, groups=LINUS.groups | {"team-red"})
    assert (await store.show(asked.id, close)).conflict_with(close)
    for yes in (True, False):
        assert await code_of(store.decide(asked.id, close, yes, "x")) == "403 conflict"
    assert (await store.decide(asked.id, LINUS, True)).state == "approved"


async def test_closeness_is_that_of_when_it_was_asked(store: Store) -> None:
    asked = await store.ask(
        hold(by=replace(ADA, relations=frozenset({("manager", "mia")})), conflicts=("claim:manager",))
    )
    same = replace(LINUS, relations=frozenset({("manager", "mia"), ("manager", "noa")}))
    assert await code_of(store.decide(asked.id, same, True)) == "403 conflict"


@pytest.mark.parametrize(("age", "passes"), [(0, True), (300, True), (300.001, False), (None, False)])
async def test_a_fresh_sign_in(store: Store, clock: SetClock, age: float | None, passes: bool) -> None:
    asked = await store.ask(hold(fresh_seconds=300.0))
    person = replace(LINUS, authenticated=None if age is None else clock.now() - age)
    if passes:
        assert (await store.decide(asked.id, person, True)).state == "approved"
    else:
        with pytest.raises(Refusal) as caught:
            await store.decide(asked.id, person, True)
        assert (caught.value.code, caught.value.members) == ("sign-in-not-fresh", {"max_age": 300})
        assert (await store.decide(asked.id, person, False, "no")).state == "denied", "a no is safe"


async def test_a_reason_where_the_rule_wants_one(store: Store) -> None:
    asked = await store.ask(hold(reason=True))
    assert await code_of(store.decide(asked.id, LINUS, True, " ")) == "400 reason-required"
    assert (await store.decide(asked.id, LINUS, True, "incident 4711")).state == "approved"


# --- what a yes is good for


async def test_a_window_is_so_many_uses_until_an_absolute_time(
    store: Store, clock: SetClock, database: Database
) -> None:
    asked = await store.ask(hold(uses=3, grant_seconds=100.0))
    granted = await store.decide(asked.id, LINUS, True)
    end = clock.now() + 100.0
    assert (granted.uses_left, granted.grant_until) == (3, end)
    assert await store.redeem(asked.fingerprint, "a") == asked.id
    clock.advance(99.0)
    assert await store.redeem(asked.fingerprint, "b") == asked.id
    # One second before the end is one second: nothing starts anew.
    assert (await store.show(asked.id, LINUS)).grant_until == end
    clock.advance(0.999)
    assert (await store.show(asked.id, LINUS)).state == "approved"
    clock.advance(0.001)
    assert await store.redeem(asked.fingerprint, "c") is None
    assert (await store.ask(hold(uses=3, grant_seconds=100.0))).state == "pending"
    assert await told(database) == [
        "approval.asked", "approval.approved", "approval.used", "approval.used", "approval.expired", "approval.asked",
    ]  # fmt: skip


async def test_of_100_at_once_a_window_of_7_lets_7_through(store: Store) -> None:
    asked = await store.ask(hold(uses=7))
    await store.decide(asked.id, LINUS, True)
    won = await asyncio.gather(*(store.redeem(asked.fingerprint, f"x{n}") for n in range(100)))
    assert sum(one is not None for one in won) == 7
    assert (await store.show(asked.id, LINUS)).state == "used"


@pytest.mark.parametrize("person", [ADA, LINUS])
async def test_a_grant_is_taken_back(store: Store, database: Database, person: Principal) -> None:
    asked = await store.ask(hold(uses=5))
    assert await code_of(store.revoke(asked.id, person, "x")) == "409 nothing-to-revoke"
    await store.decide(asked.id, LINUS, True)
    await store.redeem(asked.fingerprint, "a")
    assert (await store.revoke(asked.id, person, "wrong bucket")).state == "revoked"
    assert await store.redeem(asked.fingerprint, "b") is None
    assert await code_of(store.revoke(asked.id, person, "x")) == "409 nothing-to-revoke"
    assert (await told(database))[-1] == "approval.revoked"


async def test_operators_revoke_what_is_not_theirs_and_others_do_not(store: Store) -> None:
    asked = await store.ask(hold())
    await store.decide(asked.id, LINUS, True)
    stranger = Principal("olga", IDP)
    assert await code_of(store.revoke(asked.id, stranger, "x")) == "404 approval-unknown"
    assert await code_of(store.revoke(asked.id, stranger, "", operator=True)) == "400 reason-required"
    assert (await store.revoke(asked.id, stranger, "leaver", operator=True)).state == "revoked"


async def test_an_own_request_is_withdrawn(store: Store, database: Database) -> None:
    asked = await store.ask(hold())
    assert await code_of(store.withdraw(asked.id, LINUS)) == "403 not-your-request"
    assert (await store.withdraw(asked.id, ADA)).state == "withdrawn"
    assert await code_of(store.withdraw(asked.id, ADA)) == "409 already-decided"
    assert await code_of(store.decide(asked.id, LINUS, True)) == "409 already-decided"
    assert await told(database) == ["approval.asked", "approval.withdrawn"]
    assert (await store.ask(hold())).id != asked.id


# --- broken glass

EMERGENCY = "The payments are down and this restores them."


async def test_broken_glass_passes_once_and_is_told_and_reviewed(store: Store, database: Database) -> None:
    asked = await store.ask(hold(break_glass=("group:oncall",), uses=9, quorum=3))
    broken = await store.break_glass(asked.id, ADA, EMERGENCY)
    assert (broken.state, broken.uses_left, broken.decided_by, broken.unreviewed) == (
        "approved", 1, "Ada (glass broken)", True,
    )  # fmt: skip
    assert await store.redeem(asked.fingerprint, "x") == asked.id
    for person in (ADA, replace(ADA, groups=frozenset({"data-stewards"}))):
        assert await code_of(store.review(asked.id, person, True, "all good")) == "403 may-not-review"
    assert await code_of(store.review(asked.id, LINUS, True, "")) == "400 reason-required"
    reviewed = await store.review(asked.id, LINUS, False, "It could have waited.")
    assert reviewed.glass is not None
    assert (reviewed.glass.accepted, reviewed.glass.reviewed_by, reviewed.unreviewed) == (False, "Linus", False)
    assert await code_of(store.review(asked.id, MARGARET, True, "fine")) == "409 already-reviewed"
    assert await told(database) == ["approval.asked", "approval.broken_glass", "approval.used", "approval.reviewed"]


async def test_who_may_not_break_the_glass(store: Store, clock: SetClock) -> None:
    asked = await store.ask(hold())
    assert await code_of(store.break_glass(asked.id, ADA, EMERGENCY)) == "403 may-not-break-glass"
    other = await store.ask(hold(1, break_glass=("group:oncall",), fresh_seconds=60.0))
    assert await code_of(store.break_glass(other.id, LINUS, EMERGENCY)) == "403 may-not-break-glass"
    assert await code_of(store.break_glass(other.id, ADA, EMERGENCY)) == "403 sign-in-not-fresh"
    fresh = replace(ADA, authenticated=clock.now())
    for reason in ("", "   ", "help"):
        assert await code_of(store.break_glass(other.id, fresh, reason)) == "400 reason-required"
    await store.decide(other.id, replace(LINUS, authenticated=clock.now()), False, "no")
    assert await code_of(store.break_glass(other.id, fresh, EMERGENCY)) == "409 already-decided"


async def test_while_a_review_is_overdue_the_glass_stays_whole(store: Store, clock: SetClock) -> None:
    first = await store.ask(hold(break_glass=("group:oncall",)))
    await store.break_glass(first.id, ADA, EMERGENCY)
    clock.advance(SETTINGS.review_seconds - 1)
    second = await store.ask(hold(1, break_glass=("group:oncall",)))
    await store.break_glass(second.id, ADA, EMERGENCY)
    clock.advance(1)
    third = await store.ask(hold(2, break_glass=("group:oncall",)))
    assert await code_of(store.break_glass(third.id, ADA, EMERGENCY)) == "403 review-overdue"
    await store.review(first.id, LINUS, True, "It was needed.")
    assert (await store.break_glass(third.id, ADA, EMERGENCY)).state == "approved"


# --- the record, and what differs


async def test_nothing_is_told_of_what_did_not_happen(store: Store, database: Database) -> None:
    asked = await store.ask(hold())
    await code_of(store.decide(asked.id, ADA, True))
    await code_of(store.decide(asked.id, LINUS, False, ""))
    assert await store.redeem(asked.fingerprint, "x") is None
    assert await told(database) == ["approval.asked"]


async def test_an_event_says_who_and_why_and_carries_no_data(store: Store, database: Database) -> None:
    asked = await store.ask(hold(quorum=1))
    await store.decide(asked.id, replace(LINUS, session="s1"), True, "fine")
    event = (await database.read(events.waiting))[-1]
    assert event.kind == "approval.approved"
    assert event.body["by"] == {"subject": "linus", "name": "Linus", "session": "s1"}
    assert (event.body["approval"], event.body["reason"], event.body["state"]) == (asked.id, "fine", "approved")
    assert event.body["fingerprint"] == asked.fingerprint
    assert not {"statement", "columns", "target", "destination"} & event.body.keys()


async def test_what_expires_is_told_once_by_whoever_sweeps(store: Store, database: Database, clock: SetClock) -> None:
    await store.ask(hold())
    granted = await store.ask(hold(1))
    await store.decide(granted.id, LINUS, True)
    clock.advance(SETTINGS.grant_seconds)
    assert sorted(await asyncio.gather(*(store.expire() for _ in range(5)))) == [0, 0, 0, 0, 2]
    assert (await told(database)).count("approval.expired") == 2


async def test_a_request_that_differs_is_a_new_one_and_says_in_what(store: Store, clock: SetClock) -> None:
    first = await store.ask(hold())
    assert await store.earlier(first) is None
    clock.advance(1)
    second = await store.ask(hold(1))
    assert second.id != first.id
    before = await store.earlier(second)
    assert before is not None and before.id == first.id
    assert [d.what for d in differences(before, second)] == ["member n"]
    more = replace(
        second,
        columns=("id", "ssn"),
        destination="s3://elsewhere",
        statement="SELECT 1\nFROM t",
        digests={**second.digests, "header x": "1"},
    )
    found = {d.what: (d.before, d.after, d.lines) for d in differences(replace(second, statement="SELECT 1"), more)}
    assert found["columns"] == ("", "ssn", ())
    assert found["destination"] == ("s3://b", "s3://elsewhere", ())
    assert found["statement"][2] == ("@@ -1 +1,2 @@", " SELECT 1", "+FROM t")
    assert found["header x"] == ("not there", "", ())
    assert differences(second, second) == ()


async def test_nobody_elses_request_is_compared_with(store: Store, clock: SetClock) -> None:
    await store.ask(hold(by=LINUS))
    clock.advance(1)
    assert await store.earlier(await store.ask(hold(1))) is None


def test_terms_of_another_version_are_not_taken_for_none() -> None:
    terms = Terms(quorum=3, conflicts=("group:x",), fresh_seconds=2.0)
    assert read(document(terms)) == terms
    with pytest.raises(ValueError, match="unknown terms"):
        read({"quorum": 1, "four_eyes": True})
