"""Services that want a token of the person: when it is put in, what is looked for in answers, and what a policy may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mitmproxy.test import tflow
from pydantic import ValidationError

from sluicegate.credentials import problems
from sluicegate.credentials.addon import CredentialsAddon
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange, Principal, Target, Verdict
from sluicegate.settings import load
from sluicegate.settings.model import Credential, OnBehalf, Service

TOKEN = "a-token-for-the-service"
HANDLE = "slg_whatever"


class Tokens:
    """Gives what it is told to."""

    def __init__(self, *, kept: bool = True, refusal: Refusal | None = None) -> None:
        self.kept, self.refusal = kept, refusal
        self.asked: list[tuple[str, str | None, Target]] = []
        self.down: list[str] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def cached(self, who: Principal, presented: str | None, target: Target) -> str | None:
        self.asked.append((who.subject, presented, target))
        return TOKEN if self.kept else None

    async def obtain(self, who: Principal, presented: str | None, target: Target) -> str:
        if self.refusal is not None:
            raise self.refusal
        return TOKEN

    def turned_down(self, who: Principal, presented: str | None, target: Target, token: str) -> None:
        self.down.append(token)


def service(**how: Any) -> Service:
    credential = Credential(on_behalf=OnBehalf(audience="chunk-service", scope=["a", "b"]), **how)
    return Service(hosts=["chunks.internal"], dialect="chunks", credential=credential)


def addon_of(tokens: Tokens | None, **how: Any) -> CredentialsAddon:
    shared = Credential(header="Authorization", value="Bearer shared-secret")
    services = {
        "chunks": service(**how),
        "shared": Service(hosts=["shared.internal"], dialect="chunks", credential=shared),
    }
    return CredentialsAddon(services, {}, personal=tokens)


def decided(**parts: Any) -> Exchange:
    parts = {"principal": Principal("ada", "https://id"), "verdict": Verdict("allow"), "secret": HANDLE, **parts}
    return Exchange(id="x", started=0.0, **{"service": "chunks", **parts})


def flow_of(version: str = "HTTP/1.1") -> Any:
    flow = tflow.tflow(resp=True)
    flow.request.http_version = version
    flow.request.headers.fields = ((b"authorization", b"Bearer of-the-client"), (b"AUTHORIZATION", b"Basic twice"))
    return flow


async def asked(addon: CredentialsAddon, flow: Any, exchange: Exchange) -> None:
    waiting = addon.request(flow, exchange)
    if waiting is not None:
        await waiting


@pytest.mark.parametrize("kept", [True, False])
async def test_it_takes_the_place_of_what_the_client_sent(kept: bool) -> None:
    tokens, flow, exchange = Tokens(kept=kept), flow_of(), decided()
    await asked(addon_of(tokens), flow, exchange)
    assert flow.request.headers.fields == ((b"Authorization", f"Bearer {TOKEN}".encode()),)
    assert exchange.secret is None and exchange.secret_headers == {"authorization"}
    assert tokens.asked == [("ada", HANDLE, Target("chunks", "chunk-service", "", "a b"))]


async def test_another_header_and_http2() -> None:
    flow, exchange = flow_of("HTTP/2.0"), decided()
    await asked(addon_of(Tokens(), header="X-User-Token"), flow, exchange)
    assert flow.request.headers.fields[-1] == (b"x-user-token", TOKEN.encode())


@pytest.mark.parametrize("parts", [{"verdict": None}, {"verdict": Verdict("deny")}, {"verdict": Verdict("hold")}, {"principal": None}])  # fmt: skip
async def test_nobody_is_asked_before_the_verdict(parts: dict[str, Any]) -> None:
    tokens, flow, exchange = Tokens(), flow_of(), decided(**parts)
    with pytest.raises(Refusal):
        await asked(addon_of(tokens), flow, exchange)
    assert not tokens.asked and exchange.secret is None and TOKEN not in str(flow.request.headers)


async def test_without_one_the_exchange_is_refused_and_nothing_else_is_put_in() -> None:
    flow = flow_of()
    before = flow.request.headers.fields
    with pytest.raises(Refusal, match="exchange-refused"):
        await asked(addon_of(Tokens(kept=False, refusal=Refusal(502, "exchange-refused", "t", "d"))), flow, decided())
    assert flow.request.headers.fields == before


async def test_other_services_wipe_what_was_presented_too() -> None:
    tokens, exchange = Tokens(), decided(service="shared")
    await asked(addon_of(tokens), flow_of(), exchange)
    assert exchange.secret is None and not tokens.asked


async def test_an_answer_that_hands_it_back_is_refused() -> None:
    addon, flow, exchange = addon_of(Tokens()), flow_of(), decided()
    await asked(addon, flow, exchange)
    flow.response.raw_content = f'{{"you sent": "{TOKEN}"}}'.encode()
    with pytest.raises(Refusal, match="credential-echoed"):
        addon.response(flow, exchange)
    flow.response.raw_content = b"{}"
    addon.response_begins(flow, exchange)
    assert exchange.watch is not None
    with pytest.raises(Refusal, match="credential-echoed"):
        exchange.watch.look(f"x{TOKEN}".encode())
    exchange.watch.look(b"{}")


async def test_an_answer_to_nobody_knows_what_is_no_answer() -> None:
    with pytest.raises(RuntimeError):
        addon_of(Tokens()).response(flow_of(), decided())


async def test_a_service_that_does_not_take_it_is_told_on() -> None:
    tokens = Tokens()
    addon, flow, exchange = addon_of(tokens), flow_of(), decided()
    await asked(addon, flow, exchange)
    for status in (200, 403, 500):
        flow.response.status_code = status
        addon.response(flow, exchange)
    assert tokens.down == []
    flow.response.status_code = 401
    addon.response(flow, exchange)
    assert tokens.down == [TOKEN]


def test_without_a_provider_to_ask_nothing_starts() -> None:
    with pytest.raises(Fault, match="token_exchange"):
        addon_of(None)


@pytest.mark.parametrize(
    "credential",
    [
        {"on_behalf": {}}, {"on_behalf": {"scope": ["read"]}}, {"on_behalf": {"audience": ""}}, {"on_behalf": {"audience": "a", "x": 1}},
        {"on_behalf": {"audience": "a"}, "value": "shared"}, {"on_behalf": {"audience": "a"}, "file": "shared"},
        {"on_behalf": {"audience": "a"}, "scheme": "aws"}, {"on_behalf": {"audience": "a"}, "scheme": "basic"},
        {"on_behalf": {"resource": "no-uri"}}, {"on_behalf": {"resource": "https://a/#part"}},
        {"on_behalf": {"audience": "a", "scope": ["two words"]}}, {"on_behalf": {"audience": "a", "requested": "refresh_token"}},
    ],
)  # fmt: skip
def test_what_a_policy_may_not_say(credential: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Credential.model_validate(credential)


def test_problems_are_listed_with_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sluicegate.identity import problems as of_identity

    monkeypatch.delenv("NONE", raising=False)
    policy = tmp_path / "policy.toml"
    policy.write_text(
        """[identity]
issuer = "https://id.example.org"
[services.one]
hosts = ["one"]
dialect = "chunks"
credential = { on_behalf = { audience = "one" } }
"""
    )
    assert [(one.line, one.where) for one in problems(load(policy), {})] == [(6, "services.one.credential.on_behalf")]
    policy.write_text(
        f"""[identity]
issuer = "https://id.example.org"
[identity.token_exchange]
client_id = "sluicegate-cli"
client_secret = "${{NONE}}"
actor_token_file = "{tmp_path}/none"
[services.one]
hosts = ["one"]
dialect = "chunks"
credential = {{ on_behalf = {{ audience = "one" }} }}
"""
    )
    loaded = load(policy)
    assert problems(loaded, {}) == []
    found = [(one.line, one.where) for one in of_identity(loaded)]
    assert found == [
        (3, "identity.token_exchange"),
        (5, "identity.token_exchange.client_secret"),
        (6, "identity.token_exchange.actor_token_file"),
    ]
    for wrong in ("", 'client_secret = "a"\nclient_secret_file = "b"'):
        policy.write_text(f'[identity]\nissuer = "https://id"\n[identity.token_exchange]\nclient_id = "g"\n{wrong}\n')
        with pytest.raises(Fault, match="client_secret"):
            load(policy)
