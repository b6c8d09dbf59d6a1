"""The addon on real flows: what is asked for, what is taken out, and who the exchange belongs to afterwards."""

from __future__ import annotations

import asyncio
import base64
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange
from sluicegate.identity.addon import IdentityAddon
from sluicegate.settings.model import Identity
from tests.provider import Provider


@pytest.fixture
async def addon(provider: Provider, clock: SetClock, database: Database) -> AsyncIterator[IdentityAddon]:
    addon = IdentityAddon(Identity(issuer=provider.issuer), database, clock)
    await addon.open()
    yield addon
    await addon.close()


def basic(token: str, user: str = "token") -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{token}".encode())


Pair = tuple[bytes, bytes]


def flow_of(*fields: Pair, connection: http.HTTPFlow | None = None, mode: str = "regular") -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.request.headers.fields = ((b"host", b"chunks.internal"), *fields)
    if connection is not None:
        flow.client_conn = connection.client_conn
    else:
        flow.client_conn.proxy_mode = ProxyMode.parse(mode)
    return flow


def connect_of(*fields: Pair) -> http.HTTPFlow:
    flow = flow_of(*fields)
    flow.request.method = "CONNECT"
    return flow


async def run(addon: IdentityAddon, hook: str, flow: http.HTTPFlow) -> Exchange:
    exchange = Exchange(id="x", started=0.0)
    waiting = getattr(addon, hook)(flow, exchange)
    if waiting is not None:
        await waiting
    return exchange


async def refused(addon: IdentityAddon, hook: str, flow: http.HTTPFlow) -> Refusal:
    exchange = Exchange(id="x", started=0.0)
    with pytest.raises(Refusal) as caught:
        waiting = getattr(addon, hook)(flow, exchange)
        if waiting is not None:
            await waiting
    assert exchange.principal is None
    assert not any(name.lower().startswith(b"proxy-") for name, _ in flow.request.headers.fields)
    return caught.value


def names(flow: http.HTTPFlow) -> list[str]:
    return [name.lower().decode() for name, _ in flow.request.headers.fields]


async def test_connect_and_every_request_in_the_tunnel(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))), (b"Proxy-Connection", b"keep-alive"))
    exchange = await run(addon, "http_connect", connect)
    assert exchange.principal is not None and exchange.principal.subject == "ada"
    assert names(connect) == ["host"]
    for _ in range(2):
        flow = flow_of(connection=connect)
        exchange = Exchange(id="x", started=0.0)
        assert addon.request(flow, exchange) is None  # nothing to wait for: the token is known
        assert exchange.principal is not None and exchange.principal.subject == "ada"


async def test_bearer_is_as_good_as_basic(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of((b"proxy-authorization", b"Bearer " + provider.token("grace").encode()))
    exchange = await run(addon, "http_connect", connect)
    assert exchange.principal is not None and exchange.principal.subject == "grace"


@pytest.mark.parametrize(
    "fields", [(), ((b"Proxy-Authorization", b"Negotiate abc"),), ((b"Authorization", b"Bearer a"),)]
)
@pytest.mark.parametrize("hook", ["http_connect", "request"])
async def test_no_credential_is_asked_for_outside_of_a_tunnel(
    addon: IdentityAddon, provider: Provider, fields: Any, hook: str
) -> None:
    refusal = await refused(addon, hook, flow_of(*fields))
    assert (refusal.status, refusal.code) == (407, "sign-in-required")
    assert refusal.title.startswith("Sign in first: ")
    assert refusal.headers == {"proxy-authenticate": 'Basic realm="sluicegate"'}


async def test_after_407_the_same_connection_may_sign_in(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of()
    assert (await refused(addon, "http_connect", connect)).status == 407
    connect.request.headers["proxy-authorization"] = basic(provider.token("ada")).decode()
    assert (await run(addon, "http_connect", connect)).principal is not None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (basic("correct horse"), "token-malformed"),
        (basic("p" * 60_000), "credential-too-long"),
        (b"Basic " + base64.b64encode("ada:gé".encode()), "credential-malformed"),
        (b"Basic \xff\xfe", "credential-malformed"),
        (b"Bearer \xc3\xa9", "credential-malformed"),
    ],
)
async def test_a_credential_that_is_no_good_is_answered_in_the_tunnel(
    addon: IdentityAddon, value: bytes, code: str
) -> None:
    connect = connect_of((b"Proxy-Authorization", value))
    assert (await run(addon, "http_connect", connect)).principal is None
    for _ in range(3):
        refusal = await refused(addon, "request", flow_of(connection=connect))
        assert (refusal.status, refusal.code) == (511, code)
        assert "proxy-authenticate" not in refusal.headers


async def test_two_credential_headers_are_refused_in_the_tunnel(addon: IdentityAddon, provider: Provider) -> None:
    pair = (b"Proxy-Authorization", basic(provider.token("ada")))
    connect = connect_of(pair, pair)
    assert (await run(addon, "http_connect", connect)).principal is None
    assert (await refused(addon, "request", flow_of(connection=connect))).code == "credential-ambiguous"
    assert (await refused(addon, "request", flow_of(pair, pair))).code == "credential-ambiguous"


async def test_a_kept_refusal_does_not_grow(addon: IdentityAddon) -> None:
    connect = connect_of((b"Proxy-Authorization", b"Basic !"))
    await run(addon, "http_connect", connect)

    def depth(error: BaseException) -> int:
        count, at = 0, error.__traceback__
        while at is not None:
            count, at = count + 1, at.tb_next
        return count

    first = depth(await refused(addon, "request", flow_of(connection=connect)))
    for _ in range(50):
        last = await refused(addon, "request", flow_of(connection=connect))
    assert depth(last) == first


async def test_a_token_that_expires_ends_the_tunnel_with_it(
    addon: IdentityAddon, provider: Provider, clock: SetClock
) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada", exp=int(clock.now()) + 60))))
    await run(addon, "http_connect", connect)
    assert (await run(addon, "request", flow_of(connection=connect))).principal is not None
    clock.advance(90)
    refusal = await refused(addon, "request", flow_of(connection=connect))
    assert (refusal.status, refusal.code) == (511, "token-expired")


async def test_a_withdrawn_key_ends_the_tunnel(addon: IdentityAddon, provider: Provider, clock: SetClock) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    await run(addon, "http_connect", connect)
    provider.rotate(keep_old=False)
    clock.advance(30)
    await run(addon, "request", flow_of((b"Proxy-Authorization", basic(provider.token("grace")))))
    assert (await refused(addon, "request", flow_of(connection=connect))).code == "token-key-unknown"


async def test_a_credential_inside_the_tunnel_changes_nothing(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("mallory"))))
    await run(addon, "http_connect", connect)
    flow = flow_of(
        (b"PROXY-AUTHORIZATION", basic(provider.token("ada"))), (b"Proxy-Whatever", b"x"), connection=connect
    )
    exchange = await run(addon, "request", flow)
    assert exchange.principal is not None and exchange.principal.subject == "mallory"
    assert names(flow) == ["host"]


async def test_a_connection_cannot_change_hands(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    await run(addon, "http_connect", connect)
    second = flow_of((b"Proxy-Authorization", basic(provider.token("grace"))), connection=connect)
    assert (await refused(addon, "http_connect", second)).code == "credential-mismatch"
    exchange = await run(addon, "request", flow_of(connection=connect))
    assert exchange.principal is not None and exchange.principal.subject == "ada"


async def test_the_credential_is_forgotten_with_the_connection(addon: IdentityAddon, provider: Provider) -> None:
    connect = connect_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    await run(addon, "http_connect", connect)
    addon.client_disconnected(connect.client_conn)
    addon.client_disconnected(connect.client_conn)
    assert addon._tunnels == {}
    assert (await refused(addon, "request", flow_of(connection=connect))).status == 407


async def test_each_plain_request_stands_for_itself(addon: IdentityAddon, provider: Provider) -> None:
    first = flow_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    assert (await run(addon, "request", first)).principal is not None
    assert (await refused(addon, "request", flow_of(connection=first))).status == 407


async def test_transparent_takes_the_bearer_token_and_keeps_it(addon: IdentityAddon, provider: Provider) -> None:
    flow = flow_of((b"Authorization", b"Bearer " + provider.token("ada").encode()), mode="transparent")
    exchange = await run(addon, "request", flow)
    assert exchange.principal is not None and exchange.principal.subject == "ada"
    assert names(flow) == ["host"]
    assert "authorization" in exchange.secret_headers


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ((), "sign-in-required"),
        (((b"Proxy-Authorization", b"good"),), "sign-in-required"),
        (((b"Authorization", b"Basic dXNlcjpwdw=="),), "sign-in-required"),
        (((b"Authorization", b"Bearer nonsense"),), "token-malformed"),
        (((b"Authorization", b"Bearer good"), (b"authorization", b"Bearer good")), "credential-ambiguous"),
    ],
)
async def test_transparent_never_answers_with_a_challenge(
    addon: IdentityAddon, provider: Provider, fields: tuple[Pair, ...], code: str
) -> None:
    token = provider.token("ada").encode()
    good = [
        (name, basic(token.decode()) if value == b"good" else value.replace(b"good", token)) for name, value in fields
    ]
    refusal = await refused(addon, "request", flow_of(*good, mode="transparent"))
    assert refusal.code == code
    assert refusal.status == (400 if code == "credential-ambiguous" else 511)
    assert not refusal.headers


async def test_our_own_token_in_authorization_does_not_reach_the_service(
    addon: IdentityAddon, provider: Provider, clock: SetClock
) -> None:
    token = provider.token("ada")
    credential = (b"Proxy-Authorization", basic(token))
    for inner in (
        f"Bearer {token}",
        f"token {token}, x",
        f"Bearer {provider.token('ada', jti='another')}",
        f"Bearer {provider.token('ada', exp=int(clock.now()) - 600, iat=int(clock.now()) - 700)}",
    ):
        flow = flow_of(credential, (b"Authorization", inner.encode()))
        exchange = await run(addon, "request", flow)
        assert exchange.principal is not None and exchange.principal.subject == "ada"
        assert names(flow) == ["host"]


@pytest.mark.parametrize(
    "inner", [b"Bearer opaque-key-of-the-service", b"Basic dXNlcjpwdw==", b"Bearer not well formed", b"\xff\xfe"]
)
async def test_what_is_meant_for_the_service_is_left_alone(
    addon: IdentityAddon, provider: Provider, inner: bytes
) -> None:
    flow = flow_of((b"Proxy-Authorization", basic(provider.token("ada"))), (b"Authorization", inner))
    assert (await run(addon, "request", flow)).principal is not None
    assert (b"Authorization", inner) in flow.request.headers.fields


async def test_a_token_of_another_issuer_is_left_alone(addon: IdentityAddon, provider: Provider) -> None:
    for inner in (provider.token(iss="https://other.example.org"), provider.token(aud="payroll")):
        flow = flow_of(
            (b"Proxy-Authorization", basic(provider.token("ada"))), (b"Authorization", f"Bearer {inner}".encode())
        )
        assert (await run(addon, "request", flow)).principal is not None
        assert names(flow) == ["host", "authorization"]


async def test_a_machine_that_is_called_like_a_person_is_somebody_else(
    addon: IdentityAddon, provider: Provider
) -> None:
    """Rules tell them apart, so neither signs in beside the other."""
    flow = flow_of(
        (b"Proxy-Authorization", basic(provider.token("ada"))),
        (b"Authorization", b"Bearer " + provider.token("ada", client_id="ada", jti="machine").encode()),
    )
    assert (await refused(addon, "request", flow)).code == "credential-mismatch"


async def test_the_tokens_of_two_people_are_refused(addon: IdentityAddon, provider: Provider) -> None:
    for _ in range(2):  # the second time both are known already
        flow = flow_of(
            (b"Proxy-Authorization", basic(provider.token("mallory"))),
            (b"Authorization", b"Bearer " + provider.token("ada").encode()),
        )
        assert (await refused(addon, "request", flow)).code == "credential-mismatch"
        assert "authorization" not in names(flow)


async def test_two_authorization_headers_are_refused(addon: IdentityAddon, provider: Provider) -> None:
    flow = flow_of(
        (b"Proxy-Authorization", basic(provider.token("ada"))), (b"Authorization", b"a"), (b"authorization", b"b")
    )
    assert (await refused(addon, "request", flow)).code == "credential-ambiguous"


async def test_replayed_flows_have_nobody_who_asks(addon: IdentityAddon, provider: Provider) -> None:
    flow = flow_of((b"Proxy-Authorization", basic(provider.token("ada"))))
    flow.is_replay = "request"
    assert (await refused(addon, "request", flow)).code == "replay-refused"


async def test_who_asked_before_does_not_stay_on_the_exchange(addon: IdentityAddon, provider: Provider) -> None:
    exchange = Exchange(id="x", started=0.0)
    await addon.request(flow_of((b"Proxy-Authorization", basic(provider.token("ada")))), exchange)  # type: ignore[misc]
    assert exchange.principal is not None
    with pytest.raises(Refusal):
        addon.request(flow_of(), exchange)
    assert exchange.principal is None


async def test_a_thousand_connections_at_once_stay_apart(addon: IdentityAddon, provider: Provider) -> None:
    people = [f"person-{n}" for n in range(100)]
    connects = [connect_of((b"Proxy-Authorization", basic(provider.token(person)))) for person in people]
    await asyncio.gather(*(run(addon, "http_connect", connect) for connect in connects))
    flows = [flow_of(connection=connects[n % 100]) for n in range(1000)]
    exchanges = await asyncio.gather(*(run(addon, "request", flow) for flow in flows))
    subjects = [exchange.principal.subject for exchange in exchanges if exchange.principal]
    assert subjects == [people[n % 100] for n in range(1000)]


async def test_no_token_is_left_in_any_refusal(addon: IdentityAddon, provider: Provider, clock: SetClock) -> None:
    token = provider.token("ada", exp=int(clock.now()) - 600, iat=int(clock.now()) - 700)
    refusal = await refused(addon, "request", flow_of((b"Proxy-Authorization", basic(token))))
    told = f"{refusal} {refusal.title} {refusal.next_step} {refusal.members} {refusal.headers}"
    assert not any(part in told for part in token.split("."))


async def test_the_gate_does_not_open_without_its_provider(
    provider: Provider, clock: SetClock, database: Database
) -> None:
    provider.stop()
    addon = IdentityAddon(Identity(issuer=provider.issuer), database, clock)
    with pytest.raises(Fault):
        await addon.open()
    await addon.close()


async def test_closing_ends_a_fetch_that_is_under_way(
    hostile: Any, provider: Provider, clock: SetClock, database: Database
) -> None:
    addon = IdentityAddon(Identity(issuer=provider.issuer), database, clock)
    await addon.open()
    provider.rotate()
    clock.advance(30)
    waiting = asyncio.ensure_future(run(addon, "request", flow_of((b"Proxy-Authorization", basic(provider.token())))))
    await asyncio.sleep(0)
    await addon.close()
    with pytest.raises((asyncio.CancelledError, Refusal)):
        await waiting
    gc.collect()


@pytest.mark.parametrize("name", [b"X-Api-Key", b"Cookie", b"X-Auth-Token", b"Referer"])
async def test_our_token_under_any_other_name_goes_no_further(
    addon: IdentityAddon, provider: Provider, name: bytes
) -> None:
    token = provider.token("ada")
    connect = connect_of((b"Proxy-Authorization", basic(token)))
    await run(addon, "http_connect", connect)
    flow = flow_of((name, b"a=" + token.encode() + b"; b"), (b"X-Kept", b"1"), connection=connect)
    exchange = await run(addon, "request", flow)
    assert names(flow) == ["host", "x-kept"]
    assert name.decode().lower() in exchange.secret_headers


async def test_our_token_in_the_address_is_refused(addon: IdentityAddon, provider: Provider) -> None:
    token = provider.token("ada")
    connect = connect_of((b"Proxy-Authorization", basic(token)))
    await run(addon, "http_connect", connect)
    flow = flow_of(connection=connect)
    flow.request.path = f"/datasets?access_token={token}"
    refusal = await refused(addon, "request", flow)
    assert (refusal.status, refusal.code) == (400, "credential-misplaced") and token not in str(refusal)
