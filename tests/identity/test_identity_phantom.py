"""The phantom token: ours in the place of a service's key, which is how somebody signs in who sets up nothing else."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.exchange import Principal
from sluicegate.identity import handle, phantom
from sluicegate.identity.addon import IdentityAddon
from sluicegate.identity.sessions import store
from sluicegate.settings.model import Identity
from tests.identity.test_identity_addon import Pair, basic, connect_of, flow_of, names, refused, run
from tests.provider import Provider

SignIn = Callable[[str], str]


@pytest.fixture
async def addon(provider: Provider, clock: SetClock, database: Database) -> AsyncIterator[IdentityAddon]:
    addon = IdentityAddon(Identity(issuer=provider.issuer), database, clock)
    await addon.open()
    yield addon
    await addon.close()


@pytest.fixture
async def handles(provider: Provider, clock: SetClock, database: Database, addon: IdentityAddon) -> dict[str, str]:
    """Of two people who have signed in."""
    made = {}
    for person in ("ada", "mallory"):
        text, who = handle.make(), Principal(person, provider.issuer)
        sign_in = store.SignIn(who, None, "laptop", "", clock.now() + 28_800, None, None)
        await database.run(
            lambda connection, one=sign_in, key=text: store.begin(connection, one, handle.digest(key), clock.now())
        )
        made[person] = text
    await addon.recognizer.sessions.look()
    return made


PLACES: dict[str, Callable[[str], Pair]] = {
    "bearer": lambda t: (b"Authorization", f"Bearer {t}".encode()),
    "x-api-key": lambda t: (b"X-Api-Key", t.encode()),
    "the service's own header": lambda t: (b"DD-API-KEY", t.encode()),
    "a scheme of the service's": lambda t: (b"Authorization", f"Token {t}".encode()),
    "no scheme": lambda t: (b"authorization", t.encode()),
    "basic password": lambda t: (b"Authorization", basic(t, "account")),
    "basic user name": lambda t: (b"Authorization", b"Basic " + base64.b64encode(f"{t}:".encode())),
    "basic user name with a filler": lambda t: (b"Authorization", b"Basic " + base64.b64encode(f"{t}:x".encode())),
}


@pytest.mark.parametrize("kind", ["handle", "token"])
@pytest.mark.parametrize("place", PLACES)
async def test_in_the_place_of_a_key_it_says_who_asks_and_goes_no_further(
    addon: IdentityAddon, provider: Provider, handles: dict[str, str], place: str, kind: str
) -> None:
    text = handles["ada"] if kind == "handle" else provider.token("ada")
    field = PLACES[place](text)
    flow = flow_of(field, (b"Accept", b"*/*"), mode="transparent")
    exchange = await run(addon, "request", flow)
    assert exchange.principal is not None and exchange.principal.subject == "ada"
    assert names(flow) == ["host", "accept"]
    assert field[0].lower().decode() in exchange.secret_headers


@pytest.mark.parametrize("place", PLACES)
async def test_of_one_who_was_signed_out_it_is_refused(
    addon: IdentityAddon, handles: dict[str, str], database: Database, clock: SetClock, provider: Provider, place: str
) -> None:
    def end(connection: object) -> None:
        found = store.in_force_of(connection, provider.issuer, "ada")  # type: ignore[arg-type]
        store.end(connection, found, clock.now(), by="ada", why="logout")  # type: ignore[arg-type]

    await database.run(end)
    await addon.recognizer.sessions.look()
    refusal = await refused(addon, "request", flow_of(PLACES[place](handles["ada"]), mode="transparent"))
    assert (refusal.status, refusal.code) == (511, "session-logout")


@pytest.mark.parametrize("place", PLACES)
async def test_one_character_changed_is_refused_and_not_sent_on(
    addon: IdentityAddon, handles: dict[str, str], place: str
) -> None:
    text = handles["ada"]
    wrong = text[:20] + ("a" if text[20] != "a" else "b") + text[21:]
    refusal = await refused(addon, "request", flow_of(PLACES[place](wrong), mode="transparent"))
    assert (refusal.status, refusal.code) == (511, "handle-malformed")


async def test_the_services_own_key_beside_it_is_left_alone(addon: IdentityAddon, handles: dict[str, str]) -> None:
    theirs = (b"Authorization", b"Basic dXNlcjpwdw==")
    flow = flow_of(theirs, (b"X-Api-Key", handles["ada"].encode()), mode="transparent")
    exchange = await run(addon, "request", flow)
    assert exchange.principal is not None and exchange.principal.subject == "ada"
    assert flow.request.headers.fields[1:] == (theirs,)


async def test_the_same_one_in_two_places_counts_once(addon: IdentityAddon, handles: dict[str, str]) -> None:
    flow = flow_of(PLACES["bearer"](handles["ada"]), PLACES["x-api-key"](handles["ada"]), mode="transparent")
    assert (await run(addon, "request", flow)).principal is not None
    assert names(flow) == ["host"]


async def test_two_of_them_are_nobodys(addon: IdentityAddon, handles: dict[str, str], provider: Provider) -> None:
    for second in (handles["mallory"], provider.token("ada")):
        flow = flow_of(PLACES["bearer"](handles["ada"]), PLACES["x-api-key"](second), mode="transparent")
        refusal = await refused(addon, "request", flow)
        assert (refusal.status, refusal.code) == (400, "credential-ambiguous")


@pytest.mark.parametrize("key", [b"sk_live_abc", b"eyJub3QgYSB0b2tlbg", b"", b"x slg_ y"])
async def test_a_key_that_is_none_of_ours_signs_nobody_in(addon: IdentityAddon, key: bytes) -> None:
    refusal = await refused(addon, "request", flow_of((b"X-Api-Key", key), mode="transparent"))
    assert (refusal.status, refusal.code) == (511, "sign-in-required")


async def test_in_the_address_it_is_refused(addon: IdentityAddon, handles: dict[str, str]) -> None:
    flow = flow_of(PLACES["bearer"](handles["ada"]), mode="transparent")
    flow.request.path = f"/rows?api_key={handles['mallory']}"
    assert (await refused(addon, "request", flow)).code == "credential-misplaced"


@pytest.mark.parametrize("place", PLACES)
async def test_behind_a_proxy_credential_no_handle_reaches_the_service(
    addon: IdentityAddon, handles: dict[str, str], provider: Provider, place: str
) -> None:
    """Somebody who had an older sign-in of their own in the place of a key; and somebody with another's."""
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    await run(addon, "http_connect", connect)
    flow = flow_of(PLACES[place](handles["ada"]), (b"X-Kept", b"1"), connection=connect)
    exchange = await run(addon, "request", flow)
    assert exchange.principal is not None and exchange.principal.subject == "ada"
    assert names(flow) == ["host", "x-kept"]
    stolen = flow_of(PLACES[place](handles["mallory"]), connection=connect)
    assert (await refused(addon, "request", stolen)).code == "credential-mismatch"
    assert names(stolen) == ["host"]


async def test_a_handle_inside_a_cookie_does_not_reach_the_service(
    addon: IdentityAddon, handles: dict[str, str], provider: Provider
) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    await run(addon, "http_connect", connect)
    flow = flow_of((b"Cookie", b"a=1; k=" + handles["ada"].encode()), (b"X-Log", b"slg_short"), connection=connect)
    await run(addon, "request", flow)
    assert names(flow) == ["host", "x-log"]


@given(st.binary(max_size=40), st.binary(max_size=200))
def test_nothing_that_stands_in_a_header_breaks_the_search(name: bytes, value: bytes) -> None:
    for text in phantom.standing_in(name, value):
        assert text.startswith(("slg_", "ey")) and text.isascii()
