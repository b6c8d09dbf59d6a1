"""Tokens for services that a console fetches at sign-in: there before the first request, on every gateway, and renewed
while the session is in use."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.people import GATEWAY_SECRET
from sluicegate.database import Database
from sluicegate.database.tables import service_tokens as table
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal, Target
from sluicegate.identity.on_behalf import ahead as renewing
from sluicegate.identity.on_behalf.ahead import Ahead
from sluicegate.identity.sessions import service_tokens, store
from sluicegate.identity.sessions.session import Session
from sluicegate.identity.sign_in.sealing import SERVICE_TOKEN
from sluicegate.settings import Settings
from tests.identity.test_identity_on_behalf import CHUNKS, Shifted, Site
from tests.provider import Provider

OTHER = Target("other", audience="chunk-service", scope="read")


class Desk:
    """A console's part, and two gateways on the same database."""

    def __init__(self, provider: Provider, database: Database, folder: Path) -> None:
        self.provider, self.database, self.clock = provider, database, Shifted()
        self.one, self.two = (Site(provider, database, folder, clock=self.clock, wait_seconds=0.0) for _ in range(2))
        self.allowed = {"chunks"}
        self.ahead, self.another = (self.console() for _ in range(2))

    def console(self) -> Ahead:
        return Ahead(
            self.one.settings, [CHUNKS, OTHER], lambda who, service: service in self.allowed, self.one.recognizer,
            self.database, self.one.sealing, {"SECRET": GATEWAY_SECRET}, self.clock,
        )  # fmt: skip

    async def signs_in(self, person: str = "ada") -> tuple[Principal, str]:
        who, text = await self.one.signed_in(person)
        session = self.one.recognizer.sessions.known(who.session)
        assert session is not None
        sealed = await self.database.read(lambda connection: store.subject_token(connection, who.session))
        assert sealed is not None
        await self.ahead.begun(session, sealed)
        await self.look()
        return who, text

    async def look(self) -> None:
        for site in (self.one, self.two):
            await site.recognizer.sessions.look()

    async def end(self, who: Principal) -> None:
        session = self.one.recognizer.sessions.known(who.session)
        assert isinstance(session, Session)
        await self.database.run(
            lambda connection: store.end(connection, [session], self.clock.now(), by="ada", why="logout")
        )

    def held(self, who: Principal, text: str, target: Target = CHUNKS) -> list[str | None]:
        return [site.tokens.cached(who, text, target) for site in (self.one, self.two)]

    async def rows(self) -> list[Any]:
        return await self.database.read(lambda connection: list(connection.execute(table.select())))

    @property
    def calls(self) -> int:
        return self.provider.hits["/token"]


@pytest.fixture
def provider() -> Any:
    with Provider() as running:
        yield running


@pytest.fixture
async def desk(provider: Provider, database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(provider, database, tmp_path)
    for site in (desk.one, desk.two):
        await site.recognizer.open()
        await site.tokens.open()
    for console in (desk.ahead, desk.another):
        await console._exchanger.open()  # without its task: tests go round by hand
    yield desk
    for part in (desk.ahead, desk.another, desk.one.tokens, desk.two.tokens):
        await part.close()
    for site in (desk.one, desk.two):
        await site.recognizer.close()


async def test_it_is_on_every_gateway_before_the_first_request(desk: Desk) -> None:
    who, text = await desk.signs_in()
    first, second = desk.held(who, text)
    assert first is not None and first == second and desk.calls == 1
    assert desk.one.says(first)["sub"] == "ada"
    assert desk.held(who, text, OTHER) == [None, None]  # the policy leaves ada no use of it
    assert desk.one.tokens._flights == {} == desk.two.tokens._flights


async def test_a_gateway_that_starts_has_it_too(desk: Desk, tmp_path: Path) -> None:
    who, text = await desk.signs_in()
    late = Site(desk.provider, desk.database, tmp_path, wait_seconds=0.0)
    await late.recognizer.open()
    assert late.tokens.cached(who, text, CHUNKS) == desk.held(who, text)[0]
    await late.recognizer.close()


async def test_the_first_request_may_come_before_the_gateway_has_looked(desk: Desk) -> None:
    who, text = await desk.signs_in()
    desk.clock.ahead = 155
    assert await desk.ahead.round() == 1
    for site in (desk.one, desk.two):
        site.tokens._kept.clear()
    calls = desk.calls
    found = {await site.tokens.obtain(who, text, CHUNKS) for site in (desk.one, desk.two)}
    assert len(found) == 1 and desk.calls == calls and not desk.one.tokens._flights


async def test_what_is_kept_cannot_be_read_or_put_under_somebody_else(desk: Desk, caplog: Any) -> None:
    who, text = await desk.signs_in()
    other, handle = await desk.signs_in("grace")
    token = desk.held(who, text)[0]
    assert token is not None
    (row,) = [row for row in await desk.rows() if row.session == who.session]
    assert token.encode() not in row.sealed and token not in str(row)
    for purpose in ("", "\0subject token"):
        with pytest.raises(ValueError, match="cannot be opened"):
            desk.one.sealing.open(row.sealed, "ada", purpose)
    assert desk.one.sealing.open(row.sealed, "ada", SERVICE_TOKEN) == token
    before = desk.held(other, handle)
    moved = service_tokens.ServiceToken(other.session, CHUNKS, desk.clock.now(), row.until, row.due, sealed=row.sealed)
    await desk.database.run(lambda connection: service_tokens.write(connection, [moved]))
    await desk.look()
    assert desk.held(other, handle) == before and "cannot be opened" in caplog.text


async def test_it_is_renewed_while_the_session_is_in_use(desk: Desk) -> None:
    who, text = await desk.signs_in()
    first = desk.held(who, text)[0]
    assert await desk.ahead.round() == 0
    desk.clock.ahead = 155  # of 300: before gateways would begin to fetch it themselves
    assert await desk.ahead.round() == 1 and await desk.another.round() == 0
    await desk.look()
    second = desk.held(who, text)
    assert second[0] == second[1] != first and None not in second and desk.calls == 2
    desk.clock.ahead = 155 + 1800 + 40
    assert await desk.ahead.round() == 0  # nobody has used it for as long as a sign-in may go unused


async def test_of_two_consoles_one_fetches(desk: Desk) -> None:
    who, text = await desk.signs_in()
    desk.clock.ahead = 155
    assert sum(await asyncio.gather(desk.ahead.round(), desk.another.round())) >= 1
    assert desk.calls == 2


async def test_it_goes_with_the_session(desk: Desk) -> None:
    who, text = await desk.signs_in()
    await desk.end(who)
    await desk.look()
    assert desk.held(who, text) == [None, None] and await desk.rows() == []
    desk.clock.ahead = 155
    assert await desk.ahead.round() == 0


async def test_a_session_that_ends_while_the_provider_is_asked_gets_none(desk: Desk, provider: Provider) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        arrived.set()
        go_on.wait(60)

    provider.answers["/token"] = slowly
    who, text = await desk.one.signed_in()
    asking = asyncio.create_task(desk.ahead.round())
    assert await asyncio.to_thread(arrived.wait, 60)
    await desk.end(who)
    go_on.set()
    assert await asking == 1
    await desk.look()
    assert await desk.rows() == [] and desk.held(who, text) == [None, None]


async def test_a_provider_that_is_down_keeps_nobody_from_signing_in(desk: Desk, provider: Provider) -> None:
    provider.answers["/token"] = lambda: ("down", 503)
    who, text = await desk.signs_in()
    assert desk.held(who, text) == [None, None]
    del provider.answers["/token"]
    assert await desk.ahead.round() == 0  # it is left alone for a while
    desk.clock.ahead = 31
    assert await desk.ahead.round() == 1
    await desk.look()
    assert None not in desk.held(who, text)


async def test_a_provider_that_is_down_takes_nothing_away(desk: Desk, provider: Provider) -> None:
    who, text = await desk.signs_in()
    first = desk.held(who, text)
    provider.answers["/token"] = lambda: ("down", 503)
    desk.clock.ahead = 155
    assert await desk.ahead.round() == 1
    await desk.look()
    assert desk.held(who, text) == first


async def test_a_sign_in_waits_no_longer_than_the_providers_patience(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "PATIENCE", 0.2)
    released = threading.Event()
    provider.answers["/token"] = lambda: released.wait(60) and None
    who, text = await desk.signs_in()
    released.set()
    assert desk.held(who, text) == [None, None]


async def test_whom_the_provider_refuses_is_told_so_at_once(desk: Desk, provider: Provider) -> None:
    who, text = await desk.signs_in()
    provider.answers["/token"] = lambda: ({"error": "invalid_grant"}, 400)
    desk.clock.ahead = 155
    assert await desk.ahead.round() == 1
    await desk.look()
    assert desk.held(who, text) == [None, None]
    for site in (desk.one, desk.two):
        with pytest.raises(Refusal, match="exchange-refused") as caught:
            await site.tokens.obtain(who, text, CHUNKS)
        assert "invalid_grant" in caught.value.detail and not site.tokens._flights
    del provider.answers["/token"]
    desk.clock.ahead = 155 + 61
    assert await desk.ahead.round() == 1
    await desk.look()
    assert None not in desk.held(who, text)


async def test_what_the_policy_leaves_somebody(tmp_path: Path) -> None:
    from sluicegate.policy.reach import Reach

    services = {name: {"hosts": [f"{name}:1"], "dialect": "chunks"} for name in ("a", "b", "c")}
    rules = [
        {"id": "1", "effect": "allow", "who": ["group:x"], "service": ["a"]},
        {"id": "2", "effect": "hold", "who": ["person:eve"], "dataset": ["of-b"]},
        {"id": "3", "effect": "deny", "who": ["person:mallory"], "reason": "no"},
        {"id": "4", "effect": "deny", "service": ["a"], "columns": ["restricted"]},
        {"id": "5", "effect": "allow", "service": ["c"], "mode": "report"},
        {"id": "6", "effect": "allow", "who": ["person:zoe"], "dataset": ["of-*"]},
    ]
    settings = Settings.model_validate(
        {
            "services": services,
            "datasets": {"of-b": {"service": "b"}},
            "rules": rules,
            "identity": {"issuer": "https://i"},
        }
    )
    reach = Reach(settings)

    def of(subject: str, *groups: str) -> str:
        who = Principal(subject, "https://i", groups=frozenset(groups))
        return "".join(name for name in services if reach.may_use(who, name))

    assert of("ada", "x") == "a" and of("ada") == "" and of("eve") == "b" and of("eve", "x") == "ab"
    assert of("mallory", "x") == "" and of("zoe") == "abc"
