"""The provider's keys over time: rolled, revoked, late, unreachable, and a provider that answers nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from demo.certificates import certificates
from sluicegate.clock import SetClock
from sluicegate.errors import Fault, Refusal
from sluicegate.identity import problems
from sluicegate.identity.keys import FRESH_FOR, RETRY_AFTER, USABLE_FOR
from sluicegate.identity.provider import MAX_DOCUMENT, usable_address
from sluicegate.identity.verifier import Verifier
from sluicegate.settings import load
from sluicegate.settings.model import Identity
from tests.provider import Provider

JWKS = "/jwks"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def refusal(verifier: Verifier, token: str) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    return caught.value.status, caught.value.code


async def test_a_rolled_key_is_fetched_when_it_is_first_seen(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    old = provider.token("ada")
    await verifier.verify(old)
    provider.rotate()
    clock.advance(RETRY_AFTER)
    assert (await verifier.verify(provider.token("grace"))).subject == "grace"
    assert (await verifier.verify(old)).subject == "ada"
    assert provider.hits[JWKS] == 2


async def test_what_a_withdrawn_key_signed_is_refused_although_it_was_verified_before(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    old = provider.token("ada")
    await verifier.verify(old)
    provider.rotate(keep_old=False)
    clock.advance(RETRY_AFTER)
    await verifier.verify(provider.token("grace"))
    assert verifier.cached(old) is None
    assert await refusal(verifier, old) == (511, "token-key-unknown")


async def test_a_key_that_changed_under_its_name_does_not_keep_what_it_proved(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    old = provider.token("ada")
    await verifier.verify(old)
    keys = provider.state.keys
    keys.current = ECKey.generate_key("P-256", {"kid": str(keys.current.kid), "use": "sig"})
    keys._published = [keys.current]
    clock.advance(FRESH_FOR)
    verifier.cached(old)
    await until(lambda: verifier.cached(old) is None)
    assert await refusal(verifier, old) == (511, "token-signature")


async def test_many_requests_with_unknown_keys_cost_the_provider_one_fetch(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    provider.rotate()
    good = [provider.token(f"person-{n}") for n in range(100)]
    bad = [provider.forge(provider.header(kid=f"made-up-{n}"), provider.claims()) for n in range(100)]
    clock.advance(RETRY_AFTER)
    outcomes = await asyncio.gather(*(verifier.verify(token) for token in good + bad), return_exceptions=True)
    assert [getattr(one, "subject", None) for one in outcomes[:100]] == [f"person-{n}" for n in range(100)]
    assert {getattr(one, "code", None) for one in outcomes[100:]} == {"token-key-unknown"}
    assert provider.hits[JWKS] == 2
    assert await refusal(verifier, bad[0]) == (511, "token-key-unknown")
    assert provider.hits[JWKS] == 2
    clock.advance(RETRY_AFTER)
    await refusal(verifier, bad[0])
    assert provider.hits[JWKS] == 3


async def test_one_who_gives_up_waiting_does_not_take_the_keys_from_the_others(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    provider.rotate()
    clock.advance(RETRY_AFTER)
    impatient = asyncio.create_task(verifier.verify(provider.token("ada")))
    patient = asyncio.create_task(verifier.verify(provider.token("grace")))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).subject == "grace"
    assert provider.hits[JWKS] == 2


async def test_keys_are_fetched_again_in_the_background_and_nobody_waits(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    token = provider.token()
    await verifier.verify(token)
    clock.advance(FRESH_FOR - 1)
    assert verifier.cached(token) is not None
    assert provider.hits[JWKS] == 1
    clock.advance(1)
    assert all(verifier.cached(token) is not None for _ in range(50))
    await until(lambda: provider.hits[JWKS] == 2)
    assert verifier.cached(token) is not None


async def test_known_keys_stay_good_for_a_day_while_the_provider_is_down(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    lasting = provider.claims()
    provider.stop()
    clock.advance(USABLE_FOR - 1)
    lasting |= {"iat": int(clock.now()) - 60, "exp": int(clock.now()) + 600}
    token = provider.forge(provider.header(), lasting)
    assert (await verifier.verify(token)).subject == "ada"
    await until(lambda: verifier._keys.trouble is not None)
    assert (await verifier.verify(token)).subject == "ada"
    clock.advance(1)
    assert verifier.cached(token) is None
    assert await refusal(verifier, token) == (503, "identity-unavailable")
    clock.advance(RETRY_AFTER)
    assert await refusal(verifier, token) == (503, "identity-unavailable")


async def test_an_unknown_key_while_the_provider_is_down_is_not_the_persons_fault(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    provider.stop()
    provider.rotate()
    clock.advance(RETRY_AFTER)
    assert await refusal(verifier, provider.token()) == (503, "identity-unavailable")


async def test_a_clock_that_was_set_back_does_not_lock_the_keys(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    clock.advance(-100_000)
    assert (await verifier.verify(provider.token())).subject == "ada"


async def test_the_fetch_does_not_inherit_the_context_of_the_request_that_set_it_off(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    # Lockdown's check of upstream addresses is a context variable, and a provider on loopback would fail it.
    marker: ContextVar[str] = ContextVar("marker", default="")
    seen: list[str] = []
    fetch = verifier._keys._provider.published_keys

    async def watched() -> Any:
        seen.append(marker.get())
        return await fetch()

    verifier._keys._provider.published_keys = watched  # type: ignore[method-assign]
    marker.set("of a request")
    provider.rotate()
    clock.advance(RETRY_AFTER)
    await verifier.verify(provider.token())
    assert seen == [""]


async def opening(issuer: str, *, patience: float = 5.0, **settings: Any) -> str:
    verifier = Verifier(Identity(issuer=issuer, **settings), SetClock(), patience=patience)
    with pytest.raises(Fault) as caught:
        await verifier.open()
    assert "\n" not in str(caught.value)
    assert caught.value.message.startswith(f"The identity provider {issuer} ")
    return caught.value.message


def answer(document: Any, *, status: str = "200 OK", extra: str = "") -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return f"HTTP/1.1 {status}\r\n{extra}content-length: {len(body)}\r\n\r\n".encode() + body


CONFIGURATION = "/.well-known/openid-configuration"


async def test_a_provider_that_is_down_stops_the_start(provider: Provider) -> None:
    provider.stop()
    assert "cannot be reached: " in await opening(provider.issuer)


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ({CONFIGURATION: lambda i: answer(b"<html>down for maintenance</html>")}, "did not answer with a JSON object"),
        ({CONFIGURATION: lambda i: answer([1])}, "did not answer with a JSON object"),
        ({CONFIGURATION: lambda i: answer(b'{"issuer":"a","issuer":"b"}')}, "did not answer with a JSON object"),
        ({CONFIGURATION: lambda i: answer(b"[" * 200_000)}, "did not answer with a JSON object"),
        ({CONFIGURATION: lambda i: answer(b" " * (MAX_DOCUMENT + 1))}, "more than 256 kB"),
        ({CONFIGURATION: lambda i: b"HTTP/1.1 200 OK\r\n\r\n" + b"{" * (MAX_DOCUMENT + 1)}, "more than 256 kB"),
        ({CONFIGURATION: lambda i: b"SSH-2.0-OpenSSH_9.2\r\n"}, "cannot be reached"),
        ({CONFIGURATION: lambda i: b""}, "cannot be reached"),
        ({CONFIGURATION: lambda i: answer({}, status="500 Oops")}, "answered 500"),
        ({CONFIGURATION: lambda i: answer({}, status="404 Not Found")}, "answered 404"),
        (
            {CONFIGURATION: lambda i: answer({}, status="302 Found", extra="location: /elsewhere\r\n")},
            "answered 302",
        ),
        (
            {CONFIGURATION: lambda i: answer(b"\x1f\x8b", extra="content-encoding: gzip\r\n")},
            "content coding",
        ),
        ({CONFIGURATION: lambda i: answer({"issuer": i + "/", "jwks_uri": i + "/jwks"})}, "another issuer"),
        ({CONFIGURATION: lambda i: answer({"issuer": [i], "jwks_uri": i + "/jwks"})}, "another issuer"),
        ({CONFIGURATION: lambda i: answer({"issuer": i})}, "no jwks_uri"),
        ({CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": "http://10.0.0.1/jwks"})}, "no jwks_uri"),
        ({CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": "file:///etc/passwd"})}, "no jwks_uri"),
        ({CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": {"a": 1}})}, "no jwks_uri"),
        ({CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": i + "/jwks"})}, "answered 404 for /jwks"),
        (
            {
                CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": i + "/jwks"}),
                JWKS: lambda i: answer({"keys": []}),
            },
            "publishes no keys",
        ),
        (
            {
                CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": i + "/jwks"}),
                JWKS: lambda i: answer({"keys": {"kty": "RSA"}}),
            },
            "publishes no keys",
        ),
        (
            {
                CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": i + "/jwks"}),
                JWKS: lambda i: answer({"keys": [{}] * 51}),
            },
            "more than 50 keys",
        ),
        (
            {
                CONFIGURATION: lambda i: answer({"issuer": i, "jwks_uri": i + "/jwks"}),
                JWKS: lambda i: answer({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}),
            },
            "no key that can be used (key 0: publishes private members (k))",
        ),
    ],
)
async def test_a_provider_that_answers_nonsense_stops_the_start(hostile: Any, documents: Any, said: str) -> None:
    hostile.answers = {path: make(hostile.issuer) for path, make in documents.items()}
    message = await opening(hostile.issuer)
    assert said in message
    assert "c2VjcmV0" not in message
    assert "/elsewhere" not in hostile.seen


async def test_a_provider_that_never_answers_stops_the_start(hostile: Any) -> None:
    def late() -> bytes:
        hostile.released.wait(60)
        return b""

    hostile.answers[CONFIGURATION] = late
    assert "no answer within 0.2 seconds" in await opening(hostile.issuer, patience=0.2)


async def test_a_provider_that_turns_bad_later_leaves_the_known_keys(hostile: Any, provider: Provider) -> None:
    clock = provider.clock
    assert isinstance(clock, SetClock)
    hostile.answers = {
        CONFIGURATION: answer({"issuer": hostile.issuer, "jwks_uri": hostile.issuer + "/jwks"}),
        JWKS: answer(provider.state.keys.public()),
    }
    verifier = Verifier(Identity(issuer=hostile.issuer), clock)
    await verifier.open()
    try:
        token = provider.token(iss=hostile.issuer)
        await verifier.verify(token)
        hostile.answers[JWKS] = answer(b"<html>")
        clock.advance(FRESH_FOR)
        assert verifier.cached(token) is not None
        await until(lambda: verifier._keys.trouble is not None)
        assert verifier.cached(token) is not None
    finally:
        await verifier.close()


async def test_proxy_variables_are_not_followed(
    provider: Provider, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    verifier = Verifier(Identity(issuer=provider.issuer), clock)
    await verifier.open()
    await verifier.close()


async def test_https_needs_an_authority_that_is_trusted(tmp_path: Path, clock: SetClock) -> None:
    files = certificates(tmp_path)
    with Provider(clock=clock, certificate=files.service) as provider:
        assert provider.issuer.startswith("https://")
        assert "cannot be reached" in await opening(provider.issuer)
        verifier = Verifier(Identity(issuer=provider.issuer, trusted_ca=str(files.ca)), clock)
        await verifier.open()
        assert (await verifier.verify(provider.token())).subject == "ada"
        await verifier.close()
        assert "is not a readable PEM file" in await opening(provider.issuer, trusted_ca=str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("address", "beside", "good"),
    [
        ("https://id.example.org", None, True),
        ("https://id.example.org/realms/a", None, True),
        ("http://127.0.0.1:8080", None, True),
        ("http://[::1]:8080", None, True),
        ("http://localhost:8080", None, True),
        ("http://id.example.org", None, False),
        ("http://127.0.0.1.example.org", None, False),
        ("http://127.0.0.1@id.example.org", None, False),
        ("https://user:pass@id.example.org", None, False),
        ("https://id.example.org#part", None, False),
        ("https://", None, False),
        ("https://id.example.org:99999", None, False),
        ("ftp://id.example.org", None, False),
        ("https://[", None, False),
        ("https://idé.example.org", None, False),
        ("https://id.example.org/\n", None, False),
        ("http://127.0.0.1/jwks", "https://id.example.org", False),
        ("http://127.0.0.1/jwks", "http://localhost:1", True),
    ],
)
def test_addresses_that_keys_may_come_from(address: str, beside: str | None, good: bool) -> None:
    assert usable_address(address, beside=beside) is good


def test_problems_of_the_policy_are_found_before_anything_starts(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'[identity]\nissuer = "http://id.example.org"\nalgorithms = []\ntrusted_ca = "{tmp_path}/none.pem"\n'
    )
    found = problems(load(policy))
    assert [(problem.line, problem.where) for problem in sorted(found)] == [
        (2, "identity.issuer"),
        (3, "identity.algorithms"),
        (4, "identity.trusted_ca"),
    ]
    policy.write_text('[identity]\nissuer = "https://id.example.org"\n')
    assert problems(load(policy)) == []
