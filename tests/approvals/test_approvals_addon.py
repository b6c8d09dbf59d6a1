"""The stage that holds, with real flows and a real database: what passes, what is refused, and what is left behind."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow
from sqlalchemy import URL

from sluicegate.approvals.addon import ApprovalsAddon
from sluicegate.approvals.store import Store
from sluicegate.approvals.waiting import Waiting
from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Obligation, Operation, Principal, Verdict
from sluicegate.settings.model import Approvals

ADA = Principal("ada", "https://idp", name="Ada")
LINUS = Principal("linus", "https://idp", groups=frozenset({"data-stewards"}), name="Linus")
SETTINGS = Approvals(hold_seconds=200.0)
"""How long it is held is by the machine's clock: more than a slow one takes."""


class Gate:
    """The addon and what it stands on."""

    def __init__(self, database: Database, settings: Approvals = SETTINGS) -> None:
        self.clock = SetClock()
        self.store = Store(database, settings, self.clock)
        self.looks = 0
        self.waiting = Waiting(self.store, self._pause)
        self.addon = ApprovalsAddon(settings, self.store, self.clock, self.waiting)

    async def _pause(self) -> None:
        self.looks += 1
        await asyncio.sleep(0)

    async def send(self, flow: HTTPFlow, exchange: Exchange) -> str:
        """As the wrapper does it: `passed`, or the status and code of the refusal."""
        try:
            held = self.addon.request(flow, exchange)
            if held is not None:
                await held
        except Refusal as refusal:
            exchange.refusal = refusal
            return f"{refusal.status} {refusal.code}"
        return "passed"

    async def pending(self) -> Any:
        """The one approval that waits for Linus, once it does."""
        async with asyncio.timeout(60):
            while not (found := [a for a in await self.store.list(LINUS) if a.state == "pending"]):
                pass
        return found[0]


@pytest_asyncio.fixture
async def database(address: URL) -> AsyncIterator[Database]:
    database = Database(address)
    await database.open()
    yield database
    await database.close()


@pytest_asyncio.fixture
async def gate(database: Database) -> AsyncIterator[Gate]:
    gate = Gate(database)
    yield gate
    await gate.addon.close()


def request(number: int = 0, *, hold_seconds: float | None = None, **headers: str) -> tuple[HTTPFlow, Exchange]:
    flow = tflow.tflow()
    flow.client_conn.state = ConnectionState.OPEN
    flow.request.raw_content = b'{"destination":"s3://b/k"}'
    flow.request.headers["content-type"] = "application/json"
    for name, value in headers.items():
        flow.request.headers[name] = value
    exchange = Exchange(
        id=f"exchange-{number}",
        started=0.0,
        method="POST",
        scheme="https",
        host="chunks",
        port=443,
        target="/datasets/customers/exports",
        principal=ADA,
        operation=Operation("chunks", "export", dataset="customers", destination="s3://b/k"),
        verdict=Verdict(
            "hold",
            ("external-export",),
            ("Data is leaving.",),
            obligations=(Obligation("national-ids", "last4", frozenset({"ssn"})),),
            approvers=("group:data-stewards",),
            hold_seconds=hold_seconds,
        ),
        again=who_asks(ADA),
    )
    return flow, exchange


def who_asks(answer: Principal | Refusal) -> Any:
    """What identity says of whoever asks, as of now."""

    async def again(exchange: Exchange) -> Principal:
        if isinstance(answer, Refusal):
            raise answer
        return answer

    return again


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Refusal(511, "session-operator", "t", "d"), "511 session-operator"),
        (LINUS, "403 approval-person-changed"),
        (Principal("ada", "https://other"), "403 approval-person-changed"),
        (Principal("ada", "https://idp"), "403 approval-person-changed"),
        (None, "503 approvals-unavailable"),
    ],
)
async def test_who_is_not_signed_in_any_more_when_it_is_approved_gets_nothing(gate: Gate, now: Any, said: str) -> None:
    flow, exchange = request()
    exchange.principal = Principal("ada", "https://idp", name="Ada", groups=frozenset({"engineering"}))
    exchange.again = None if now is None else who_asks(now)
    waiting = asyncio.create_task(gate.send(flow, exchange))
    await gate.store.decide((await gate.pending()).id, LINUS, True)
    assert await waiting == said
    # The grant was not spent: whoever signs in again sends the request again.
    flow, exchange = request(1)
    assert await gate.send(flow, exchange) == "passed"


# --- what is only asked about


async def test_a_request_that_only_asks_never_goes_to_the_service(gate: Gate) -> None:
    flow, exchange = request()
    exchange.ask_only, exchange.purpose = True, "The quarter ends."
    assert await gate.send(flow, exchange) == "202 approval-pending"
    pending = await gate.pending()
    assert (pending.purpose, exchange.approval) == ("The quarter ends.", pending.id)
    await gate.store.decide(pending.id, LINUS, True)
    flow, exchange = request(1)
    exchange.ask_only = True
    assert await gate.send(flow, exchange) == "202 approval-approved"
    # The grant was not spent by asking: the request itself goes through.
    assert await gate.send(*request(2)) == "passed"


async def test_what_is_allowed_is_not_sent_when_it_was_only_asked_about(gate: Gate) -> None:
    flow, exchange = request()
    exchange.verdict, exchange.ask_only = Verdict("allow"), True
    assert await gate.send(flow, exchange) == "409 nothing-to-approve"


# --- what is not held


def test_what_is_allowed_passes_at_once(tmp_path: Path) -> None:
    gate = Gate(Database.at(tmp_path / "never-opened"))
    flow, exchange = request()
    exchange.verdict = Verdict("allow")
    assert gate.addon.request(flow, exchange) is None
    assert exchange.approval is None
    assert not inspect.iscoroutinefunction(gate.addon.request)
    assert gate.waiting.idle


@pytest.mark.parametrize("verdict", [None, Verdict("deny")])
def test_what_was_not_allowed_or_held_is_an_error(tmp_path: Path, verdict: Verdict | None) -> None:
    gate = Gate(Database.at(tmp_path / "never-opened"))
    flow, exchange = request()
    exchange.verdict = verdict
    with pytest.raises(RuntimeError):
        gate.addon.request(flow, exchange)


def test_the_limit_is_longer_than_any_hold() -> None:
    assert ApprovalsAddon.limit > 300


# --- the ways of a held request


async def test_approved_while_it_waits(gate: Gate) -> None:
    flow, exchange = request()
    verdict = exchange.verdict
    sent = asyncio.create_task(gate.send(flow, exchange))
    asked = await gate.pending()
    assert not sent.done()
    await gate.store.decide(asked.code, LINUS, True)
    assert await sent == "passed"
    assert exchange.approval == asked.id
    assert exchange.verdict is verdict, "what the response owes stays as it was"
    assert (await gate.store.show(asked.id, ADA)).state == "used"


async def test_denied_while_it_waits(gate: Gate) -> None:
    flow, exchange = request()
    sent = asyncio.create_task(gate.send(flow, exchange))
    asked = await gate.pending()
    await gate.store.decide(asked.code, LINUS, False, "Not to this bucket.")
    assert await sent == "403 approval-denied"
    assert exchange.refusal
    assert exchange.refusal.detail == "Linus denied this request: Not to this bucket."
    assert exchange.refusal.rules == ("external-export",)
    assert exchange.approval == asked.id


async def test_nobody_decides_then_a_retry_passes_once(gate: Gate) -> None:
    first = request(1, prefer="wait=0")
    assert await gate.send(*first) == "403 approval-pending"
    refusal = first[1].refusal
    assert refusal
    asked = await gate.pending()
    assert refusal.members == {
        "approval": asked.id,
        "code": asked.code,
        "command": f"sluicegate approvals approve {asked.code}",
        "approvers": ["group:data-stewards"],
        "expires_at": "2025-06-15T15:16:40Z",
    }
    assert "Data is leaving." in refusal.detail
    assert refusal.next_step == (
        f"Ask somebody in data-stewards to run `sluicegate approvals approve {asked.code}`, "
        "then send the same request again."
    )
    await gate.store.decide(asked.id, LINUS, True)
    second, third = request(2), request(3, prefer="wait=0")
    assert await gate.send(*second) == "passed"
    assert second[1].approval == asked.id
    assert await gate.send(*third) == "403 approval-pending"
    assert third[1].approval != asked.id


async def test_a_changed_retry_does_not_pass(gate: Gate) -> None:
    assert await gate.send(*request(prefer="wait=0")) == "403 approval-pending"
    await gate.store.decide((await gate.pending()).id, LINUS, True)
    flow, exchange = request(2, prefer="wait=0")
    flow.request.raw_content = b'{"destination":"s3://b/K"}'
    assert await gate.send(flow, exchange) == "403 approval-pending"
    flow, exchange = request(3, prefer="wait=0")
    flow.request.headers["content-type"] = "application/x-www-form-urlencoded"
    assert await gate.send(flow, exchange) == "403 approval-pending"
    flow, exchange = request(4, prefer="wait=0", **{"user-agent": "another", "x-trace-id": "7"})
    assert await gate.send(flow, exchange) == "passed"


async def test_202_only_for_who_asked_for_it(gate: Gate) -> None:
    flow, exchange = request(prefer="respond-async, wait=300")
    assert await gate.send(flow, exchange) == "202 approval-pending"
    assert exchange.refusal
    assert exchange.refusal.headers["preference-applied"] == "respond-async"
    assert exchange.approval == (await gate.pending()).id
    assert gate.waiting.idle


async def test_respond_async_with_a_grant_passes(gate: Gate) -> None:
    await gate.send(*request(prefer="respond-async"))
    await gate.store.decide((await gate.pending()).id, LINUS, True)
    assert await gate.send(*request(prefer="respond-async")) == "passed"


async def test_of_two_same_requests_that_wait_one_passes(gate: Gate) -> None:
    sent = [asyncio.create_task(gate.send(*request(number))) for number in range(5)]
    asked = await gate.pending()
    await gate.store.decide(asked.id, LINUS, True)
    assert sorted(await asyncio.gather(*sent)) == [*["403 approval-used"] * 4, "passed"]


async def test_expired_while_it_waits(gate: Gate) -> None:
    flow, exchange = request()
    sent = asyncio.create_task(gate.send(flow, exchange))
    await gate.pending()
    async with asyncio.timeout(60):
        while gate.waiting.idle:  # it is in the database a moment before anybody waits for it
            await asyncio.sleep(0)
    gate.clock.advance(600)
    assert await sent == "403 approval-expired"


async def test_a_hold_ends_with_the_time_to_decide(gate: Gate) -> None:
    await gate.send(*request(prefer="wait=0"))
    gate.clock.advance(599.999)
    assert await gate.send(*request(prefer="wait=300")) in ("403 approval-pending", "403 approval-expired")


async def test_a_rule_says_how_long(gate: Gate) -> None:
    assert await gate.send(*request(hold_seconds=0.001)) == "403 approval-pending"


async def test_the_policy_says_how_long(database: Database) -> None:
    gate = Gate(database, Approvals(hold_seconds=0.001))
    assert await gate.send(*request()) == "403 approval-pending"


async def test_others_are_not_kept_waiting(gate: Gate) -> None:
    held = asyncio.create_task(gate.send(*request()))
    asked = await gate.pending()
    flow, exchange = request(2)
    exchange.verdict = Verdict("allow")
    assert await gate.send(flow, exchange) == "passed"
    assert not held.done()
    await gate.store.decide(asked.id, LINUS, True)
    assert await held == "passed"


# --- clients that go


def _closes(flow: HTTPFlow) -> None:
    flow.client_conn.state = ConnectionState.CLOSED


def _breaks_off(flow: HTTPFlow) -> None:
    flow.error = Error("stream reset")


@pytest.mark.parametrize("goes", [_closes, _breaks_off])
async def test_a_grant_is_not_spent_on_who_has_gone(gate: Gate, goes: Callable[[HTTPFlow], None]) -> None:
    flow, exchange = request()
    sent = asyncio.create_task(gate.send(flow, exchange))
    asked = await gate.pending()
    goes(flow)
    await gate.store.decide(asked.id, LINUS, True)
    assert await sent == "403 client-gone"
    assert await gate.send(*request(2)) == "passed"


@pytest.mark.parametrize("goes", [_closes, _breaks_off])
async def test_a_grant_that_is_there_is_not_spent_either(gate: Gate, goes: Callable[[HTTPFlow], None]) -> None:
    await gate.send(*request(prefer="wait=0"))
    await gate.store.decide((await gate.pending()).id, LINUS, True)
    flow, exchange = request(2)
    goes(flow)
    assert await gate.send(flow, exchange) == "403 client-gone"
    assert await gate.send(*request(3)) == "passed"


async def test_who_has_gone_is_not_waited_for(gate: Gate) -> None:
    flow, exchange = request(prefer="wait=300")
    sent = asyncio.create_task(gate.send(flow, exchange))
    await gate.pending()
    _closes(flow)
    assert await sent == "403 client-gone"


# --- the poller


async def test_nothing_runs_while_nobody_waits(gate: Gate) -> None:
    sent = asyncio.create_task(gate.send(*request()))
    asked = await gate.pending()
    await gate.store.decide(asked.id, LINUS, True)
    await sent
    async with asyncio.timeout(60):
        while not gate.waiting.idle:
            await asyncio.sleep(0)
    looks = gate.looks
    for _ in range(50):
        await asyncio.sleep(0)
    assert gate.looks == looks


async def test_one_poller_for_all(gate: Gate) -> None:
    before = len(asyncio.all_tasks())
    sent = [asyncio.create_task(gate.send(*request(n, **{"content-type": f"a/{n}"}))) for n in range(10)]
    async with asyncio.timeout(60):
        while len(await gate.store.list(LINUS)) < 10 or gate.looks < 20:
            pass
    assert len(asyncio.all_tasks()) == before + 10 + 1
    for asked in await gate.store.list(LINUS):
        await gate.store.decide(asked.id, LINUS, True)
    assert await asyncio.gather(*sent) == ["passed"] * 10


async def test_shutting_down_refuses_who_waits(gate: Gate) -> None:
    sent = asyncio.create_task(gate.send(*request()))
    await gate.pending()
    await gate.addon.close()
    assert await sent == "403 approval-pending"


async def test_a_cancelled_request_leaves_nobody_waiting(gate: Gate) -> None:
    sent = asyncio.create_task(gate.send(*request()))
    await gate.pending()
    sent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sent
    async with asyncio.timeout(60):
        while not gate.waiting.idle:
            await asyncio.sleep(0)


# --- a database that fails


async def test_a_closed_database_refuses(gate: Gate, database: Database) -> None:
    await database.close()
    assert await gate.send(*request()) == "503 approvals-unavailable"


async def test_a_database_that_goes_while_a_request_waits_refuses(gate: Gate, database: Database) -> None:
    sent = asyncio.create_task(gate.send(*request(prefer="wait=300")))
    await gate.pending()
    await database.close()
    assert await sent == "503 approvals-unavailable"


@pytest.mark.parametrize("method", ["redeem", "ask", "look"])
async def test_any_error_refuses(gate: Gate, method: str) -> None:
    class Broken(Store):
        pass

    async def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    setattr(Broken, method, broken)
    gate.store.__class__ = Broken
    assert await gate.send(*request()) == "503 approvals-unavailable"


async def test_what_was_judged_without_a_principal_is_refused(gate: Gate) -> None:
    flow, exchange = request()
    exchange.principal = None
    assert await gate.send(flow, exchange) == "503 approvals-unavailable"


async def test_caps_reach_the_client(database: Database) -> None:
    gate = Gate(database, Approvals(max_pending_per_person=1))
    await gate.send(*request(prefer="wait=0"))
    flow, exchange = request(2)
    flow.request.raw_content = b"another"
    assert await gate.send(flow, exchange) == "429 too-many-pending"


def test_what_it_returns_for_a_hold_can_be_awaited(tmp_path: Path) -> None:
    gate = Gate(Database.at(tmp_path / "never-opened"))
    held = gate.addon.request(*request())
    assert isinstance(held, Awaitable)
    with pytest.raises(Refusal, match="approvals-unavailable"):
        asyncio.run(_await(held))


async def _await(held: Awaitable[None]) -> None:
    await held


@pytest.mark.parametrize(
    ("headers", "rule", "seconds"),
    [
        ({"user-agent": "curl/8.0"}, None, 20.0),
        ({"user-agent": "python-httpx/0.28.1"}, None, 4.0),
        ({"user-agent": "python-httpx/0.28.1"}, 2.0, 2.0),
        ({"user-agent": "Boto3/1.44"}, 70.0, 50.0),
        ({"user-agent": "curl/8.0"}, 70.0, 70.0),
        ({"user-agent": "python-httpx/0.28.1", "prefer": "wait=70"}, None, 70.0),
    ],
)
async def test_how_long_each_client_is_held(
    database: Database, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], rule: float | None, seconds: float
) -> None:
    gate, asked = Gate(database, Approvals()), []

    async def decided(approval: str, waits: float, gone: object) -> None:
        asked.append(waits)

    monkeypatch.setattr(gate.waiting, "decided", decided)
    assert await gate.send(*request(hold_seconds=rule, **headers)) == "403 approval-pending"
    assert asked == [seconds]
