"""Tokens for services on people's behalf, on a real provider that exchanges them, and on one that misbehaves to order."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask import Response, request
from joserfc import jwt

from demo.people import GATEWAY, GATEWAY_SECRET, MACHINES
from sluicegate.clock import SystemClock
from sluicegate.database import Database
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Principal, Target
from sluicegate.identity import handle
from sluicegate.identity.on_behalf import request as asked
from sluicegate.identity.on_behalf.answer import NotGranted, read
from sluicegate.identity.on_behalf.tokens import PersonalTokens
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sessions import store
from sluicegate.identity.sign_in.sealing import SUBJECT_TOKEN, Sealing
from sluicegate.settings import State
from sluicegate.settings.model import Identity, TokenExchange
from tests.provider import Provider

CHUNKS = Target("chunks", audience="chunk-service", scope="read")
TYPES = "urn:ietf:params:oauth:token-type:"


class Shifted(SystemClock):
    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Site:
    """A gateway's part, its database, and the provider."""

    def __init__(
        self, provider: Provider, database: Database, folder: Path, clock: Shifted | None = None, **settings: Any
    ) -> None:
        chosen = {"client_id": GATEWAY, "client_secret": "${SECRET}", "wait_seconds": 5.0, **settings}
        self.settings = Identity(issuer=provider.issuer, token_exchange=TokenExchange(**chosen))
        self.provider, self.database, self.clock = provider, database, clock or Shifted()
        self.sealing = Sealing(State(folder / "state").open())
        self.recognizer = Recognizer(self.settings, database, self.clock)
        environ = {"SECRET": GATEWAY_SECRET}
        self.tokens = PersonalTokens(self.settings, self.recognizer, database, self.sealing, environ, self.clock)

    async def signed_in(self, person: str = "ada", *, token: str | None = "", whose: str = "") -> tuple[Principal, str]:
        """A session that holds an access token, as a console writes it."""
        now, text = self.clock.now(), handle.make()
        who = Principal(person, self.settings.issuer)
        subject = self.provider.token(person, sid=f"sid-{text[-6:]}") if token == "" else token
        sealed = self.sealing.seal(subject, whose or person, SUBJECT_TOKEN) if subject else None
        sign_in = store.SignIn(who, "sid-1", "laptop", "192.0.2.1", now + 3600, None, None, sealed)
        await self.database.run(lambda connection: store.begin(connection, sign_in, handle.digest(text), now))
        await self.recognizer.sessions.look()
        return await self.recognizer.verify(text, "192.0.2.1"), text

    async def bearer(self, person: str = "ada", **claims: Any) -> tuple[Principal, str]:
        token = self.provider.token(person, **claims)
        return await self.recognizer.verify(token), token

    async def refused(self, who: Principal, presented: str | None, target: Target = CHUNKS) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self.tokens.obtain(who, presented, target)
        assert self.tokens.cached(who, presented, target) is None
        return caught.value

    def says(self, token: str) -> dict[str, Any]:
        """What a service finds in a token when it verifies it."""
        keys = self.provider.state.keys
        return dict(jwt.decode(token, keys.verifying(), algorithms=[keys.algorithm]).claims)

    @property
    def calls(self) -> int:
        return self.provider.hits["/token"]


@pytest.fixture
def provider() -> Any:
    with Provider() as running:
        yield running


@pytest.fixture
async def made(provider: Provider, database: Database, tmp_path: Path) -> AsyncIterator[Any]:
    sites = []

    async def make(**settings: Any) -> Site:
        sites.append(Site(provider, database, tmp_path, **settings))
        await sites[-1].recognizer.open()
        await sites[-1].tokens.open()
        return sites[-1]

    yield make
    for site in sites:
        await site.tokens.close()
        await site.recognizer.close()


@pytest.fixture
async def site(made: Any) -> Site:
    found: Site = await made()
    return found


async def test_the_service_sees_the_person_and_who_acts_for_them(site: Site) -> None:
    for who, presented in (await site.signed_in(), await site.bearer("grace")):
        assert site.tokens.cached(who, presented, CHUNKS) is None
        token = await site.tokens.obtain(who, presented, CHUNKS)
        said = site.says(token)
        assert (said["sub"], said["aud"], said["act"], said["scope"]) == (
            who.subject, "chunk-service", {"sub": GATEWAY}, "read",
        )  # fmt: skip
        assert site.tokens.cached(who, presented, CHUNKS) == token
        # Another person, service or scope gets none of it.
        other = await site.signed_in("linus")
        assert site.tokens.cached(*other, CHUNKS) is None
        assert site.tokens.cached(who, presented, Target("other", audience="chunk-service", scope="read")) is None
        assert site.tokens.cached(who, presented, Target("chunks", audience="chunk-service")) is None
        assert token not in repr(vars(site.tokens)) and presented not in repr(vars(site.tokens))


async def test_somebody_at_an_address_is_the_session_behind_it(site: Site) -> None:
    who, text = await site.signed_in()
    token = await site.tokens.obtain(who, None, CHUNKS)
    assert site.says(token)["sub"] == "ada" and site.tokens.cached(who, text, CHUNKS) == token


@pytest.mark.parametrize("how", ["basic", "post"])
async def test_what_the_provider_is_asked(made: Any, provider: Provider, tmp_path: Path, how: str) -> None:
    secret, actor = tmp_path / "secret", tmp_path / "actor"
    secret.write_text(f"{GATEWAY_SECRET}\n")
    site: Site = await made(
        client_secret=None, client_secret_file=str(secret), client_auth=how, actor_token_file=str(actor)
    )
    seen: list[dict[str, list[str]]] = []
    provider.answers["/token"] = lambda: seen.append(parse_qs(request.get_data().decode()))
    who, presented = await site.signed_in()
    assert (await site.refused(who, presented)).code == "exchange-unavailable" and not seen  # there is no such file
    machine = next(iter(MACHINES))
    actor.write_text(provider.token(machine, client_id=machine, sub=machine))
    site.clock.ahead += 60
    token = await site.tokens.obtain(who, presented, Target("chunks", "chunk-service", "https://chunks.test", "a b"))
    assert site.says(token)["act"] == {"sub": machine}
    (form,) = seen
    assert form["grant_type"] == [asked.GRANT] and form["audience"] == ["chunk-service"]
    assert form["resource"] == ["https://chunks.test"] and form["scope"] == ["a b"]
    assert form["subject_token_type"] == [f"{TYPES}access_token"] == form["requested_token_type"]
    assert form["actor_token_type"] == [f"{TYPES}jwt"] and ("client_secret" in form) == (how == "post")


def test_what_stands_in_basic_is_form_encoded_first() -> None:
    settings = TokenExchange(client_id="a:b", client_secret="c d%/+é")
    made = asked.made(settings, {}, CHUNKS, "the-token", "id_token")
    kind, _, coded = made.headers["authorization"].partition(" ")
    assert kind == "Basic" and base64.b64decode(coded) == b"a%3Ab:c+d%25%2F%2B%C3%A9"
    assert "the-token" not in repr(made) and coded not in repr(made) and made.secrets == ("the-token", "c d%/+é")


async def test_many_at_once_share_one_call(site: Site) -> None:
    who, presented = await site.signed_in()
    found = await asyncio.gather(*(site.tokens.obtain(who, presented, CHUNKS) for _ in range(50)))
    assert len(set(found)) == 1 and site.calls == 1


async def test_it_is_used_until_shortly_before_its_end_and_fetched_ahead(site: Site) -> None:
    who, presented = await site.signed_in()
    first = await site.tokens.obtain(who, presented, CHUNKS)
    site.clock.ahead = 190  # of 300
    assert site.tokens.cached(who, presented, CHUNKS) == first and site.calls == 1
    site.clock.ahead = 210  # used, and near its end: the request gets it at once, and the next one is on its way
    assert site.tokens.cached(who, presented, CHUNKS) == first
    await asyncio.gather(*site.tokens._flights.values())
    second = site.tokens.cached(who, presented, CHUNKS)
    assert second != first and second is not None and site.calls == 2
    site.clock.ahead = 900
    assert site.tokens.cached(who, presented, CHUNKS) is None


async def test_a_failure_ahead_of_need_hurts_nobody(site: Site, provider: Provider) -> None:
    who, presented = await site.signed_in()
    first = await site.tokens.obtain(who, presented, CHUNKS)
    provider.answers["/token"] = lambda: ("down", 503)
    site.clock.ahead = 210
    for _ in range(3):
        assert site.tokens.cached(who, presented, CHUNKS) == first
        await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
    assert site.calls == 2  # it is not asked again at once
    site.clock.ahead = 280
    assert (await site.refused(who, presented)).code == "exchange-unavailable"


async def test_a_session_that_ends_takes_its_tokens_along(site: Site) -> None:
    who, presented = await site.signed_in()
    other = await site.signed_in("grace")
    for one in ((who, presented), other):
        await site.tokens.obtain(*one, CHUNKS)
    session = site.recognizer.sessions.known(who.session)
    assert session is not None
    await site.database.run(
        lambda connection: store.end(connection, [session], site.clock.now(), by="linus", why="operator")
    )
    await site.recognizer.sessions.look()
    assert site.tokens.cached(who, presented, CHUNKS) is None and site.tokens.cached(*other, CHUNKS) is not None
    assert not [key for key in site.tokens._kept if key.session == who.session]
    assert await site.database.read(lambda connection: store.subject_token(connection, who.session)) is None
    assert (await site.refused(who, presented)).code == "exchange-no-token"


async def test_a_session_that_ends_while_the_provider_is_asked_gets_nothing(site: Site, provider: Provider) -> None:
    who, presented = await site.signed_in()
    arrived, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        arrived.set()
        go_on.wait(60)

    provider.answers["/token"] = slowly
    waiting = asyncio.create_task(site.refused(who, presented))
    assert await asyncio.to_thread(arrived.wait, 60)
    session = site.recognizer.sessions.known(who.session)
    assert session is not None
    await site.database.run(
        lambda connection: store.end(connection, [session], site.clock.now(), by="ada", why="logout")
    )
    await site.recognizer.sessions.look()
    go_on.set()
    assert (await waiting).code == "session-ended" and not site.tokens._kept


async def test_tokens_that_were_taken_back_take_theirs_along(site: Site) -> None:
    who, presented = await site.bearer()
    machine, of_machine = await site.signed_in("grace")
    for one in ((who, presented), (machine, of_machine)):
        await site.tokens.obtain(*one, CHUNKS)
    now = site.clock.now()
    await site.database.run(
        lambda connection: store.revoke_tokens(connection, site.settings.issuer, "ada", None, now + 5, now + 90)
    )
    await site.recognizer.sessions.look()
    assert site.tokens.cached(who, presented, CHUNKS) is None
    assert site.tokens.cached(machine, of_machine, CHUNKS) is not None
    assert (await site.refused(who, presented)).code == "session-ended"


async def test_a_token_that_the_service_turns_down_is_fetched_anew(site: Site) -> None:
    who, presented = await site.signed_in()
    first = await site.tokens.obtain(who, presented, CHUNKS)
    site.tokens.turned_down(who, presented, CHUNKS, first)
    assert site.tokens.cached(who, presented, CHUNKS) == first  # quite new: the next one would fare no better
    site.clock.ahead = 20
    site.tokens.turned_down(who, presented, CHUNKS, "another")
    assert site.tokens.cached(who, presented, CHUNKS) == first and site.calls == 1
    for _ in range(3):
        site.tokens.turned_down(who, presented, CHUNKS, first)
    # Nobody waits for the next one: until it is there the service answers for itself.
    assert site.tokens.cached(who, presented, CHUNKS) == first
    await asyncio.gather(*site.tokens._flights.values())
    assert site.calls == 2 and site.tokens.cached(who, presented, CHUNKS) not in (first, None)


async def test_whom_the_provider_refuses_behind_the_requests_gets_no_further(site: Site, provider: Provider) -> None:
    who, presented = await site.signed_in()
    first = await site.tokens.obtain(who, presented, CHUNKS)
    provider.answers["/token"] = lambda: ({"error": "invalid_client"}, 401)
    site.clock.ahead = 210
    assert site.tokens.cached(who, presented, CHUNKS) == first
    await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
    assert site.tokens.cached(who, presented, CHUNKS) == first  # the gateway's own trouble, and not the person's
    provider.state.disabled.add("ada")
    del provider.answers["/token"]
    site.clock.ahead = 220
    assert site.tokens.cached(who, presented, CHUNKS) == first
    await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
    assert site.tokens.cached(who, presented, CHUNKS) is None
    assert (await site.refused(who, presented)).code == "exchange-refused"


async def test_without_a_token_of_the_provider_one_signs_in_again(site: Site, caplog: Any) -> None:
    refusal = await site.refused(*await site.signed_in(token=None))
    assert (refusal.status, refusal.code) == (511, "exchange-no-token") and "sluicegate login" in refusal.next_step
    # One that was sealed for somebody else, as when rows of the database are swapped
    refusal = await site.refused(*await site.signed_in(whose="grace"))
    assert refusal.code == "exchange-no-token" and "keys/sessions.key" in caplog.text
    assert site.calls == 0


def test_what_is_sealed_for_one_thing_opens_for_no_other(tmp_path: Path) -> None:
    sealing = Sealing(State(tmp_path).open())
    for purpose, other in ((SUBJECT_TOKEN, ""), ("", SUBJECT_TOKEN)):
        with pytest.raises(ValueError, match="cannot be opened"):
            sealing.open(sealing.seal("text", "ada", purpose), "ada", other)


async def test_what_the_provider_refuses_is_told_without_secrets(site: Site, provider: Provider, caplog: Any) -> None:
    who, presented = await site.signed_in()
    refusal = await site.refused(who, presented, Target("chunks", audience="nobody"))
    assert (refusal.status, refusal.code) == (502, "exchange-refused") and "invalid_target" in refusal.detail
    assert "invalid_target: There is no such service." in caplog.text and "service chunks" in caplog.text
    provider.state.disabled.add("ada")
    refusal = await site.refused(who, presented)
    assert refusal.code == "exchange-refused" and "invalid_request" in refusal.detail


async def test_words_of_the_provider_cannot_carry_a_token_into_the_log(
    site: Site, provider: Provider, caplog: Any
) -> None:
    who, presented = await site.bearer()
    said = {
        "error": "invalid_grant",
        "error_description": f"no\nto {presented[:80]} nor to Basic {base64.b64encode(b'some:thing that is long')!r}",
    }
    provider.answers["/token"] = lambda: Response(json.dumps(said), 400, content_type="application/json")
    refusal = await site.refused(who, presented)
    provider.answers["/token"] = lambda: Response(json.dumps({"error": presented}), 400)
    site.clock.ahead += 6
    again = await site.refused(who, presented)
    for text in (caplog.text, str(vars(refusal)), str(vars(again))):
        assert presented[:30] not in text and GATEWAY_SECRET not in text and "c29tZTp0a" not in text
    assert "answered 400 invalid_grant: no to ..." in caplog.text and "without saying why" in caplog.text


UNUSABLE = [
    ("down", 500), ("down", 503), ("", 204), ("<html>", 200), ("[]", 200), ('{"a":1,"a":2}', 200), ("{}", 401), ("x" * 70_000, 200),
    ("", 302, {"location": "http://127.0.0.1:1/"}), ("{}", 429),
]  # fmt: skip


@pytest.mark.parametrize("answer", UNUSABLE, ids=lambda answer: f"{answer[1]}-{answer[0][:6]}")
async def test_no_answer_but_a_good_one_counts(site: Site, provider: Provider, answer: Any, caplog: Any) -> None:
    provider.answers["/token"] = lambda: answer
    refusal = await site.refused(*await site.signed_in())
    assert refusal.code in ("exchange-unavailable", "exchange-refused") and refusal.status in (502, 503)
    assert "no token for the service chunks" in caplog.text


def good(**changes: Any) -> dict[str, Any]:
    answer = {
        "access_token": "issued-token",
        "issued_token_type": f"{TYPES}access_token",
        "token_type": "Bearer",
        "expires_in": 60,
        **changes,
    }
    return {name: value for name, value in answer.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"issued_token_type": None}, {"issued_token_type": f"{TYPES}jwt"}, {"issued_token_type": f"{TYPES}refresh_token"},
        {"token_type": None}, {"token_type": "N_A"}, {"token_type": "DPoP"}, {"token_type": ["Bearer"]},
        {"access_token": None}, {"access_token": ""}, {"access_token": 7}, {"access_token": "a b"}, {"access_token": "a\r\nx: y"},
        {"access_token": "é"}, {"access_token": "x" * 20_000}, {"access_token": "what-was-sent"}, {"error": "invalid_target"},
        {"expires_in": 0}, {"expires_in": -1}, {"expires_in": "60"}, {"expires_in": True}, {"expires_in": 1 << 60},
    ],
)  # fmt: skip
def test_answers_that_are_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(NotGranted) as caught:
        read(200, json.dumps(good(**changes)).encode(), CHUNKS, 1000.0, ("what-was-sent",))
    assert "what-was-sent" not in str(caught.value) and "issued-token" not in str(caught.value)


def test_how_long_a_token_is_good_for() -> None:
    def until(target: Target = CHUNKS, **changes: Any) -> float:
        return read(200, json.dumps(good(**changes)).encode(), target, 1000.0, ()).until

    def token(ends: Any) -> str:
        parts = [json.dumps({"alg": "none"}), json.dumps({"exp": ends}), "x"]
        return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)

    assert until() == 1060 and until(token_type="bearer") == 1060
    assert until(expires_in=None) == 1060 and until(expires_in=10**7) == 1000 + 86_400
    assert until(access_token=token(1020)) == 1020 and until(access_token=token(5000), expires_in=None) == 5000
    assert until(access_token=token("soon")) == 1060
    with pytest.raises(NotGranted, match="over already"):
        until(access_token=token(900))
    jwt_wanted = Target("chunks", "chunk-service", requested="jwt")
    assert until(jwt_wanted, issued_token_type=f"{TYPES}jwt", token_type="N_A") == 1060


async def test_a_token_for_the_gateway_itself_is_not_handed_to_a_service(
    site: Site, provider: Provider, caplog: Any
) -> None:
    """With it whoever runs the service could come here as that person."""
    ours = provider.token("ada", jti="another")
    provider.answers["/token"] = lambda: good(access_token=ours)
    refusal = await site.refused(*await site.signed_in())
    assert refusal.code == "exchange-refused" and "for the gateway itself" in caplog.text and ours not in caplog.text


async def test_a_provider_that_says_nothing_is_waited_for_no_longer_than_was_said(
    made: Any, provider: Provider, caplog: Any
) -> None:
    site: Site = await made(wait_seconds=0.5)
    released = threading.Event()
    provider.answers["/token"] = lambda: ("late", 200) if released.wait(60) else None
    who, presented = await site.signed_in()
    refusal = await site.refused(who, presented)
    assert (refusal.status, refusal.code) == (503, "exchange-unavailable") and refusal.headers["retry-after"]
    assert (await site.refused(who, presented)).code == "exchange-unavailable" and site.calls == 1
    released.set()
    await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
    del provider.answers["/token"]
    site.clock.ahead = 6
    assert site.says(await site.tokens.obtain(who, presented, CHUNKS))["sub"] == "ada"


async def test_a_provider_that_is_gone(site: Site, provider: Provider) -> None:
    who, presented = await site.signed_in()
    provider.stop()
    assert (await site.refused(who, presented)).code == "exchange-unavailable"


async def test_the_wrong_secret_is_the_operators_trouble(made: Any, provider: Provider, caplog: Any) -> None:
    site: Site = await made(client_secret="not-the-secret")
    refusal = await site.refused(*await site.signed_in())
    assert refusal.code == "exchange-refused" and "invalid_client" in caplog.text
    assert "not-the-secret" not in caplog.text + str(vars(refusal))


async def test_a_secret_that_is_missing_stops_the_start(provider: Provider, database: Database, tmp_path: Path) -> None:
    for settings, said in (
        ({"client_secret": "${NONE}"}, "NONE is not set"),
        ({"client_secret": None, "client_secret_file": str(tmp_path / "none")}, "cannot be read"),
    ):
        with pytest.raises(Fault, match=said):
            Site(provider, database, tmp_path, **settings)


async def test_nothing_is_kept_after_the_close(site: Site) -> None:
    who, presented = await site.signed_in()
    await site.tokens.obtain(who, presented, CHUNKS)
    await site.tokens.close()
    await site.tokens.close()
    assert not site.tokens._kept and site.tokens.cached(who, presented, CHUNKS) is None
    assert (await site.refused(who, presented)).code == "exchange-unavailable"


async def test_a_kept_token_never_outlives_the_sign_in(site: Site) -> None:
    token = site.provider.token("ada", exp=int(time.time()) + 100)
    who = await site.recognizer.verify(token)
    await site.tokens.obtain(who, token, CHUNKS)
    site.clock.ahead = 95
    assert site.tokens.cached(who, token, CHUNKS) is None


async def test_no_request_waits_for_the_provider(made: Any, provider: Provider) -> None:
    """What there is not is fetched behind a request that is refused at once, with a provider that says nothing."""
    site: Site = await made(wait_seconds=0.0)
    released = threading.Event()
    provider.answers["/token"] = lambda: released.wait(60) and None
    for who, presented in (await site.signed_in(), await site.bearer("grace")):
        for _ in range(3):
            refusal = await site.refused(who, presented)
            assert (refusal.status, refusal.code) == (503, "exchange-under-way")
            assert refusal.headers["retry-after"] == "1"
    released.set()
    await asyncio.gather(*site.tokens._flights.values())
    assert site.calls == 2 and site.tokens.cached(who, presented, CHUNKS) is not None


async def test_why_there_is_none_is_told_while_it_is_tried_again(made: Any, provider: Provider) -> None:
    site: Site = await made(wait_seconds=0.0)
    provider.answers["/token"] = lambda: ({"error": "invalid_target"}, 400)
    who, presented = await site.bearer()
    assert (await site.refused(who, presented)).code == "exchange-under-way"
    await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
    for ahead, calls in ((0, 1), (6, 2), (12, 3)):
        site.clock.ahead = ahead
        assert (await site.refused(who, presented)).code == "exchange-refused"
        await asyncio.gather(*site.tokens._flights.values(), return_exceptions=True)
        assert site.calls == calls


@pytest.fixture(autouse=True)
def whole_log(caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, logger="sluicegate")


async def test_after_a_failure_the_provider_is_left_alone_for_a_moment(site: Site, provider: Provider) -> None:
    who, presented = await site.signed_in()
    provider.answers["/token"] = lambda: ("down", 503)
    for _ in range(5):
        assert (await site.refused(who, presented)).code == "exchange-unavailable"
    assert site.calls == 1
    del provider.answers["/token"]
    assert (await site.refused(who, presented)).code == "exchange-unavailable" and site.calls == 1
    site.clock.ahead = 5.5
    assert site.says(await site.tokens.obtain(who, presented, CHUNKS))["sub"] == "ada" and site.calls == 2
