"""The store on a real database: one row for a pending request, one winner for a grant, and no way round the rules."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import URL, func, select, update
from sqlalchemy.dialects import postgresql

from sluicegate.approvals import deciding
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.hold import SHOWN_LIMIT, Hold, hold_of
from sluicegate.approvals.store import Store
from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import approvals, decisions
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Operation, Principal, Verdict
from sluicegate.settings.model import Approvals

IDP = "https://idp"
ADA = Principal("ada", IDP, groups=frozenset({"engineering"}), name="Ada")
GRACE = Principal("grace", IDP, groups=frozenset({"fraud"}), name="Grace")
LINUS = Principal("linus", IDP, groups=frozenset({"data-stewards"}), name="Linus")
MARGARET = Principal("margaret", IDP, groups=frozenset({"data-stewards", "privacy"}), name="Margaret")
MALLORY = Principal("mallory", IDP)
SETTINGS = Approvals(pending_seconds=600.0, grant_seconds=900.0, max_pending=8, max_pending_per_person=4)


def hold(number: int = 0, by: Principal = ADA, approvers: tuple[str, ...] = ("group:data-stewards",)) -> Hold:
    exchange = Exchange(
        id=f"exchange-{number}",
        started=0.0,
        method="POST",
        scheme="https",
        host="chunks.internal",
        port=8443,
        target=f"/datasets/customers/exports?token=hunter2&n={number}",
        principal=by,
        operation=Operation("chunks", "export", dataset="customers", columns=("id", "ssn"), destination="s3://b/k"),
        verdict=Verdict("hold", ("external-export",), ("Data is leaving.",), approvers=approvers),
    )
    return hold_of(exchange, (), b"body")


def test_an_approver_sees_all_that_a_request_does() -> None:
    asked = hold()
    part = Operation("chunks", "read", dataset="staff", columns=("ssn",))
    whole = Operation("chunks", "share", dataset="other", column_scope="all", destination="s3://c")
    exchange = Exchange(
        "x", 0.0, principal=ADA, operation=replace(asked.operation, parts=(part, whole, part)),
        verdict=Verdict("hold", ("r",), ("Data is leaving.",), approvers=("group:x",)),
    )  # fmt: skip
    assert hold_of(exchange, (), b"").reasons == (
        "Data is leaving.",
        "Besides: read of staff (ssn).",
        "Besides: share of other to s3://c (all columns).",
    )
    exchange.operation = replace(asked.operation, parts=(replace(part, columns=("x" * SHOWN_LIMIT,)),))
    with pytest.raises(Refusal):
        hold_of(exchange, (), b"")


@pytest_asyncio.fixture
async def database(address: URL) -> AsyncIterator[Database]:
    database = Database(address, checkpoints=True)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(database: Database, clock: SetClock) -> Store:
    return Store(database, SETTINGS, clock)


async def refused(store: Store, key: str, person: Principal, approve: bool = True, reason: str = "no") -> str:
    with pytest.raises(Refusal) as caught:
        await store.decide(key, person, approve, reason)
    return f"{caught.value.status} {caught.value.code}"


async def decisions_made(database: Database) -> int:
    return await database.read(lambda c: c.scalars(select(func.count()).select_from(decisions)).one())


# --- asking


async def test_what_an_approver_sees(store: Store, clock: SetClock) -> None:
    asked = await store.ask(hold())
    shown = (await store.show(asked.code, LINUS)).document()
    assert shown == {
        "id": asked.id,
        "code": asked.code,
        "state": "pending",
        "requester": {"subject": "ada", "name": "Ada"},
        "purpose": "",
        "rules": ["external-export"],
        "reasons": ["Data is leaving."],
        "approvers": ["group:data-stewards"],
        "terms": {
            "quorum": 1,
            "reason": False,
            "fresh_seconds": None,
            "conflicts": [],
            "uses": 1,
            "grant_seconds": None,
            "break_glass": [],
        },
        "service": "chunks",
        "dataset": "customers",
        "kind": "export",
        "method": "POST",
        "target": "https://chunks.internal:8443/datasets/customers/exports?token&n",
        "columns": ["id", "ssn"],
        "column_scope": "none",
        "chunks": [],
        "rows": None,
        "destination": "s3://b/k",
        "statement": None,
        "job": None,
        "risk": 0.0,
        "exchanges": ["exchange-0"],
        "created": "2025-06-15T15:06:40Z",
        "pending_until": "2025-06-15T15:16:40Z",
        "decided_at": None,
        "decided_by": None,
        "decision_reason": None,
        "grant_until": None,
        "uses_left": 0,
        "votes": [],
        "broken_glass": None,
    }


async def test_the_same_pending_request_is_one_row(store: Store, database: Database) -> None:
    first = await store.ask(hold())
    retry = replace(hold(), exchange="exchange-retry")
    asked = await asyncio.gather(*(store.ask(retry) for _ in range(20)))
    assert {approval.id for approval in asked} == {first.id}
    assert (await store.show(first.id, ADA)).exchanges == ("exchange-0", "exchange-retry")


async def test_a_client_that_retries_for_ever_does_not_grow_the_row(store: Store) -> None:
    for number in range(60):
        asked = await store.ask(replace(hold(), exchange=f"e{number}"))
    shown = await store.show(asked.id, ADA)
    assert len(shown.exchanges) == 50
    assert shown.exchanges[-1] == "e59"


async def test_caps_per_person_and_in_all(store: Store, clock: SetClock) -> None:
    for number in range(4):
        await store.ask(hold(number))
    with pytest.raises(Refusal) as caught:
        await store.ask(hold(4))
    assert (caught.value.status, caught.value.code) == (429, "too-many-pending")
    await store.ask(hold(3))  # The retry of one that waits is no further one.
    for number in range(4):
        await store.ask(hold(number, by=GRACE))
    with pytest.raises(Refusal, match="too-many-pending"):
        await store.ask(hold(0, by=MALLORY))
    clock.advance(600)
    await store.ask(hold(4))


async def test_a_decided_request_makes_room(store: Store) -> None:
    for number in range(4):
        asked = await store.ask(hold(number))
    await store.decide(asked.id, LINUS, False, "no")
    await store.ask(hold(9))


async def test_a_hold_that_nobody_can_approve_is_refused_at_once(store: Store) -> None:
    with pytest.raises(Refusal, match="no-approver"):
        await store.ask(hold(approvers=()))


def test_nobody_is_asked_to_approve_what_cannot_be_shown() -> None:
    exchange = Exchange(
        id="x",
        started=0.0,
        principal=ADA,
        operation=Operation("chunks", "script", statement="-" * SHOWN_LIMIT),
        verdict=Verdict("hold", ("r",), approvers=("person:linus",)),
        target="/",
    )
    with pytest.raises(Refusal, match="too-large-to-approve"):
        hold_of(exchange, (), b"")


@pytest.mark.parametrize("missing", ["principal", "operation", "verdict"])
def test_what_was_not_judged_is_not_held(missing: str) -> None:
    exchange = Exchange(
        id="x", started=0.0, principal=ADA, operation=Operation("s", "read"), verdict=Verdict("hold", ("r",))
    )
    setattr(exchange, missing, None)
    with pytest.raises(ValueError, match="only an exchange with"):
        hold_of(exchange, (), b"")


# --- deciding


async def test_a_yes_is_good_once_for_this_request_alone(store: Store) -> None:
    asked = await store.ask(hold())
    assert await store.redeem(asked.fingerprint, "x") is None
    approved = await store.decide(asked.code.lower().replace("-", " "), LINUS, True)
    assert (approved.state, approved.uses_left, approved.decided_by) == ("approved", 1, "Linus")
    assert await store.redeem(hold(1).fingerprint, "x") is None
    assert await store.redeem(asked.fingerprint, "x") == asked.id
    assert await store.redeem(asked.fingerprint, "y") is None
    shown = await store.show(asked.id, ADA)
    assert (shown.state, shown.uses_left, shown.exchanges[-1]) == ("used", 0, "x")


async def test_a_request_approved_while_it_is_asked_again_makes_no_second_row(store: Store) -> None:
    asked = await store.ask(hold())
    await store.decide(asked.id, LINUS, True)
    again = await store.ask(hold())
    assert (again.id, again.state) == (asked.id, "approved")


@pytest.mark.parametrize(
    "approvers", [("group:data-stewards",), ("person:linus",), ("person:linus", "group:engineering")]
)
async def test_nobody_decides_their_own_request(store: Store, database: Database, approvers: tuple[str, ...]) -> None:
    asked = await store.ask(hold(by=LINUS, approvers=approvers))
    assert await refused(store, asked.id, LINUS) == "403 own-request"
    assert await refused(store, asked.id, LINUS, approve=False) == "403 own-request"
    in_more_groups = replace(LINUS, groups=frozenset({"data-stewards", "engineering", "admin"}), name="Somebody Else")
    assert await refused(store, asked.id, in_more_groups) == "403 own-request"
    assert (await store.show(asked.id, LINUS)).state == "pending"
    assert await decisions_made(database) == 0


async def test_the_same_subject_of_another_provider_is_not_somebody_else(store: Store) -> None:
    asked = await store.ask(hold(by=LINUS))
    assert await refused(store, asked.id, replace(LINUS, issuer="https://other")) == "404 approval-unknown"


async def test_deciding_itself_asks_who_it_is(store: Store, database: Database, clock: SetClock) -> None:
    asked = await store.ask(hold())
    for person, code in ((MALLORY, "not-an-approver"), (ADA, "own-request")):
        with pytest.raises(Refusal, match=code):
            await database.run(
                lambda c, person=person: deciding.decide(c, asked, person, True, "", now=clock.now(), grant_seconds=9)
            )


async def test_outsiders_do_not_learn_that_it_exists(store: Store) -> None:
    asked = await store.ask(hold())
    for key in (asked.id, asked.code, "BCDF-BCDF", "", "%", "' OR 1=1 --", "x" * 36):
        assert await refused(store, key, MALLORY) == "404 approval-unknown"
        with pytest.raises(Refusal, match="approval-unknown"):
            await store.show(key, MALLORY)
    assert await store.list(MALLORY) == []


async def test_a_person_in_two_approving_groups_counts_once(store: Store, database: Database) -> None:
    asked = await store.ask(hold(approvers=("group:data-stewards", "group:privacy")))
    assert (await store.decide(asked.id, MARGARET, True)).state == "approved"
    assert await refused(store, asked.id, MARGARET) == "409 already-decided"
    assert await decisions_made(database) == 1


@pytest.mark.parametrize("second", [LINUS, MARGARET])
@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True), (True, True), (False, False)])
async def test_decided_is_decided(store: Store, second: Principal, first: bool, then: bool) -> None:
    asked = await store.ask(hold())
    await store.decide(asked.id, LINUS, first, "because")
    assert await refused(store, asked.id, second, approve=then) == "409 already-decided"
    assert (await store.show(asked.id, ADA)).state == ("approved" if first else "denied")


async def test_of_many_deciders_at_once_one_decides(database: Database, address: URL, clock: SetClock) -> None:
    other = Database(address)
    await other.open()
    stores = [Store(base, SETTINGS, clock) for base in (database, other)]
    asked = await stores[0].ask(hold())
    people = [replace(LINUS, subject=f"steward-{number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(stores[n % 2].decide(asked.id, person, n % 3 == 0, "r") for n, person in enumerate(people)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Approval) for outcome in outcomes) == 1
    assert {o.code for o in outcomes if isinstance(o, Refusal)} == {"already-decided"}
    assert await decisions_made(database) == 1
    await other.close()


@pytest.mark.parametrize("reason", ["", "  \n\t "])
async def test_a_denial_needs_a_reason(store: Store, reason: str) -> None:
    asked = await store.ask(hold())
    assert await refused(store, asked.id, LINUS, approve=False, reason=reason) == "400 reason-required"
    assert await refused(store, asked.id, LINUS, reason="x" * 501) == "400 reason-too-long"
    assert (await store.show(asked.id, ADA)).state == "pending"


async def test_a_denied_request_does_not_pass_and_is_asked_anew(store: Store) -> None:
    asked = await store.ask(hold())
    await store.decide(asked.id, LINUS, False, "not this bucket")
    assert await store.redeem(asked.fingerprint, "x") is None
    assert (await store.ask(hold())).id != asked.id


# --- time


@pytest.mark.parametrize(
    ("seconds", "expected"), [(599.999, None), (600.0, "409 approval-expired"), (600.001, "409 approval-expired")]
)
async def test_deciding_at_the_end(store: Store, clock: SetClock, seconds: float, expected: str | None) -> None:
    asked = await store.ask(hold())
    clock.advance(seconds)
    if expected:
        assert await refused(store, asked.id, LINUS) == expected
        assert (await store.show(asked.id, ADA)).state == "expired", "though nobody has swept"
        assert [approval.state for approval in await store.list(LINUS)] == ["expired"]
    else:
        assert (await store.decide(asked.id, LINUS, True)).state == "approved"


@pytest.mark.parametrize(("seconds", "passes"), [(899.999, True), (900.0, False), (900.001, False)])
async def test_redeeming_at_the_end(store: Store, clock: SetClock, seconds: float, passes: bool) -> None:
    asked = await store.ask(hold())
    clock.advance(599)
    await store.decide(asked.id, LINUS, True)
    clock.advance(seconds)
    assert (await store.redeem(asked.fingerprint, "x") is not None) is passes
    assert (await store.show(asked.id, ADA)).state == ("used" if passes else "expired")


async def test_an_expired_request_is_asked_anew(store: Store, clock: SetClock) -> None:
    asked = await store.ask(hold())
    clock.advance(600)
    again = await store.ask(hold())
    assert again.id != asked.id
    assert again.pending_until == clock.now() + 600


async def test_an_expired_grant_is_asked_anew(store: Store, clock: SetClock) -> None:
    asked = await store.ask(hold())
    await store.decide(asked.id, LINUS, True)
    clock.advance(900)
    assert (await store.ask(hold())).state == "pending"


@pytest.mark.parametrize("state", ["pending", "denied", "expired", "withdrawn", "used", "revoked"])
async def test_only_what_is_approved_is_redeemed(store: Store, database: Database, state: str) -> None:
    asked = await store.ask(hold())
    values = {"state": state, "uses_left": 5, "grant_until": 1e12}
    await database.run(lambda c: c.execute(update(approvals).values(values)).rowcount)
    assert await store.redeem(asked.fingerprint, "x") is None


# --- restart and concurrency


async def test_a_restart_in_between_loses_nothing(address: URL, clock: SetClock) -> None:
    keys = []
    for step in ("ask", "decide", "redeem", "again"):
        database = Database(address)
        await database.open()
        store = Store(database, SETTINGS, clock)
        if step == "ask":
            keys.append(await store.ask(hold()))
        elif step == "decide":
            await store.decide(keys[0].code, LINUS, True)
        else:
            assert await store.redeem(keys[0].fingerprint, "x") == (keys[0].id if step == "redeem" else None)
        await database.close()


async def test_1000_redeemers_over_several_connections_one_passes(
    database: Database, address: URL, clock: SetClock
) -> None:
    others = [Database(address) for _ in range(3)]
    for other in others:
        await other.open()
    stores = [Store(base, SETTINGS, clock) for base in (database, *others)]
    asked = await stores[0].ask(hold())
    await stores[0].decide(asked.id, LINUS, True)
    won = await asyncio.gather(*(stores[n % 4].redeem(asked.fingerprint, f"x{n}") for n in range(1000)))
    assert [approval for approval in won if approval] == [asked.id]
    for other in others:
        await other.close()


def _redeem_many(address: URL, fingerprint: str, go: object, won: object) -> None:
    async def redeem() -> int:
        database = Database(address)
        await database.open()
        store = Store(database, SETTINGS, SetClock())
        go.wait(60)  # type: ignore[attr-defined]
        found = await asyncio.gather(*(store.redeem(fingerprint, f"x{n}") for n in range(100)))
        await database.close()
        return sum(approval is not None for approval in found)

    won.put(asyncio.run(redeem()))  # type: ignore[attr-defined]


def test_redeemers_in_several_processes_one_passes(address: URL) -> None:
    async def grant() -> str:
        database = Database(address, checkpoints=True)
        await database.open()
        store = Store(database, SETTINGS, SetClock())
        asked = await store.ask(hold())
        await store.decide(asked.id, LINUS, True)
        await database.close()
        return asked.fingerprint

    fingerprint = asyncio.run(grant())
    spawn = multiprocessing.get_context("spawn")
    go, won = spawn.Barrier(3), spawn.Queue()
    workers = [spawn.Process(target=_redeem_many, args=(address, fingerprint, go, won)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert sorted(won.get(timeout=60) for _ in workers) == [0, 0, 1]
    for worker in workers:
        worker.join(60)


async def test_who_sees_what(store: Store, clock: SetClock) -> None:
    first = await store.ask(hold(0))
    clock.advance(1)
    second = await store.ask(hold(1, by=GRACE, approvers=("person:ada",)))
    clock.advance(1)
    third = await store.ask(hold(2))
    await store.decide(third.id, LINUS, False, "no")
    assert [a.id for a in await store.list(ADA)] == [second.id, first.id, third.id]
    assert [a.id for a in await store.list(LINUS)] == [first.id, third.id]
    assert [a.id for a in await store.list(GRACE)] == [second.id]
    assert [a.id for a in await store.list(ADA, limit=1)] == [second.id]


async def test_the_statements_are_not_for_sqlite_alone() -> None:
    for statement in (select(approvals).with_for_update(), update(approvals).values(state="x").returning(approvals)):
        assert str(statement.compile(dialect=postgresql.dialect()))


async def test_no_secret_of_a_statement_is_kept(store: Store) -> None:
    statement = "COPY INTO 's3://b' FROM emp CREDENTIALS = (AWS_SECRET_KEY='hunter2')"
    asked = hold()
    approval = await store.ask(replace(asked, operation=replace(asked.operation, statement=statement)))
    assert approval.statement is not None
    assert "hunter2" not in approval.statement and "s3://b" in approval.statement
