"""Two gateways and a console, each with a connection of its own to one PostgreSQL: what ends on one ends on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.people import PEOPLE
from demo.provider_state import SignIn
from sluicegate.clock import SetClock, SystemClock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Finding, Principal, Target
from sluicegate.identity import handle
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sessions import addresses, service_tokens, store
from sluicegate.identity.sessions.in_force import GRACE_SECONDS, SessionsInForce
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.identity.sign_in.sign_ins import Proof, SignIns
from sluicegate.settings import State
from sluicegate.settings.model import Identity
from tests.postgres import Postgres
from tests.provider import Provider

SETTINGS = Identity(issuer="https://idp.example", address_sign_in=True)
ADA, LINUS = (Principal(name, SETTINGS.issuer) for name in ("ada", "linus"))
HERE = "192.0.2.10"


class Site:
    """One database, and whoever is connected to it."""

    def __init__(self, console: Database, gateways: list[SessionsInForce], clock: SetClock) -> None:
        self.console, self.gateways, self.clock = console, gateways, clock

    async def sign_in(self, who: Principal = ADA) -> tuple[str, store.Session]:
        text, now = handle.make(), self.clock.now()
        values = store.SignIn(who, "sid-1", "laptop", HERE, now + 28_800, None, None)
        begun = await self.console.run(lambda connection: store.begin(connection, values, handle.digest(text), now))
        return text, begun

    async def look(self) -> None:
        for gateway in self.gateways:
            await gateway.look()

    async def codes(self, text: str) -> list[str]:
        found = []
        for gateway in self.gateways:
            try:
                found.append((await gateway.verify(text, HERE)).subject)
            except Refusal as refusal:
                found.append(refusal.code)
        return found


@pytest.fixture
async def site(postgres: Postgres, tmp_path: Path, clock: SetClock) -> AsyncIterator[Site]:
    url = postgres.new()
    databases = [Database(url) for _ in range(3)]
    for database in databases:
        await database.open()
    gateways = [SessionsInForce(SETTINGS, one, clock, looks_by_itself=False) for one in databases[1:]]
    for gateway in gateways:
        await gateway.open()
    yield Site(databases[0], gateways, clock)
    for part in (*gateways, *databases):
        await part.close()


async def test_ended_by_an_operator_it_is_refused_on_both(site: Site) -> None:
    text, session = await site.sign_in()
    assert await site.codes(text) == ["ada", "ada"]
    now = site.clock.now()
    await site.console.run(lambda connection: store.end(connection, [session], now, by="olga", why="operator"))
    await site.look()
    assert await site.codes(text) == ["session-operator", "session-operator"]
    assert [gateway.cached(text, HERE) for gateway in site.gateways] == [None, None]


async def test_theft_that_one_gateway_sees_ends_it_on_the_other(site: Site) -> None:
    text, session = await site.sign_in()
    assert await site.codes(text) == ["ada", "ada"]
    new, now = handle.make(), site.clock.now()
    await site.console.run(
        lambda connection: store.supersede(connection, session, handle.digest(text), handle.digest(new), now)
    )
    await site.look()
    assert await site.codes(new) == ["ada", "ada"]
    site.clock.advance(GRACE_SECONDS)
    await site.look()
    findings: list[Finding] = []
    with pytest.raises(Refusal, match="session-stolen"):
        await site.gateways[0].verify(text, HERE, findings=findings)
    assert [finding.indicator for finding in findings] == ["session-handle-reused"]
    await site.look()
    assert await site.codes(new) == ["session-stolen", "session-stolen"]


async def test_of_two_that_replace_one_handle_at_once_one_does(site: Site, postgres: Postgres) -> None:
    text, session = await site.sign_in()
    new, now = [handle.make() for _ in range(2)], site.clock.now()

    async def replace(database: Database, by: str) -> Any:
        return await database.run(
            lambda connection: store.supersede(connection, session, handle.digest(text), handle.digest(by), now)
        )

    others = [site.console, site.gateways[0]._database]
    done = await asyncio.gather(*(replace(database, by) for database, by in zip(others, new, strict=True)))
    assert sorted(done) == [False, True]
    await site.look()
    good = new[done.index(True)]
    assert await site.codes(good) == ["ada", "ada"]
    assert await site.codes(new[done.index(False)]) == ["handle-unknown", "handle-unknown"]


async def test_a_token_that_counts_once_counts_once_for_all_consoles(site: Site) -> None:
    databases = [site.console, *(gateway._database for gateway in site.gateways)]
    used = await asyncio.gather(
        *(one.run(lambda connection: store.use_once(connection, b"x" * 32, 1e12)) for one in databases)
    )
    assert sorted(used) == [False, False, True]


async def test_tokens_for_services_are_fetched_by_one_and_read_by_both(site: Site) -> None:
    target, taken = Target("chunks", audience="a"), [[], []]
    for gateway, found in zip(site.gateways, taken, strict=True):
        gateway.granted = found.extend
    _, session = await site.sign_in()
    databases = [site.console, *(gateway._database for gateway in site.gateways)]

    async def claimed(due: float | None, until: float) -> list[bool]:
        return sorted(
            await asyncio.gather(
                *(
                    one.run(lambda connection: service_tokens.claim(connection, session.id, target, due, until))
                    for one in databases
                )
            )
        )

    assert await claimed(None, 10.0) == [False, False, True] == await claimed(10.0, 20.0)
    token = service_tokens.ServiceToken(session.id, target, 1.0, 1e12, 2.0, sealed=b"sealed")
    await site.console.run(lambda connection: service_tokens.write(connection, [token]))
    await site.look()
    assert taken == [[token], [token]]
    await site.console.run(lambda connection: store.end(connection, [session], 3.0, by="ada", why="logout"))
    await site.console.run(lambda connection: service_tokens.write(connection, [token]))
    assert await claimed(None, 30.0) == [False] * 3
    assert await site.console.read(service_tokens.due_times) == {}


async def test_an_address_is_taken_over_on_both(site: Site) -> None:
    for who in (ADA, LINUS):
        _, session = await site.sign_in(who)
        now = site.clock.now()
        await site.console.run(
            lambda connection, of=session, at=now: store.take_address(connection, of, addresses.digest(HERE), HERE, at)
        )
        await site.look()
        found = [gateway.cached_at(HERE) for gateway in site.gateways]
        assert [one.subject for one in found if one] == [who.subject] * 2


async def test_the_whole_of_a_sign_in(postgres: Postgres, tmp_path: Path) -> None:
    """An ID token for a handle, once; and the provider's logout, once."""
    with Provider() as provider:
        settings, clock, database = Identity(issuer=provider.issuer), SystemClock(), Database(postgres.new())
        recognizer = Recognizer(settings, database, clock)
        sign_ins = SignIns(settings, recognizer, database, Sealing(State(tmp_path).open()), clock)
        for part in (database, recognizer, sign_ins):
            await part.open()
        try:
            token = provider.state.id_token(SignIn(PEOPLE["ada"], "sid-of-ada"))
            begun = await sign_ins.begin(Proof(token, refresh_token="r"), HERE)
            with pytest.raises(Refusal, match="token-used"):
                await sign_ins.begin(Proof(token), HERE)
            assert (await recognizer.verify(begun.handle, HERE)).groups == {"engineering"}
            logout = provider.state.logout_token(sid="sid-of-ada")
            assert await sign_ins.logged_out(logout) == 1
            with pytest.raises(Refusal, match="logout-replayed"):
                await sign_ins.logged_out(logout)
            with pytest.raises(Refusal, match="session-provider"):
                await recognizer.verify(begun.handle, HERE)
        finally:
            for part in (sign_ins, recognizer, database):
                await part.close()
