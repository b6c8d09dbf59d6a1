"""The list of what must not get through, one row for each case, by its own words, with the reason that is given.

`LIST` holds the words: algorithms, sources of keys, form, claims, types, the flow of a sign-in, keys over time, sessions.
A case without a row fails, and so does a row without a case.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from demo.provider_state import half_hash
from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.identity.keys import RETRY_AFTER
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity
from tests.identity import test_identity_login as login
from tests.identity import test_identity_sign_in as sign_in
from tests.identity import test_identity_tokens as tokens
from tests.identity.test_identity_keys import CONFIGURATION, JWKS, answer
from tests.provider import DROP, Provider

LIST: dict[str, tuple[str, ...]] = {
    "algorithm": ("none", "None", "nOnE", "HS with PEM", "HS with DER", "HS with JWK"),
    "key sources": (
        *("embedded jwk", "jku", "x5u", "x5c", "kid traversal", "kid SQL", "kid empty", "kid 10 kB"),
        *("kid of another issuer", "kid number", "no kid with many keys"),
    ),
    "header": ("crit", "b64=false", "zip"),
    "form": (
        *("JWE to the JWS endpoint", "nested JWT", "1 part", "2 parts", "4 parts", "5 parts", "padding", "newline"),
        *("space", "unicode", "oversize", "deep JSON", "duplicate sub", "array payload"),
    ),
    "iss, aud": (
        *("iss trailing slash", "iss list", "iss case", "aud missing", "aud substring", "aud list", "aud dict"),
        "azp wrong",
    ),
    "time": (
        *("exp missing", "exp past", "exp string", "exp NaN", "exp 1e999", "exp negative", "exp year 9999"),
        *("nbf future", "iat future", "clock +90 s", "clock -90 s"),
    ),
    "type": ("typ id_token at API", "typ logout+jwt", "typ missing", "ID token as access token"),
    "flow": (
        *("nonce missing", "nonce replayed", "at_hash wrong", "state replay", "`iss` parameter mix-up"),
        *("code replay", "PKCE downgrade"),
    ),
    "keys over time": ("old key retired", "new key unseen", "JWKS down", "JWKS slow", "JWKS HTML"),
    "session": (
        *("revoked sid", "logout token: no events", "logout token: has nonce", "logout token: replayed jti"),
        "logout token: wrong aud",
    ),
}

TOKENS: dict[str, tuple[str, str]] = {
    "none": ("alg none", "token-algorithm"),
    "None": ("alg None", "token-algorithm"),
    "nOnE": ("alg nOnE", "token-algorithm"),
    "HS with PEM": ("HMAC with the public PEM", "token-algorithm"),
    "HS with DER": ("HMAC with the public DER", "token-algorithm"),
    "HS with JWK": ("HMAC with the JWK", "token-algorithm"),
    "embedded jwk": ("embedded jwk", "token-header"),
    "jku": ("jku", "token-header"),
    "x5u": ("x5u", "token-header"),
    "x5c": ("x5c", "token-header"),
    "kid traversal": ("kid traversal", "token-key-unknown"),
    "kid SQL": ("kid SQL", "token-key-unknown"),
    "kid empty": ("kid empty", "token-key-unnamed"),
    "kid 10 kB": ("kid of 10 kB", "token-key-unnamed"),
    "kid of another issuer": ("kid of another issuer", "token-key-unknown"),
    "kid number": ("kid number", "token-key-unnamed"),
    "crit": ("crit", "token-header"),
    "b64=false": ("b64 false", "token-header"),
    "zip": ("zip", "token-header"),
    "JWE to the JWS endpoint": ("JWE", "token-malformed"),
    "nested JWT": ("nested", "token-malformed"),
    "1 part": ("one part", "token-malformed"),
    "2 parts": ("two parts", "token-malformed"),
    "4 parts": ("four parts", "token-malformed"),
    "5 parts": ("five parts", "token-malformed"),
    "padding": ("padding", "token-malformed"),
    "newline": ("line end", "token-malformed"),
    "space": ("space", "token-malformed"),
    "unicode": ("full-width digits", "token-malformed"),
    "oversize": ("oversize", "token-too-long"),
    "deep JSON": ("deep payload", "token-malformed"),
    "duplicate sub": ("duplicate sub", "token-malformed"),
    "array payload": ("array payload", "token-malformed"),
    "iss trailing slash": ("iss with slash", "token-issuer"),
    "iss list": ("iss in a list", "token-issuer"),
    "iss case": ("iss in capitals", "token-issuer"),
    "aud missing": ("aud missing", "token-audience"),
    "aud substring": ("aud substring", "token-audience"),
    "aud list": ("aud nested list", "token-audience"),
    "aud dict": ("aud dict", "token-audience"),
    "azp wrong": ("azp wrong", "token-party"),
    "exp missing": ("exp missing", "token-time"),
    "exp past": ("exp past", "token-expired"),
    "exp string": ("exp string", "token-time"),
    "exp NaN": ("exp NaN", "token-malformed"),
    "exp 1e999": ("exp 1e999", "token-time"),
    "exp negative": ("exp negative", "token-time"),
    "exp year 9999": ("exp in the year 9999", "token-lifetime"),
    "nbf future": ("nbf future", "token-not-yet-valid"),
    "iat future": ("iat future", "token-not-yet-valid"),
    "typ id_token at API": ("typ id_token", "token-type"),
    "typ logout+jwt": ("logout token", "token-type"),
    "typ missing": ("typ missing", "token-type"),
    "ID token as access token": ("ID token of a client", "token-audience"),
}
"""To the row of tests/identity/test_identity_tokens.py that makes the token, and the reason."""


@pytest.mark.parametrize("case", TOKENS)
async def test_a_token_of_the_list(verifier: Verifier, provider: Provider, case: str) -> None:
    row, code = TOKENS[case]
    expected, make = tokens.BAD[row]
    assert expected == code
    assert await tokens.refused(verifier, make(provider)) == code


Held = Callable[[Verifier, Provider, SetClock], Awaitable[str]]


async def _no_kid_with_many_keys(verifier: Verifier, provider: Provider, clock: SetClock) -> str:
    provider.rotate()
    clock.advance(RETRY_AFTER)
    assert (await verifier.verify(provider.token())).subject == "ada"
    return await tokens.refused(verifier, tokens.with_header(kid=DROP)(provider))


def _clock_off(by: float) -> Held:
    async def held(verifier: Verifier, provider: Provider, clock: SetClock) -> str:
        token = provider.token(exp=int(clock.now()) + 59)
        clock.advance(by)
        return await tokens.refused(verifier, token)

    return held


async def _old_key_retired(verifier: Verifier, provider: Provider, clock: SetClock) -> str:
    token = provider.token()
    await verifier.verify(token)
    provider.rotate(keep_old=False)
    clock.advance(RETRY_AFTER)
    await verifier.verify(provider.token("grace"))
    return await tokens.refused(verifier, token)


async def _new_key_unseen(verifier: Verifier, provider: Provider, clock: SetClock) -> str:
    provider.rotate()  # and the provider may not be asked again yet
    before = provider.hits[JWKS]
    code = await tokens.refused(verifier, provider.token())
    assert provider.hits[JWKS] == before
    return code


async def _jwks_down(verifier: Verifier, provider: Provider, clock: SetClock) -> str:
    provider.stop()
    provider.rotate()
    clock.advance(RETRY_AFTER)
    return await tokens.refused(verifier, provider.token())


LATER: dict[str, tuple[Held, str]] = {
    "no kid with many keys": (_no_kid_with_many_keys, "token-key-unnamed"),
    "clock +90 s": (_clock_off(90), "token-expired"),
    "clock -90 s": (_clock_off(-90), "token-not-yet-valid"),
    "old key retired": (_old_key_retired, "token-key-unknown"),
    "new key unseen": (_new_key_unseen, "token-key-unknown"),
    "JWKS down": (_jwks_down, "identity-unavailable"),
}


@pytest.mark.parametrize("case", LATER)
async def test_a_token_of_the_list_at_another_time(
    verifier: Verifier, provider: Provider, clock: SetClock, case: str
) -> None:
    held, code = LATER[case]
    assert await held(verifier, provider, clock) == code


BAD_KEYS = {"JWKS slow": "identity-unavailable", "JWKS HTML": "identity-unavailable"}


@pytest.mark.parametrize("case", BAD_KEYS)
async def test_keys_that_do_not_come(hostile: Any, provider: Provider, clock: SetClock, case: str) -> None:
    def late() -> bytes:
        hostile.released.wait(60)
        return b""

    hostile.answers = {
        CONFIGURATION: answer({"issuer": hostile.issuer, "jwks_uri": hostile.issuer + JWKS}),
        JWKS: answer(provider.state.keys.public()),
    }
    verifier = Verifier(Identity(issuer=hostile.issuer), clock, patience=60.0)
    await verifier.open()
    try:
        if case == "JWKS slow":
            verifier._keys._provider._patience = 0.5  # what comes before is not what is late here
        hostile.answers[JWKS] = late if case == "JWKS slow" else answer(b"<html>down</html>")
        provider.rotate()
        clock.advance(RETRY_AFTER)
        assert await tokens.refused(verifier, provider.token(iss=hostile.issuer)) == BAD_KEYS[case]
    finally:
        await verifier.close()


SIGN_IN = {"nonce missing": "token-nonce", "nonce replayed": "token-used", "at_hash wrong": "token-at-hash"}
SESSIONS = {
    "revoked sid": "token-revoked",
    "logout token: no events": "no events",
    "logout token: has nonce": "a nonce",
    "logout token: replayed jti": "before",
    "logout token: wrong aud": "wrong aud",
}


@pytest.mark.parametrize("case", SIGN_IN)
async def test_an_id_token_of_the_list(tmp_path: Path, case: str) -> None:
    with Provider() as provider:
        async with sign_in.serving(provider, tmp_path) as site:
            access = provider.token("ada")
            claims: dict[str, Any] = {"at_hash": half_hash(access), "nonce": "n-1"}
            claims |= {"nonce missing": {"nonce": DROP}, "at_hash wrong": {"at_hash": "A" * 22}}.get(case, {})
            token = site.id_token("ada", **claims)
            sent = {"id_token": token, "access_token": access, "nonce": "n-1"}
            if case == "nonce replayed":
                assert (await site.begin(**sent)).status_code == 200
            assert sign_in.code_of(await site.begin(**sent)) == f"401 {SIGN_IN[case]}"


@pytest.mark.parametrize("case", SESSIONS)
async def test_a_session_of_the_list(tmp_path: Path, case: str) -> None:
    with Provider() as provider:
        async with sign_in.serving(provider, tmp_path) as site:
            good = provider.state.logout_token(sid="sid-of-ada")
            if case in ("revoked sid", "logout token: replayed jti"):
                bearer = provider.token("ada", sid="sid-of-ada")
                assert (await site.logout(good)).status_code == 200
                await site.gateway.sessions.look()
                with pytest.raises(Refusal) as caught:
                    await site.gateway.verify(bearer, sign_in.HERE)
                assert caught.value.code == "token-revoked"
            if case == "revoked sid":
                return
            handle = (await site.begin(id_token=site.id_token("ada", iat=int(time.time()) + 2))).json()["handle"]
            token = good if case == "logout token: replayed jti" else sign_in.LOGOUT[SESSIONS[case]](provider)
            refused = await site.logout(token)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
            assert refused.json()["error_description"]
            await site.gateway.sessions.look()
            assert await site.gateway.verify(handle, sign_in.HERE)


IN_THE_BROWSER = {
    "state replay": login.test_the_answer_to_another_sign_in_changes_nothing,
    "`iss` parameter mix-up": login.test_the_answer_of_another_provider_is_not_taken,
    "code replay": login.test_a_code_that_was_used_before_signs_nobody_in,
    "PKCE downgrade": login.test_a_provider_without_pkce_signs_nobody_in,
}
"""What is between `sluicegate login`, a browser and the provider, and so in tests/identity/test_identity_login.py, with
the codes `sign-in-state`, `sign-in-issuer`, `sign-in-refused` and `sign-in-pkce`."""


def test_every_case_has_its_row_and_every_row_its_case() -> None:
    cases = [case for area in LIST.values() for case in area]
    rows = [*TOKENS, *LATER, *BAD_KEYS, *SIGN_IN, *SESSIONS, *IN_THE_BROWSER]
    assert len(set(cases)) == len(cases) and len(set(rows)) == len(rows)
    assert set(rows) == set(cases)
    assert len(cases) == 74
