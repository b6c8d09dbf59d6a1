"""Signing in for the address of a machine: the page, the gateways behind a redirect, and the end of it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.people import CLIENT
from sluicegate.clock import SetClock
from sluicegate.console.app import build
from sluicegate.console.guard import COOKIE
from sluicegate.database import Database, events
from sluicegate.identity.addon import IdentityAddon
from sluicegate.identity.sessions import addresses
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.identity.sign_in.sign_ins import Proof, SignIns
from sluicegate.settings import Loaded, Settings, State
from tests.databases import with_tables
from tests.identity.test_identity_addon import flow_of, names, refused, run
from tests.provider import Provider

DESK, OTHER, POOL = "10.9.8.7", "10.9.8.8", "10.1.0.5"
NETWORKS = ("10.0.0.0/24", "fd00::/64")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (DESK, [], DESK),
        ("::ffff:10.9.8.7", [], DESK),
        ("2001:DB8:0:0::1", [], "2001:db8::1"),
        ("10.0.0.1", [DESK], DESK),
        ("10.0.0.1", ["192.0.2.66, 10.9.8.7"], DESK),  # what the browser itself claimed stands before
        ("10.0.0.1", ["192.0.2.66", "10.9.8.7"], DESK),
        ("10.0.0.1", [f"{DESK}, fd00::2"], DESK),
        ("::ffff:10.0.0.1", [f"::ffff:{DESK}"], DESK),
        (DESK, ["10.9.8.9"], None),
        (DESK, [DESK], None),
        (DESK, ["nonsense"], None),
        ("10.0.0.1", [], None),
        ("10.0.0.1", ["10.0.0.2"], None),
        ("10.0.0.1", [""], None),
        ("10.0.0.1", ["unknown"], None),
        ("10.0.0.1", ["10.9.8.7:4711"], None),
        ("", [], None),
    ],
)
def test_where_a_browser_is(peer: str, forwarded: list[str], found: str | None) -> None:
    if found is None:
        with pytest.raises(ValueError):
            addresses.seen(peer, forwarded, NETWORKS)
    else:
        assert addresses.seen(peer, forwarded, NETWORKS) == found


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "fe80::1", "224.0.0.1", POOL, "", "desk"])
def test_addresses_that_are_nobodys(address: str) -> None:
    assert addresses.trouble(address, ["10.1.0.0/16"])
    assert addresses.trouble(DESK, ["10.1.0.0/16"]) is None


class Desk:
    """A console, a gateway, and browsers at whatever address."""

    def __init__(
        self, app: Any, sign_ins: SignIns, addon: IdentityAddon, provider: Provider, database: Database, clock: SetClock
    ) -> None:
        self.app, self.sign_ins, self.addon = app, sign_ins, addon
        self.provider, self.database, self.clock = provider, database, clock

    async def handle(self, person: str) -> str:
        now = int(self.clock.now())
        claims = {"iss": self.provider.issuer, "sub": person, "aud": CLIENT, "iat": now, "exp": now + 60}
        token = self.provider.state.keys.sign({**claims, "name": person, "groups": [], "sid": f"of {person}"})
        return (await self.sign_ins.begin(Proof(token), "")).handle

    async def ask(self, handle: str, method: str = "GET", address: str = DESK, **more: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, client=(address, 4711))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", trust_env=False) as client:
            headers = {"cookie": f"{COOKIE}={handle}", **more.pop("headers", {})}
            return await client.request(method, "/here", headers=headers, **more)

    async def sign_in(self, person: str, address: str = DESK) -> str:
        handle = await self.handle(person)
        (csrf,) = re.findall(r'name="csrf" value="([^"]+)"><button>Sign in for', (await self.ask(handle)).text)
        answer = await self.ask(handle, "POST", address, data={"csrf": csrf})
        assert answer.status_code == 200 and f"Signed in for {address}" in answer.text, answer.text
        await self.addon.recognizer.sessions.look()
        return handle

    async def who(self, address: str = DESK, *fields: tuple[bytes, bytes]) -> Any:
        flow = flow_of(*fields, mode="transparent")
        flow.client_conn.peername = (address, 4711)
        exchange = await run(self.addon, "request", flow)
        assert names(flow) == ["host"]
        return exchange.principal

    async def refused(self, address: str = DESK, **more: Any) -> Any:
        flow = flow_of(**{"mode": "transparent", **more})
        flow.client_conn.peername = (address, 4711)
        return await refused(self.addon, "request", flow)


class Shifted(SetClock):
    def now(self) -> float:
        return time.time() + self.time


@pytest.fixture
def clock() -> Shifted:
    return Shifted(0.0)


@pytest.fixture
async def desk(provider: Provider, tmp_path: Path, clock: Shifted) -> AsyncIterator[Desk]:
    identity = {"issuer": provider.issuer, "address_sign_in": True, "same_place": ["10.1.0.0/16"]}
    settings = Settings.model_validate(
        {"identity": identity, "console": {"in_front": list(NETWORKS), "address": "https://gate.example"}}
    )
    database = with_tables(tmp_path / "x.sqlite3")
    await database.open()
    addon = IdentityAddon(settings.identity, database, clock, console="https://gate.example")
    other = IdentityAddon(settings.identity, database, clock)
    sign_ins = SignIns(settings.identity, other.recognizer, database, Sealing(State(tmp_path).open()), clock)
    parts = (addon, other, sign_ins)
    for one in parts:
        await one.open()
    app = build(Loaded(settings, "0" * 64, Path("policy.toml"), {}), database, other.recognizer, clock, sign_ins)
    yield Desk(app, sign_ins, addon, provider, database, clock)
    for one in parts:
        await one.close()
    await database.close()


@pytest.fixture
def provider() -> Any:
    with Provider() as running:
        yield running


async def test_without_a_credential_they_are_told_where_to_sign_in(desk: Desk) -> None:
    refusal = await desk.refused()
    assert (refusal.status, refusal.code) == (511, "sign-in-required")
    assert refusal.members == {"sign_in_url": "https://gate.example/here"} and "/here" in refusal.next_step


async def test_whoever_signed_in_for_the_address_asks_from_there_at_the_lowest_level(desk: Desk) -> None:
    await desk.sign_in("ada")
    for _ in range(2):
        who = await desk.who()
        assert (who.subject, who.assurance, who.device) == ("ada", "network", f"address {DESK}")
    assert (await desk.who(f"::ffff:{DESK}")).subject == "ada"
    assert (await desk.refused(OTHER)).code == "sign-in-required"
    (event,) = [one for one in await desk.database.read(events.waiting) if one.kind == "session.address"]
    assert (event.body["subject"], event.body["address"]) == ("ada", DESK)


async def test_it_says_nothing_behind_a_proxy(desk: Desk) -> None:
    """Who sets a proxy up can send a credential, and is told so."""
    await desk.sign_in("ada")
    assert (await desk.refused(mode="regular")).status == 407


async def test_a_credential_that_comes_is_what_counts(desk: Desk) -> None:
    await desk.sign_in("ada")
    grace = await desk.handle("grace")
    who = await desk.who(DESK, (b"X-Api-Key", grace.encode()))
    assert (who.subject, who.assurance) == ("grace", "bearer")
    flow = flow_of((b"X-Api-Key", grace[:-1].encode()), mode="transparent")
    flow.client_conn.peername = (DESK, 4711)
    assert (await refused(desk.addon, "request", flow)).code == "handle-malformed"


async def test_it_ends_by_itself_and_with_the_session(desk: Desk, clock: Shifted) -> None:
    handle = await desk.sign_in("ada")
    for _ in range(3):
        clock.advance(1190)
        await desk.addon.recognizer.sessions.look()
        assert (await desk.who()).subject == "ada"  # in use, so the session is not idle
    clock.advance(31)
    assert (await desk.refused()).code == "sign-in-required"
    handle = await desk.sign_in("ada")
    assert (await desk.who()).subject == "ada"
    person = await desk.addon.recognizer.verify(handle)
    await desk.sign_ins.end(person.session or "", person, operator=False)
    await desk.addon.recognizer.sessions.look()
    assert (await desk.refused()).code == "sign-in-required"


async def test_an_address_that_is_not_used_is_forgotten_like_a_session(desk: Desk, clock: Shifted) -> None:
    await desk.sign_in("ada")
    clock.advance(1801)
    assert (await desk.refused()).code == "sign-in-required"


async def test_the_next_person_takes_the_address_over(desk: Desk) -> None:
    await desk.sign_in("ada")
    await desk.sign_in("grace")
    assert (await desk.who()).subject == "grace"
    await desk.sign_in("ada")
    assert (await desk.who()).subject == "ada"


async def test_the_page_takes_no_address_from_the_browser(desk: Desk) -> None:
    handle = await desk.handle("ada")
    claimed = {"x-forwarded-for": OTHER}
    assert (await desk.ask(handle, headers=claimed)).status_code == 403
    (csrf,) = re.findall(r'value="([^"]+)"><button>Sign in for', (await desk.ask(handle)).text)
    for address, headers in ((DESK, claimed), (POOL, {}), ("10.0.0.1", {}), ("127.0.0.1", {})):
        assert (await desk.ask(handle, "POST", address, data={"csrf": csrf}, headers=headers)).status_code == 403
    assert (await desk.ask(handle, "POST", data={"csrf": "x"})).status_code == 403
    assert (await desk.ask("", "POST", data={"csrf": csrf})).status_code == 303
    for address in (DESK, OTHER, POOL, "127.0.0.1"):
        assert (await desk.refused(address)).code == "sign-in-required"


async def test_where_the_policy_does_not_offer_it_there_is_none(desk: Desk, tmp_path: Path, clock: Shifted) -> None:
    await desk.sign_in("ada")
    settings = Settings.model_validate({"identity": {"issuer": desk.provider.issuer}})
    addon = IdentityAddon(settings.identity, desk.database, clock, console="https://gate.example")
    await addon.open()
    flow = flow_of(mode="transparent")
    flow.client_conn.peername = (DESK, 4711)
    refusal = await refused(addon, "request", flow)
    assert refusal.code == "sign-in-required" and not refusal.members
    app = build(
        Loaded(settings, "0" * 64, Path("policy.toml"), {}), desk.database, addon.recognizer, clock, desk.sign_ins
    )
    desk.app = app
    assert (await desk.ask(await desk.handle("ada"))).status_code == 404
    await addon.close()


async def test_while_sessions_cannot_be_read_nobody_is_taken_for_somebody(
    desk: Desk, clock: Shifted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.sign_in("ada")

    async def broken(_work: Any) -> Any:
        raise OSError("database is locked")

    monkeypatch.setattr(desk.database, "read", broken)
    clock.advance(31)
    assert (await desk.refused()).code == "sessions-unavailable"
