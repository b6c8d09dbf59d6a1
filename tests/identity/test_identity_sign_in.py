"""The console's routes for signing in and for sessions, on a real provider: what is believed, and what it is worth."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.people import CLIENT, PEOPLE
from demo.provider_state import Refresh, SignIn, half_hash
from sluicegate.clock import SystemClock
from sluicegate.console.app import build
from sluicegate.database import Database, events
from sluicegate.errors import Refusal
from sluicegate.identity.provider import ProviderTrouble
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sign_in.refreshing import Refreshing
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.settings import Loaded, Settings, State
from tests.databases import with_tables
from tests.provider import DROP, Provider

HERE = "192.0.2.10"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Shifted(SystemClock):
    """The machine's clock, ahead: the provider dates its tokens by that of the machine."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Site:
    provider: Provider
    client: httpx2.AsyncClient
    database: Database
    gateway: Recognizer
    """A gateway beside the console: another process would see the same."""
    sign_ins: SignIns
    refreshing: Refreshing
    clock: Shifted
    sealing: Sealing

    def signed_in(self, person: str = "ada", session: str | None = None) -> SignIn:
        return SignIn(PEOPLE[person], session or secrets.token_hex(8))

    def id_token(self, person: str = "ada", *, header: dict[str, Any] | None = None, **overrides: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.provider.issuer,
            "sub": person,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 3600,
            "sid": "sid-" + secrets.token_hex(4),
            "name": PEOPLE[person].name,
            "groups": list(PEOPLE[person].groups),
            **overrides,
        }
        claims = {name: value for name, value in claims.items() if value is not DROP}
        return self.provider.state.keys.sign(claims, header)

    def refresh_token(self, sign_in: SignIn) -> str:
        text = secrets.token_urlsafe(16)
        self.provider.state.refreshes[text] = Refresh(text, sign_in, "openid offline_access", CLIENT)
        return text

    async def begin(self, **body: Any) -> httpx2.Response:
        return await self.client.post("/api/sign-in", content=json.dumps(body).encode(), headers=JSON)

    async def handle(self, person: str = "ada", **more: Any) -> str:
        answer = await self.begin(id_token=self.id_token(person), **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["handle"])

    async def call(self, handle: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {handle}", **JSON}
        content = None if body is None else json.dumps(body).encode()
        return await self.client.request(method, path, headers=headers, content=content)

    async def logout(self, token: str) -> httpx2.Response:
        return await self.client.post("/oidc/backchannel-logout", data={"logout_token": token}, headers=FORM)

    async def told(self, kind: str) -> list[dict[str, Any]]:
        return [dict(one.body) for one in await self.database.read(events.waiting) if one.kind == kind]


@pytest.fixture
def provider() -> Any:
    with Provider() as running:
        yield running


@asynccontextmanager
async def serving(provider: Provider, folder: Path, **identity: Any) -> AsyncIterator[Site]:
    """A console on a provider, and a gateway's part beside it."""
    settings = Settings.model_validate(
        {
            "identity": {
                "issuer": provider.issuer,
                "refresh_seconds": 10.0,
                "relation_claims": ["manager", "team"],
                **identity,
            },
            "console": {"operators": ["group:data-stewards"]},
        }
    )
    clock, database, sealing = Shifted(), with_tables(folder / "x.sqlite3"), Sealing(State(folder).open())
    await database.open()
    recognizer, gateway = (Recognizer(settings.identity, database, clock) for _ in range(2))
    sign_ins = SignIns(settings.identity, recognizer, database, sealing, clock)
    for one in (recognizer, gateway, sign_ins):
        await one.open()
    app = build(Loaded(settings, "0" * 64, Path("policy.toml"), {}), database, recognizer, clock, sign_ins)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8090", trust_env=False) as client:
        refreshing = Refreshing(settings.identity, sign_ins, database, clock)
        yield Site(provider, client, database, gateway, sign_ins, refreshing, clock, sealing)
    for one in (sign_ins, gateway, recognizer, database):
        await one.close()


@pytest.fixture
async def site(provider: Provider, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(provider, tmp_path) as site:
        yield site


def code_of(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.json()['type'].removeprefix('urn:sluicegate:')}"


# --- signing in


async def test_what_a_workstation_has_to_know_is_open(site: Site) -> None:
    answer = await site.client.get("/api/sign-in")
    assert answer.json() == {
        "issuer": site.provider.issuer,
        "client_id": CLIENT,
        "scopes": ["openid", "profile", "groups", "offline_access"],
        "device": True,
        "gateway": "127.0.0.1:8080",
    }


async def test_an_id_token_for_a_handle(site: Site) -> None:
    access = site.provider.token("ada")
    more = {"auth_time": NOW, "manager": "grace", "team": ["a", 1]}
    token = site.id_token("ada", nonce="n-1", at_hash=half_hash(access), **more)
    answer = await site.begin(id_token=token, access_token=access, nonce="n-1", device="lapt\nop\x1b[31m")
    document = answer.json()
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert document["session"]["device"] == "laptop[31m" and document["session"]["state"] == "active"
    who = await site.gateway.verify(document["handle"], HERE)
    assert (who.subject, who.name, who.groups) == ("ada", "Ada Lovelace", {"engineering"})
    assert (who.authenticated, who.relations) == (float(NOW), {("manager", "grace"), ("team", "a")})
    (started,) = await site.told("session.started")
    assert started["subject"] == "ada" and document["handle"] not in str(started)


async def test_groups_that_stand_in_no_id_token_come_from_userinfo(site: Site) -> None:
    token = site.id_token("ada", groups=DROP, name=DROP)
    handle = await site.begin(id_token=token, access_token=site.provider.token("ada"))
    who = await site.gateway.verify(handle.json()["handle"], HERE)
    assert (who.groups, who.name) == ({"engineering"}, "Ada Lovelace")


async def test_userinfo_of_somebody_else_is_refused(site: Site) -> None:
    token = site.id_token("ada", groups=DROP)
    answer = await site.begin(id_token=token, access_token=site.provider.token("linus"))
    assert code_of(answer) == "401 token-subject"


async def test_without_any_word_about_groups_there_are_none(site: Site) -> None:
    answer = await site.begin(id_token=site.id_token("ada", groups=DROP))
    assert (await site.gateway.verify(answer.json()["handle"], HERE)).groups == frozenset()


NOW = int(time.time())


def _now() -> int:
    return int(time.time())


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "nonce missing": ("token-nonce", {}),
    "nonce of another sign-in": ("token-nonce", {"nonce": "n-2"}),
    "nonce is a number": ("token-nonce", {"nonce": 1}),
    "at_hash wrong": ("token-at-hash", {"nonce": "n-1", "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    "at_hash null": ("token-at-hash", {"nonce": "n-1", "at_hash": 0}),
    "aud is the gateway": ("token-audience", {"nonce": "n-1", "aud": "sluicegate"}),
    "aud is another client": ("token-audience", {"nonce": "n-1", "aud": CLIENT + "x"}),
    "two audiences, no azp": ("token-party", {"nonce": "n-1", "aud": [CLIENT, "other"]}),
    "azp is another": ("token-party", {"nonce": "n-1", "azp": "other"}),
    "iss with a slash": ("token-issuer", {"nonce": "n-1", "iss": "SLASH"}),
    "iat eleven minutes ago": ("token-stale", {"nonce": "n-1", "iat": timedelta(seconds=-660)}),
    "iat 90 s ahead": ("token-not-yet-valid", {"nonce": "n-1", "iat": timedelta(seconds=90)}),
    "exp 90 s ago": ("token-expired", {"nonce": "n-1", "iat": timedelta(seconds=-500), "exp": timedelta(seconds=-90)}),
    "exp missing": ("token-time", {"nonce": "n-1", "exp": DROP}),
    "sub missing": ("token-subject", {"nonce": "n-1", "sub": DROP}),
    "sub a list": ("token-subject", {"nonce": "n-1", "sub": ["ada"]}),
    "sid a list": ("token-session", {"nonce": "n-1", "sid": ["x"]}),
    "groups a text": ("token-groups", {"nonce": "n-1", "groups": "engineering"}),
    "a logout token": ("token-type", {"nonce": "n-1", "events": {}}),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_id_token_is_refused(site: Site, case: str) -> None:
    code, overrides = BAD[case]
    now = int(time.time())  # the table may have been made minutes ago
    overrides = {k: now + int(v.total_seconds()) if isinstance(v, timedelta) else v for k, v in overrides.items()}
    if overrides.get("iss") == "SLASH":
        overrides = {**overrides, "iss": site.provider.issuer + "/"}
    access = site.provider.token("ada")
    token = site.id_token("ada", **{"at_hash": half_hash(access), **overrides})
    answer = await site.begin(id_token=token, access_token=access, nonce="n-1")
    assert code_of(answer) == f"401 {code}"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert token not in answer.text


async def test_a_nonce_that_nobody_began_with_is_refused(site: Site) -> None:
    assert code_of(await site.begin(id_token=site.id_token("ada", nonce="n-1"))) == "401 token-nonce"


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "secevent+jwt"])
async def test_other_kinds_of_token_are_no_id_tokens(site: Site, typ: str) -> None:
    answer = await site.begin(id_token=site.id_token("ada", header={"typ": typ}))
    assert code_of(answer) == "401 token-type"


async def test_an_access_token_is_no_id_token_and_an_id_token_no_access_token(site: Site) -> None:
    assert code_of(await site.begin(id_token=site.provider.token("ada"))) == "401 token-type"
    for token in (
        site.id_token("ada", nonce="n"),
        site.id_token("ada", aud=[CLIENT, "sluicegate"], azp="sluicegate", nonce="n"),
    ):
        with pytest.raises(Refusal) as caught:
            await site.gateway.verify(token, HERE)
        assert caught.value.code in ("token-audience", "token-type")


async def test_an_id_token_counts_once(site: Site) -> None:
    token = site.id_token("ada")
    assert (await site.begin(id_token=token)).status_code == 200
    assert code_of(await site.begin(id_token=token)) == "401 token-used"


async def test_a_forged_signature_is_refused(site: Site, provider: Provider) -> None:
    token = site.id_token("ada")
    head, body, signature = token.split(".")
    other = site.id_token("linus").split(".")[1]
    assert code_of(await site.begin(id_token=f"{head}.{other}.{signature}")) == "401 token-signature"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id_token": 1}', b'{"id_token": "a", "more": 1}', b"\xff", b"{" * 10_000]
)
async def test_bodies_that_are_none(site: Site, body: bytes) -> None:
    answer = await site.client.post("/api/sign-in", content=body, headers=JSON)
    assert code_of(answer) == "400 body-not-understood"


async def test_bodies_that_are_too_large(site: Site) -> None:
    answer = await site.begin(id_token="x" * 70_000)
    assert code_of(answer) == "413 body-too-large"
    assert code_of(await site.begin(id_token="x" * 30_000)) == "401 token-too-long"


async def test_with_the_provider_down_nobody_new_signs_in_and_the_others_go_on(site: Site) -> None:
    handle = await site.handle("ada")
    assert await site.gateway.verify(handle, HERE)
    token = site.id_token("linus", groups=DROP)
    site.provider.stop()
    answer = await site.begin(id_token=token, access_token=site.provider.token("linus"))
    assert code_of(answer) == "503 identity-unavailable"
    assert await site.gateway.verify(handle, HERE)
    assert site.gateway.cached(handle, HERE)
    assert (await site.call(handle, "GET", "/api/session")).status_code == 200


# --- sessions


async def test_who_am_i(site: Site) -> None:
    handle = await site.handle("linus")
    mine = (await site.call(handle, "GET", "/api/session")).json()
    assert (mine["subject"], mine["groups"], mine["assurance"], mine["operator"]) == (
        "linus", ["data-stewards"], "bearer", True,
    )  # fmt: skip
    assert mine["session"]["state"] == "active"
    by_token = (await site.call(site.provider.token("ada"), "GET", "/api/session")).json()
    assert (by_token["subject"], by_token["session"], by_token["operator"]) == ("ada", None, False)


async def test_everybody_sees_their_own_and_operators_all(site: Site) -> None:
    ada, linus = await site.handle("ada"), await site.handle("linus")
    own = (await site.call(ada, "GET", "/api/sessions")).json()["sessions"]
    assert [(one["subject"], one["current"]) for one in own] == [("ada", True)]
    assert code_of(await site.call(ada, "GET", "/api/sessions?all=1")) == "403 not-an-operator"
    every = (await site.call(linus, "GET", "/api/sessions?all=1")).json()["sessions"]
    assert {one["subject"] for one in every} == {"ada", "linus"}
    assert ada not in str(every)


async def test_one_ends_ones_own_and_an_operator_anybodys(site: Site) -> None:
    ada, again, grace, linus = [await site.handle(person) for person in ("ada", "ada", "grace", "linus")]
    for handle in (ada, again, grace):
        await site.gateway.verify(handle, HERE)
    of = {handle: site.gateway.sessions.session_of(handle) for handle in (ada, again, grace)}
    assert code_of(await site.call(ada, "POST", f"/api/sessions/{of[grace]}/end", {})) == "404 no-such-session"
    assert code_of(await site.call(ada, "POST", "/api/sessions/nonsense/end", {})) == "404 no-such-session"
    assert (await site.call(ada, "POST", f"/api/sessions/{of[again]}/end", {})).json()["ended_why"] == "logout"
    assert (await site.call(linus, "POST", f"/api/sessions/{of[grace]}/end", {})).json()["ended_why"] == "operator"
    await site.gateway.sessions.look()
    assert site.gateway.cached(again, HERE) is None and site.gateway.cached(grace, HERE) is None
    assert site.gateway.cached(ada, HERE)
    assert code_of(await site.call(grace, "GET", "/api/session")) == "401 session-operator"
    assert {(one["subject"], one["why"], one["by"]) for one in await site.told("session.ended")} == {
        ("ada", "logout", "ada"),
        ("grace", "operator", "linus"),
    }


async def test_an_operator_takes_back_everything_that_somebody_has(site: Site) -> None:
    handle, token, linus = await site.handle("ada"), site.provider.token("ada"), await site.handle("linus")
    for credential in (handle, token):
        assert await site.gateway.verify(credential, HERE)
    assert site.gateway.cached(token, HERE)
    assert code_of(await site.call(handle, "POST", "/api/sessions/end", {"subject": "ada"})) == "403 not-an-operator"
    assert (await site.call(linus, "POST", "/api/sessions/end", {"subject": "ada"})).json()["ended"] == 1
    await site.gateway.sessions.look()
    for credential, code in ((handle, "session-operator"), (token, "token-revoked")):
        assert site.gateway.cached(credential, HERE) is None
        with pytest.raises(Refusal, match=code):
            await site.gateway.verify(credential, HERE)
    assert await site.gateway.verify(site.provider.token("grace"), HERE)
    later = site.provider.token("ada", iat=int(time.time()) + 32)
    site.clock.ahead += 3
    assert await site.gateway.verify(later, HERE)  # what is given afterwards counts


async def test_a_handle_is_renewed_and_the_old_one_goes_on_for_a_minute(site: Site) -> None:
    old = await site.handle("ada")
    answer = await site.call(old, "POST", "/api/session/renew", {})
    new = answer.json()["handle"]
    assert new != old and answer.json()["session"]["id"] == site.sign_ins._recognizer.sessions.session_of(old)
    await site.gateway.sessions.look()
    assert await site.gateway.verify(old, HERE) and await site.gateway.verify(new, HERE)
    assert code_of(await site.call(old, "POST", "/api/session/renew", {})) == "409 handle-superseded"
    site.clock.ahead += 61
    assert code_of(await site.call(old, "GET", "/api/session")) == "401 session-stolen"
    await site.gateway.sessions.look()
    with pytest.raises(Refusal, match="session-stolen"):
        await site.gateway.verify(new, HERE)
    assert len(await site.told("session.stolen")) == 1


async def test_a_token_is_not_renewed(site: Site) -> None:
    assert code_of(await site.call(site.provider.token("ada"), "POST", "/api/session/renew", {})) == "409 no-handle"


async def test_what_is_on_its_way_is_over_when_the_sign_in_is(site: Site) -> None:
    """A session that ends, and tokens that are taken back; not what runs out, and nobody else's."""
    operator = site.provider.token("linus", groups=["data-stewards"])
    handles = [await site.handle(person) for person in ("ada", "grace")]
    bearers = [site.provider.token(person, sid=f"sid-{person}") for person in ("ada", "grace")]
    await site.gateway.sessions.look()
    people = [await site.gateway.verify(text, HERE) for text in (*handles, *bearers)]
    since = site.clock.now()
    assert [site.gateway.over(who, since) for who in people] == [None] * 4
    assert (await site.call(operator, "POST", "/api/sessions/end", {"subject": "ada"})).status_code == 200
    await site.gateway.sessions.look()

    def codes() -> list[str]:
        return [found.code if (found := site.gateway.over(who, since)) else "" for who in people]

    assert codes() == ["session-operator", "", "token-revoked", ""]
    assert (await site.logout(site.provider.state.logout_token(sid="sid-grace"))).status_code == 200
    await site.gateway.sessions.look()
    site.clock.ahead = 50_000
    assert codes() == ["session-operator", "", "token-revoked", "token-revoked"]


async def test_no_route_of_sessions_without_a_person(site: Site) -> None:
    for method, path in (
        ("GET", "/api/session"),
        ("POST", "/api/session/renew"),
        ("GET", "/api/sessions"),
        ("POST", "/api/sessions/end"),
        ("POST", "/api/sessions/x/end"),
    ):
        assert (await site.client.request(method, path, headers=JSON)).status_code == 401


# --- refresh


async def refreshed(site: Site, person: str = "ada") -> tuple[str, SignIn]:
    sign_in = site.signed_in(person)
    handle = await site.handle(person, refresh_token=site.refresh_token(sign_in))
    assert await site.gateway.verify(handle, HERE)
    return handle, sign_in


async def test_groups_follow_the_provider_and_tokens_rotate(site: Site) -> None:
    handle, _ = await refreshed(site)
    assert await site.refreshing.round() == 0  # not due
    for number, groups in enumerate((("fraud",), ("engineering", "fraud"), ())):
        site.provider.state.groups["ada"] = groups
        site.clock.ahead += 10
        assert await site.refreshing.round() == 1
        await site.gateway.sessions.look()
        assert site.gateway.cached(handle, HERE).groups == set(groups)
        assert len(site.provider.state.spent) == number + 1
    assert len(await site.told("session.groups-changed")) == 3


async def test_the_refresh_token_is_kept_sealed(site: Site, tmp_path: Path) -> None:
    _, sign_in = await refreshed(site)
    (token,) = site.provider.state.refreshes
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert token.encode() not in kept
    sealed = site.sealing.seal("secret", "ada")
    assert site.sealing.open(sealed, "ada") == "secret"
    for bad, whose in ((sealed, "linus"), (sealed[:-1], "ada"), (b"", "ada"), (b"x" * 40, "ada")):
        with pytest.raises(ValueError):
            site.sealing.open(bad, whose)


async def test_a_token_that_was_rotated_is_kept_although_the_rest_of_the_answer_cannot_be_had(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before is spent at the provider: used once more, it would end the session."""
    handle, _ = await refreshed(site)
    with monkeypatch.context() as broken:

        async def down(*_: object) -> None:
            raise ProviderTrouble("is down")

        broken.setattr(site.sign_ins, "_who", down)
        site.clock.ahead += 10
        assert await site.refreshing.round() == 1
    site.clock.ahead += 60
    assert await site.refreshing.round() == 1
    await site.gateway.sessions.look()
    assert await site.gateway.verify(handle, HERE)
    assert len(site.provider.state.spent) == 2


async def test_a_closed_account_ends_the_session(site: Site) -> None:
    handle, _ = await refreshed(site)
    site.provider.state.disabled.add("ada")
    site.clock.ahead += 10
    await site.refreshing.round()
    await site.gateway.sessions.look()
    with pytest.raises(Refusal, match="session-provider"):
        await site.gateway.verify(handle, HERE)


async def test_with_the_provider_down_sessions_go_on_and_are_asked_about_again(site: Site) -> None:
    handle, _ = await refreshed(site)
    site.provider.stop()
    site.clock.ahead += 10
    assert await site.refreshing.round() == 1
    assert await site.refreshing.round() == 0  # not before a minute has passed
    site.clock.ahead += 60
    assert await site.refreshing.round() == 1
    await site.gateway.sessions.look()
    assert await site.gateway.verify(handle, HERE)


async def test_an_answer_about_somebody_else_changes_nothing(site: Site) -> None:
    handle, _ = await refreshed(site)
    for text, one in list(site.provider.state.refreshes.items()):
        site.provider.state.refreshes[text] = Refresh(one.text, site.signed_in("linus"), one.scope, one.client)
    site.clock.ahead += 10
    await site.refreshing.round()
    await site.gateway.sessions.look()
    assert site.gateway.cached(handle, HERE).subject == "ada"
    assert site.gateway.cached(handle, HERE).groups == {"engineering"}


async def test_two_consoles_do_not_ask_twice(site: Site) -> None:
    await refreshed(site)
    other = Refreshing(site.refreshing._settings, site.sign_ins, site.database, site.clock)
    site.clock.ahead += 10
    assert await site.refreshing.round() + await other.round() == 1
    assert site.provider.hits["/token"] == 1


async def test_signing_out_revokes_the_refresh_token(site: Site) -> None:
    handle, _ = await refreshed(site)
    session = site.gateway.sessions.session_of(handle)
    assert (await site.call(handle, "POST", f"/api/sessions/{session}/end", {})).status_code == 200
    assert site.provider.state.refreshes == {}
    assert site.provider.hits["/revoke"] == 1


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"access_token": 1}', b'{"error": "server_error"}'])
async def test_nonsense_from_the_token_endpoint_ends_nothing(
    site: Site, hostile: Any, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, _ = await refreshed(site)

    async def metadata() -> dict[str, Any]:
        return {"token_endpoint": f"{hostile.issuer}/token"}

    hostile.answers["/token"] = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer)
    monkeypatch.setattr(site.sign_ins.grants, "metadata", metadata)
    with pytest.raises(ProviderTrouble):
        await site.sign_ins.grants.refresh("x")
    site.clock.ahead += 10
    await site.refreshing.round()
    await site.gateway.sessions.look()
    assert site.gateway.cached(handle, HERE)


# --- back-channel logout


async def test_the_provider_signs_somebody_out(site: Site) -> None:
    token = site.id_token("ada", sid="sid-of-ada")
    handle = (await site.begin(id_token=token)).json()["handle"]
    bearer, other = site.provider.token("ada", sid="sid-of-ada"), await site.handle("ada")
    for credential in (handle, bearer, other):
        assert await site.gateway.verify(credential, HERE)
    answer = await site.logout(site.provider.state.logout_token(sid="sid-of-ada"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    await site.gateway.sessions.look()
    for credential, code in ((handle, "session-provider"), (bearer, "token-revoked")):
        with pytest.raises(Refusal, match=code):
            await site.gateway.verify(credential, HERE)
    assert await site.gateway.verify(other, HERE)  # another session of hers
    another = site.provider.token("ada", sid="another")  # before the logout: one that is made behind it counts
    assert (await site.logout(site.provider.state.logout_token(sub="ada"))).status_code == 200
    await site.gateway.sessions.look()
    with pytest.raises(Refusal, match="session-provider"):
        await site.gateway.verify(other, HERE)
    with pytest.raises(Refusal, match="token-revoked"):
        await site.gateway.verify(another, HERE)


LOGOUT: dict[str, Callable[[Provider], str]] = {
    "no events": lambda p: p.state.logout_token(sub="ada", events=None),
    "another event": lambda p: p.state.logout_token(sub="ada", events={"http://schemas.openid.net/event/other": {}}),
    "events a list": lambda p: p.state.logout_token(sub="ada", events=["x"]),
    "event no object": lambda p: p.state.logout_token(
        sub="ada", events={"http://schemas.openid.net/event/backchannel-logout": 1}
    ),
    "a nonce": lambda p: p.state.logout_token(sub="ada", nonce="n"),
    "wrong aud": lambda p: p.state.logout_token(sub="ada", aud="other"),
    "aud of the gateway": lambda p: p.state.logout_token(sub="ada", aud="sluicegate"),
    "wrong iss": lambda p: p.state.logout_token(sub="ada", iss="https://idp.example"),
    "neither sub nor sid": lambda p: p.state.logout_token(),
    "sub a list": lambda p: p.state.logout_token(sub=["ada"]),
    "no jti": lambda p: p.state.logout_token(sub="ada", jti=None),
    "no iat": lambda p: p.state.logout_token(sub="ada", iat=None),
    "expired": lambda p: p.state.logout_token(sub="ada", iat=_now() - 500, exp=_now() - 300),
    "old": lambda p: p.state.logout_token(sub="ada", iat=_now() - 1000, exp=_now() + 1000),
    "from the future": lambda p: p.state.logout_token(sub="ada", iat=_now() + 300, exp=_now() + 600),
    "an access token": lambda p: p.token("ada"),
    "typ of an access token": lambda p: p.state.logout_token(sub="ada", header={"typ": "at+jwt"}),
    "an ID token": lambda p: p.state.id_token(SignIn(PEOPLE["ada"], "x")),
    "unsigned": lambda p: p.state.logout_token(sub="ada").rpartition(".")[0] + ".",
    "signature of another": lambda p: (
        p.state.logout_token(sub="ada").rpartition(".")[0] + "." + p.state.logout_token(sub="x").rpartition(".")[2]
    ),
    "empty": lambda p: "",
    "60,000 characters": lambda p: "x" * 60_000,
}


@pytest.mark.parametrize("case", LOGOUT)
async def test_a_bad_logout_token_ends_nothing(site: Site, case: str) -> None:
    handle = await site.handle("ada")
    answer = await site.logout(LOGOUT[case](site.provider))
    assert answer.status_code == 400 and answer.json()["error"] == "invalid_request"
    await site.gateway.sessions.look()
    assert await site.gateway.verify(handle, HERE)


async def test_a_logout_token_counts_once(site: Site) -> None:
    now = int(time.time())
    token = site.provider.state.logout_token(sub="ada", iat=now)
    assert (await site.logout(token)).status_code == 200
    same_second = site.id_token("ada", iat=now)
    assert code_of(await site.begin(id_token=same_second)) == "401 token-revoked"
    later = site.id_token("ada", iat=now + 2)
    handle = (await site.begin(id_token=later)).json()["handle"]
    answer = await site.logout(token)
    assert answer.status_code == 400 and "before" in answer.json()["error_description"]
    await site.gateway.sessions.look()
    assert await site.gateway.verify(handle, HERE)


@pytest.mark.parametrize(
    "body",
    [b"", b"logout_token", b"logout_token=a&logout_token=b", b"x=1", b"\xff", b"&".join([b"a=1"] * 50)],
)
async def test_forms_that_are_none(site: Site, body: bytes) -> None:
    answer = await site.client.post("/oidc/backchannel-logout", content=body, headers=FORM)
    assert answer.status_code == 400


async def test_a_logout_is_a_form_and_nothing_else(site: Site) -> None:
    token = json.dumps({"logout_token": site.provider.state.logout_token(sub="ada")}).encode()
    answer = await site.client.post("/oidc/backchannel-logout", content=token, headers=JSON)
    assert code_of(answer) == "415 form-required"
    assert code_of(await site.client.post("/api/sign-in", content=b"a=1", headers=FORM)) == "415 json-required"


async def test_tokens_for_logging_out_sign_nobody_in(site: Site) -> None:
    for header in ({}, {"typ": "JWT"}):
        token = site.provider.state.logout_token(sub="ada", aud="sluicegate", header=header)
        with pytest.raises(Refusal, match="token-type"):
            await site.gateway.verify(token, HERE)
