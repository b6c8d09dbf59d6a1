"""Sessions as gateways know them: at once, everywhere, and not at all when the database cannot be read for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sluicegate.clock import SetClock
from sluicegate.database import Database, events
from sluicegate.database.tables import handles, sessions
from sluicegate.errors import Refusal
from sluicegate.exchange import Finding, Principal
from sluicegate.identity import handle
from sluicegate.identity.sessions import store
from sluicegate.identity.sessions.in_force import LOOK_SECONDS, SessionsInForce
from sluicegate.identity.sessions.store import SignIn
from sluicegate.settings.model import Identity

SETTINGS = Identity(issuer="https://idp.example")
ADA = Principal("ada", SETTINGS.issuer, frozenset({"engineering"}), name="Ada Lovelace")
HERE, THERE = "192.0.2.10", "198.51.100.20"
HOUR = 3600.0

Making = Callable[..., Any]


@pytest.fixture
async def gateways(database: Database, clock: SetClock) -> AsyncIterator[Making]:
    """Makes gateways that look only when they are told to, on one database."""
    made: list[SessionsInForce] = []

    async def make(by_itself: bool = False, **settings: Any) -> SessionsInForce:
        made.append(SessionsInForce(SETTINGS.model_copy(update=settings), database, clock, looks_by_itself=by_itself))
        await made[-1].open()
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def sign_in(database: Database, clock: SetClock) -> Callable[..., Any]:
    """Signs somebody in; returns the handle."""

    async def begin(who: Principal = ADA, seconds: float = 8 * HOUR, **more: Any) -> str:
        text, now = handle.make(), clock.now()
        values = SignIn(who, "sid-1", "laptop", HERE, now + seconds, None, None)
        signed = replace(values, **more)
        await database.run(lambda connection: store.begin(connection, signed, handle.digest(text), now))
        return text

    return begin


async def refused(gateway: SessionsInForce, text: str, peer: str = HERE, **more: Any) -> str:
    with pytest.raises(Refusal) as caught:
        await gateway.verify(text, peer, **more)
    told = f"{caught.value} {caught.value.title} {caught.value.next_step} {caught.value.members}"
    assert len(text) < 10 or text[4:] not in told
    assert gateway.cached(text, peer) is None
    return caught.value.code


async def told(database: Database) -> list[tuple[str, dict[str, Any]]]:
    return [(event.kind, dict(event.body)) for event in await database.read(events.waiting)]


async def replaced(database: Database, clock: SetClock, old: str) -> str:
    """A new handle in the place of an old one."""
    new = handle.make()

    def work(connection: Any) -> bool:
        row = connection.execute(select(handles).where(handles.c.digest == handle.digest(old))).one()
        session = store.one(connection, row.session)
        assert session is not None
        return store.supersede(connection, session, handle.digest(old), handle.digest(new), clock.now())

    assert await database.run(work)
    return new


# --- the way of a handle


async def test_a_handle_made_elsewhere_is_known_when_it_comes(gateways: Making, sign_in: Making) -> None:
    gateway = await gateways()
    text = await sign_in()
    assert gateway.cached(text, HERE) is None
    who = await gateway.verify(text, HERE)
    assert (who.subject, who.groups, who.assurance, who.kind) == ("ada", {"engineering"}, "bearer", "person")
    assert who.session and who.device == "laptop" and who.name == "Ada Lovelace"
    assert gateway.cached(text, HERE) == who


async def test_only_a_hash_is_kept(database: Database, sign_in: Making, tmp_path: Path) -> None:
    text = await sign_in()
    await database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Ada Lovelace" in kept
    assert text.encode() not in kept and text[4:40].encode() not in kept
    await database.open()


async def test_what_was_signed_in_before_a_start_is_known_without_a_look(gateways: Making, sign_in: Making) -> None:
    text = await sign_in()
    gateway = await gateways()
    hits = 0

    async def counted(*_: Any) -> None:
        nonlocal hits
        hits += 1

    gateway.look = counted
    assert await gateway.verify(text, HERE)
    assert hits == 0


@pytest.mark.parametrize("wrong", ["slg_", "slg_" + "A" * 49, "slg_" + "x" * 60_000, "slg_é", "slg_\ud800"])
async def test_what_is_no_handle_asks_nobody(gateways: Making, wrong: str) -> None:
    gateway = await gateways()
    gateway.look = None
    assert await refused(gateway, wrong) == "handle-malformed"


async def test_a_handle_with_one_character_changed(gateways: Making, sign_in: Making) -> None:
    gateway, text = await gateways(), await sign_in()
    changed = text[:20] + ("A" if text[20] != "A" else "B") + text[21:]
    assert await refused(gateway, changed) == "handle-malformed"
    assert await refused(gateway, handle.make()) == "handle-unknown"


async def test_many_unknown_handles_share_a_look(gateways: Making, database: Database) -> None:
    gateway, looks = await gateways(), 0
    read = database.read

    async def counted(work: Any) -> Any:
        nonlocal looks
        looks += 1
        return await read(work)

    database.read = counted  # type: ignore[method-assign]
    unknown = [refused(gateway, handle.make()) for _ in range(300)]
    assert set(await asyncio.gather(*unknown)) == {"handle-unknown"}
    assert looks <= 2


# --- how long


async def test_absolute_and_idle_lifetime(gateways: Making, sign_in: Making, clock: SetClock) -> None:
    gateway, text, unused = await gateways(unconfirmed_seconds=86_400.0), await sign_in(), await sign_in()
    for _ in range(8 * 6 - 1):  # used every ten minutes
        clock.advance(600)
        await gateway.look()
        assert await gateway.verify(text, HERE)
    assert await refused(gateway, unused) == "session-idle"
    clock.advance(600)
    assert await refused(gateway, text) == "session-expired"


async def test_use_on_one_gateway_keeps_it_from_being_idle_on_another(
    gateways: Making, sign_in: Making, clock: SetClock
) -> None:
    one, other, text = await gateways(), await gateways(), await sign_in()
    assert await one.verify(text, HERE) and await other.verify(text, HERE)
    clock.advance(1500)
    assert await one.verify(text, HERE)
    await one._write_down()
    clock.advance(1500)
    assert await other.verify(text, HERE)  # not used here for 50 minutes, but there 25 minutes ago
    clock.advance(1801)
    assert await refused(other, text) == "session-idle"


async def test_without_the_providers_word_it_ends(gateways: Making, sign_in: Making, clock: SetClock) -> None:
    gateway, text = await gateways(unconfirmed_seconds=900.0), await sign_in()
    assert await gateway.verify(text, HERE)
    clock.advance(899)
    assert await gateway.verify(text, HERE)
    clock.advance(1)
    assert gateway.cached(text, HERE) is None
    assert await refused(gateway, text) == "session-unconfirmed"


async def test_new_groups_reach_a_session_in_use(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, text = await gateways(), await sign_in()
    assert (await gateway.verify(text, HERE)).groups == {"engineering"}
    session = gateway.session_of(text)

    def work(connection: Any) -> None:
        found = store.one(connection, session)
        assert found is not None
        fresh = replace(ADA, groups=frozenset({"fraud"}))
        store.confirm(connection, found, fresh, b"sealed", clock.now() + 300, clock.now())

    await database.run(work)
    await gateway.look()
    assert gateway.cached(text, HERE).groups == {"fraud"}
    assert ("session.groups-changed", {"fraud"}) in [
        (kind, set(body.get("groups_added", ()))) for kind, body in await told(database)
    ]


# --- the end


async def test_ended_on_one_is_ended_on_all(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, text = await gateways(by_itself=True), await gateways(by_itself=True), await sign_in()
    assert await one.verify(text, HERE) and await other.verify(text, HERE)
    session = one.session_of(text)

    def work(connection: Any) -> int:
        found = store.one(connection, session)
        assert found is not None
        return store.end(connection, [found], clock.now(), by="olga", why="operator")

    def known(gateway: SessionsInForce) -> asyncio.Future[int]:
        """After how many of its own looks it knows."""
        look, at, looks = gateway.look, asyncio.get_running_loop().create_future(), 0

        async def counted() -> None:
            nonlocal looks
            await look()
            looks += 1
            if not at.done() and gateway.cached(text, HERE) is None:
                at.set_result(looks)

        monkeypatch.setattr(gateway, "look", counted)
        return at

    assert await database.run(work) == 1
    async with asyncio.timeout(60):
        looks = await asyncio.gather(known(one), known(other))
    # The bound of the documentation, on a machine that is not busy: a second.
    assert max(looks) * LOOK_SECONDS < 1.0
    assert await refused(one, text) == await refused(other, text) == "session-operator"
    assert await database.run(work) == 0  # ends once
    assert [kind for kind, _ in await told(database)] == ["session.started", "session.ended"]


async def test_a_new_sign_in_too_many_ends_the_one_that_was_unused_for_longest(
    gateways: Making, sign_in: Making, clock: SetClock
) -> None:
    gateway, texts = await gateways(), []
    for _ in range(store.MOST_OF_A_PERSON + 1):
        texts.append(await sign_in())
        clock.advance(1)
    await gateway.look()
    assert await refused(gateway, texts[0]) == "session-replaced"
    assert await gateway.verify(texts[1], HERE) and await gateway.verify(texts[-1], HERE)


# --- theft


async def test_a_handle_that_was_replaced_goes_on_for_a_moment(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, old = await gateways(), await sign_in()
    assert await gateway.verify(old, HERE)
    new = await replaced(database, clock, old)
    await gateway.look()
    clock.advance(59)
    await gateway.look()
    assert await gateway.verify(old, HERE) and await gateway.verify(new, HERE)


async def test_a_handle_that_comes_after_it_was_replaced_ends_the_family(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, other, old = await gateways(), await gateways(), await sign_in()
    new = await replaced(database, clock, old)
    assert await gateway.verify(new, HERE)
    clock.advance(61)
    findings: list[Finding] = []
    assert await refused(gateway, old, THERE, findings=findings) == "session-stolen"
    (finding,) = findings
    assert finding.indicator == "session-handle-reused" and finding.evidence["address"] == THERE
    assert await refused(gateway, new) == "session-stolen"
    await other.look()
    assert await refused(other, new) == "session-stolen"
    kind, body = (await told(database))[-1]
    assert kind == "session.stolen" and body["evidence"] == finding.evidence and body["subject"] == "ada"
    text = str(await told(database))
    assert old not in text and new not in text


async def test_a_tunnel_outlives_the_handle_that_opened_it(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, old = await gateways(), await sign_in()
    opened = clock.now()
    assert await gateway.verify(old, HERE)
    await replaced(database, clock, old)
    clock.advance(600)
    await gateway.look()
    assert await gateway.verify(old, HERE, presented=opened)  # in the tunnel
    assert await refused(gateway, old) == "session-stolen"  # and anew


async def test_a_handle_is_replaced_once(sign_in: Making, clock: SetClock, database: Database) -> None:
    old = await sign_in()
    await replaced(database, clock, old)
    with pytest.raises(AssertionError):
        await replaced(database, clock, old)


async def test_two_places_at_once_end_it(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, text = await gateways(), await sign_in()
    findings: list[Finding] = []
    for peer in (HERE, THERE, HERE):
        assert await gateway.verify(text, peer, findings=findings)
        clock.advance(5)
    assert findings == []
    assert await refused(gateway, text, THERE, findings=findings) == "session-stolen"
    assert [finding.indicator for finding in findings] == ["session-shared"]
    assert HERE in findings[0].evidence["places"] and THERE in findings[0].evidence["places"]
    assert await refused(gateway, text, HERE) == "session-stolen"
    row = await database.read(lambda connection: connection.execute(select(sessions)).one())
    assert (row.ended_why, row.refresh_token) == ("stolen", None)


async def test_sharing_may_be_reported_only(gateways: Making, sign_in: Making, clock: SetClock) -> None:
    gateway, text = await gateways(sharing="report"), await sign_in()
    findings: list[Finding] = []
    for peer in (HERE, THERE, HERE, THERE):
        assert await gateway.verify(text, peer, findings=findings)
    assert [finding.indicator for finding in findings] == ["session-shared"]


async def test_the_console_is_no_place(gateways: Making, sign_in: Making) -> None:
    gateway, text = await gateways(), await sign_in()
    for _ in range(5):
        assert await gateway.verify(text, HERE) and await gateway.verify(text, "")
        assert gateway.cached(text, "")


async def test_theft_ends_it_here_although_it_cannot_be_written(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, text = await gateways(), await sign_in()

    async def broken(*_: Any, **__: Any) -> None:
        raise TimeoutError("the database is locked by another writer")

    with monkeypatch.context() as patched:
        patched.setattr(database, "run", broken)
        for peer in (HERE, THERE, HERE):
            await gateway.verify(text, peer)
        assert await refused(gateway, text, THERE) == "session-stolen"
        await gateway.look()
        assert await refused(gateway, text, HERE) == "session-stolen"
    await gateway._write_endings()
    assert (await told(database))[-1][0] == "session.stolen"
    assert gateway._ending == {}


# --- the database


async def test_while_it_cannot_be_read_what_is_known_goes_on_for_a_bounded_time(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, text = await gateways(), await sign_in()
    assert await gateway.verify(text, HERE)

    async def broken(_work: Any) -> None:
        raise OSError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(database, "read", broken)
        clock.advance(29)
        await gateway.look()
        assert gateway.cached(text, HERE)
        assert await refused(gateway, handle.make()) == "handle-unknown"
        clock.advance(1)
        assert gateway.cached(text, HERE) is None
        assert await refused(gateway, text) == "sessions-unavailable"
    assert await gateway.verify(text, HERE)
    assert gateway.cached(text, HERE)


async def test_a_database_that_hangs_holds_nobody_for_long(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, text = await gateways(), await sign_in()
    assert await gateway.verify(text, HERE)
    waiting, begun = asyncio.Event(), 0

    async def hangs(_work: Any) -> None:
        nonlocal begun
        begun += 1
        await waiting.wait()

    monkeypatch.setattr("sluicegate.identity.sessions.in_force.PATIENCE", 0.05)
    monkeypatch.setattr(database, "read", hangs)
    assert gateway.cached(text, HERE)
    codes = await asyncio.gather(*(refused(gateway, handle.make()) for _ in range(50)))
    assert set(codes) == {"handle-unknown"}
    assert begun == 1  # nothing piles up behind it
    clock.advance(31)
    assert await refused(gateway, text) == "sessions-unavailable"
    waiting.set()


async def test_a_clock_that_was_set_back_is_not_believed(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway, text = await gateways(), await sign_in()
    assert await gateway.verify(text, HERE)
    clock.advance(-HOUR)
    assert gateway.cached(text, HERE) is None
    assert await gateway.verify(text, HERE)  # after a look at the time of now


async def test_no_change_is_missed_between_looks(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    gateway = await gateways()
    texts = []
    for _ in range(20):
        texts.append(await sign_in())
        await gateway.look()
    assert all(gateway.cached(text, "") for text in texts)


async def test_sweeping_ends_and_removes(
    gateways: Making, sign_in: Making, clock: SetClock, database: Database
) -> None:
    await sign_in()
    clock.advance(HOUR)
    await database.run(lambda connection: store.sweep(connection, clock.now(), clock.now() - 1800))
    assert (await told(database))[-1][1]["why"] == "idle"
    clock.advance(8 * 86_400)
    await database.run(lambda connection: store.sweep(connection, clock.now(), 0.0))
    assert await database.read(lambda connection: connection.execute(select(handles)).all()) == []
    assert await database.read(lambda connection: connection.execute(select(sessions)).all()) == []
