"""Token verification against everything that must not get through: RFC 8725 and what the JOSE library lets pass."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.identity.claims import principal
from sluicegate.identity.compact import strict_object
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity
from tests.provider import DROP, Provider


async def refused(verifier: Verifier, token: str) -> str:
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    assert verifier.cached(token) is None
    assert not token or token not in str(caught.value)
    return caught.value.code


async def test_a_good_token_says_who_asks(verifier: Verifier, provider: Provider, clock: SetClock) -> None:
    token = provider.token("ada")
    assert verifier.cached(token) is None
    principal = await verifier.verify(token)
    assert (principal.subject, principal.name, principal.groups) == ("ada", "Ada Lovelace", {"engineering"})
    assert (principal.issuer, principal.session, principal.kind) == (provider.issuer, "session-of-ada", "person")
    assert principal.expires == provider.claims()["exp"]
    assert verifier.cached(token) is principal


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def hmac_signed(provider: Provider, secret: bytes) -> str:
    signed = f"{b64(json.dumps(provider.header(alg='HS256')).encode())}.{b64(json.dumps(provider.claims()).encode())}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def public_pem(provider: Provider) -> bytes:
    key = provider.state.keys.current.public_key
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_der(provider: Provider) -> bytes:
    key = provider.state.keys.current.public_key
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def unsigned(provider: Provider, name: str) -> str:
    return f"{b64(json.dumps(provider.header(alg=name)).encode())}.{b64(json.dumps(provider.claims()).encode())}.AAAA"


def foreign_key(provider: Provider, **header: Any) -> str:
    """Signed with somebody else's key, under the name of the provider's."""
    mine, keys = ECKey.generate_key("P-256"), provider.state.keys
    theirs, keys.current = keys.current, mine
    try:
        return provider.forge({"alg": "ES256", "kid": theirs.kid, "typ": "at+jwt", **header}, provider.claims())
    finally:
        keys.current = theirs


def with_header(**members: Any) -> Callable[[Provider], str]:
    return lambda p: p.forge(p.header(**members), p.claims())


def with_claims(**members: Any) -> Callable[[Provider], str]:
    return lambda p: p.forge(p.header(), p.claims(**members))


def raw_payload(change: Callable[[str], str]) -> Callable[[Provider], str]:
    return lambda p: p.forge(p.header(), change(json.dumps(p.claims())).encode())


def flip_spare_bits(token: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


NOW = 1_750_000_000
BAD: dict[str, tuple[str, Callable[[Provider], str]]] = {
    # algorithm
    "alg none": ("token-algorithm", lambda p: unsigned(p, "none")),
    "alg None": ("token-algorithm", lambda p: unsigned(p, "None")),
    "alg nOnE": ("token-algorithm", lambda p: unsigned(p, "nOnE")),
    "HMAC with the public PEM": ("token-algorithm", lambda p: hmac_signed(p, public_pem(p))),
    "HMAC with the public DER": ("token-algorithm", lambda p: hmac_signed(p, public_der(p))),
    "HMAC with the JWK": ("token-algorithm", lambda p: hmac_signed(p, json.dumps(p.state.keys.public()).encode())),
    "alg of another key type": ("token-algorithm", with_header(alg="RS256")),
    "alg not listed": ("token-algorithm", with_header(alg="PS256")),
    "alg is a list": ("token-algorithm", with_header(alg=["ES256"])),
    "alg missing": ("token-algorithm", with_header(alg=DROP)),
    # where the key comes from
    "another's key": ("token-signature", foreign_key),
    "embedded jwk": ("token-header", lambda p: foreign_key(p, jwk=ECKey.generate_key("P-256").as_dict(private=False))),
    "jku": ("token-header", with_header(jku="https://attacker.example/keys")),
    "x5u": ("token-header", with_header(x5u="https://attacker.example/chain.pem")),
    "x5c": ("token-header", with_header(x5c=["MIIB"])),
    "kid traversal": ("token-key-unknown", with_header(kid="../../../../dev/null")),
    "kid SQL": ("token-key-unknown", with_header(kid="' OR 1=1 --")),
    "kid empty": ("token-key-unnamed", with_header(kid="")),
    "kid of 10 kB": ("token-key-unnamed", with_header(kid="k" * 10_000)),
    "kid number": ("token-key-unnamed", with_header(kid=1)),
    "kid missing": ("token-key-unnamed", with_header(kid=DROP)),
    "kid of another issuer": ("token-key-unknown", with_header(kid="key-of-somebody-else")),
    # header
    "crit": ("token-header", with_header(crit=["exp"])),
    "crit empty": ("token-header", with_header(crit=[])),
    "b64 false": ("token-header", with_header(b64=False)),
    "b64 true": ("token-header", with_header(b64=True)),
    "zip": ("token-header", with_header(zip="DEF")),
    "duplicate alg": (
        "token-malformed",
        lambda p: p.forge(json.dumps(p.header()).replace("{", '{"alg":"none",', 1).encode(), p.claims()),
    ),
    # form
    "JWE": ("token-malformed", lambda p: "eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA"),
    "nested": ("token-malformed", lambda p: p.forge(p.header(cty="JWT"), p.token().encode())),
    "one part": ("token-malformed", lambda p: p.token().split(".")[1]),
    "two parts": ("token-malformed", lambda p: p.token().rpartition(".")[0]),
    "empty signature": ("token-malformed", lambda p: p.token().rpartition(".")[0] + "."),
    "four parts": ("token-malformed", lambda p: p.token() + ".AAAA"),
    "five parts": ("token-malformed", lambda p: p.token() + ".AAAA.AAAA"),
    "padding": ("token-malformed", lambda p: p.token() + "=="),
    "line end": ("token-malformed", lambda p: p.token() + "\n"),
    "space": ("token-malformed", lambda p: " " + p.token()),
    "standard Base64": ("token-malformed", lambda p: "+/" + p.token()[2:]),
    "spare bits": ("token-malformed", lambda p: flip_spare_bits(p.token())),
    "full-width digits": ("token-malformed", lambda p: "\uff11" + p.token()),
    "lone surrogate": ("token-malformed", lambda p: p.token() + "\udcff"),
    "empty": ("token-malformed", lambda p: ""),
    "JSON serialization": ("token-malformed", lambda p: '{"payload":"e30","signatures":[]}'),
    "oversize": ("token-too-long", lambda p: p.token(pad="x" * 17_000)),
    "a password": ("token-malformed", lambda p: "correct horse battery staple"),
    "deep payload": ("token-malformed", lambda p: p.forge(p.header(), b'{"a":' + b"[" * 11_000)),
    "deep header": ("token-malformed", lambda p: p.forge(b"[" * 5000, p.claims())),
    "duplicate sub": ("token-malformed", raw_payload(lambda t: t.replace("{", '{"sub":"root",', 1))),
    "duplicate deep inside": ("token-malformed", raw_payload(lambda t: t.replace("{", '{"x":{"a":1,"a":2},', 1))),
    "array payload": ("token-malformed", raw_payload(lambda t: f"[{t}]")),
    "string payload": ("token-malformed", raw_payload(lambda t: '"ada"')),
    "payload not UTF-8": ("token-malformed", lambda p: p.forge(p.header(), b'{"sub":"\xff"}')),
    "payload in UTF-16": ("token-malformed", lambda p: p.forge(p.header(), json.dumps(p.claims()).encode("utf-16"))),
    "payload with BOM": ("token-malformed", lambda p: p.forge(p.header(), b"\xef\xbb\xbf{}")),
    "changed payload": (
        "token-signature",
        lambda p: ".".join(
            [p.token().split(".")[0], b64(json.dumps(p.claims("root")).encode()), p.token().split(".")[2]]
        ),
    ),
    # issuer, audience
    "iss with slash": ("token-issuer", lambda p: p.token(iss=p.issuer + "/")),
    "iss in a list": ("token-issuer", lambda p: p.token(iss=[p.issuer])),
    "iss in capitals": ("token-issuer", lambda p: p.token(iss=p.issuer.upper())),
    "iss missing": ("token-issuer", with_claims(iss=DROP)),
    "aud missing": ("token-audience", with_claims(aud=DROP)),
    "aud empty list": ("token-audience", with_claims(aud=[])),
    "aud another": ("token-audience", with_claims(aud="payroll")),
    "aud substring": ("token-audience", with_claims(aud="sluicegate-staging")),
    "aud part": ("token-audience", with_claims(aud="sluice")),
    "aud mixed list": ("token-audience", with_claims(aud=["sluicegate", 1])),
    "aud nested list": ("token-audience", with_claims(aud=[["sluicegate"]])),
    "aud dict": ("token-audience", with_claims(aud={"sluicegate": True})),
    "aud several without azp": ("token-party", with_claims(aud=["sluicegate", "payroll"])),
    "azp wrong": ("token-party", with_claims(azp="payroll")),
    "azp null": ("token-party", with_claims(azp=None)),
    "ID token of a client": ("token-audience", with_claims(aud="sluicegate-cli", nonce="n")),
    # time
    "exp missing": ("token-time", with_claims(exp=DROP)),
    "exp null": ("token-time", with_claims(exp=None)),
    "exp string": ("token-time", with_claims(exp=str(NOW + 60))),
    "exp float": ("token-time", with_claims(exp=NOW + 60.5)),
    "exp whole float": ("token-time", with_claims(exp=float(NOW + 60))),
    "exp bool": ("token-time", with_claims(exp=True)),
    "exp NaN": ("token-malformed", with_claims(exp=float("nan"))),
    "exp Infinity": ("token-malformed", with_claims(exp=float("inf"))),
    "exp 1e999": ("token-time", raw_payload(lambda t: t.replace(f'"exp": {NOW + 28800}', '"exp": 1e999'))),
    "exp negative": ("token-time", with_claims(exp=-1)),
    "exp of 5000 digits": ("token-malformed", raw_payload(lambda t: t.replace(f"{NOW + 28800}", "9" * 5000))),
    "exp past": ("token-expired", with_claims(iat=NOW - 600, exp=NOW - 30)),
    "exp long past": ("token-expired", with_claims(iat=0, exp=1)),
    "exp in the year 9999": ("token-lifetime", with_claims(exp=253_370_764_800)),
    "iat missing": ("token-time", with_claims(iat=DROP)),
    "iat future": ("token-not-yet-valid", with_claims(iat=NOW + 90)),
    "iat bool": ("token-time", with_claims(iat=False)),
    "nbf future": ("token-not-yet-valid", with_claims(nbf=NOW + 31)),
    "nbf string": ("token-time", with_claims(nbf="now")),
    "nbf null": ("token-time", with_claims(nbf=None)),
    # type
    "logout token": ("token-type", with_header(typ="logout+jwt")),
    "security event": ("token-type", with_header(typ="secevent+jwt")),
    "typ id_token": ("token-type", with_header(typ="id_token")),
    "typ number": ("token-type", with_header(typ=1)),
    "typ null": ("token-type", with_header(typ=None)),
    "typ missing": ("token-type", with_header(typ=DROP)),
    # who
    "sub missing": ("token-subject", with_claims(sub=DROP)),
    "sub empty": ("token-subject", with_claims(sub="")),
    "sub list": ("token-subject", with_claims(sub=["ada"])),
    "sub number": ("token-subject", with_claims(sub=7)),
    "sub too long": ("token-subject", with_claims(sub="a" * 256)),
    "sub with line end": ("token-subject", with_claims(sub="ada\nlevel=ERROR")),
    "sub with escape": ("token-subject", with_claims(sub="\x1b[2Jada")),
    "sub with surrogate": ("token-subject", with_claims(sub="\ud800")),
    "sub with right-to-left override": ("token-subject", with_claims(sub="ada\u202etoor")),
    "groups string": ("token-groups", with_claims(groups="fraud")),
    "groups of numbers": ("token-groups", with_claims(groups=[1])),
    "groups nested": ("token-groups", with_claims(groups=[["fraud"]])),
    "groups dict": ("token-groups", with_claims(groups={"fraud": True})),
    "groups null": ("token-groups", with_claims(groups=None)),
    "groups too many": ("token-groups", with_claims(groups=["g"] * 1001)),
    "sid list": ("token-session", with_claims(sid=["s"])),
    "jti list": ("token-session", with_claims(sid=DROP, jti=["t"])),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_token_is_refused(verifier: Verifier, provider: Provider, case: str) -> None:
    code, make = BAD[case]
    assert await refused(verifier, make(provider)) == code


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(with_header(typ="jwt"), id="typ in small letters"),
        pytest.param(with_header(typ="application/at+jwt"), id="typ in full"),
        pytest.param(with_header(x5t="AAAA", vendor={"a": 1}), id="unknown header members"),
        pytest.param(with_claims(aud=["sluicegate"]), id="aud list"),
        pytest.param(with_claims(aud=["other", "sluicegate"], azp="sluicegate"), id="several aud with azp"),
        pytest.param(with_claims(iat=NOW - 600, exp=NOW - 29), id="exp within the leeway"),
        pytest.param(with_claims(nbf=NOW + 30, iat=NOW + 30), id="nbf and iat within the leeway"),
        pytest.param(with_claims(groups=DROP), id="no groups"),
        pytest.param(with_claims(name={"first": "Ada"}), id="a name that cannot be shown"),
    ],
)
async def test_what_differs_without_harm_is_accepted(verifier: Verifier, provider: Provider, make: Any) -> None:
    assert (await verifier.verify(make(provider))).subject == "ada"


async def test_a_token_without_typ_is_taken_where_the_policy_says_so(provider: Provider, clock: SetClock) -> None:
    verifier = Verifier(Identity(issuer=provider.issuer, untyped_tokens=True), clock)
    await verifier.open()
    try:
        assert (await verifier.verify(with_header(typ=DROP)(provider))).kind == "person"
        assert await refused(verifier, with_header(typ="logout+jwt")(provider)) == "token-type"
        assert await refused(verifier, with_header(typ=None)(provider)) == "token-type"
    finally:
        await verifier.close()


async def test_no_kid_is_refused_however_many_keys_there_are(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    provider.rotate()
    clock.advance(30)
    assert (await verifier.verify(provider.token("ada"))).subject == "ada"
    assert await refused(verifier, with_header(kid=DROP)(provider)) == "token-key-unnamed"


@pytest.mark.parametrize(
    ("ahead", "code", "said"),
    [(-90, "token-not-yet-valid", "the gateway's clock or the provider's is wrong"), (90, "token-expired", "expired")],
)
async def test_a_clock_that_is_off_by_90_s_is_said(
    verifier: Verifier, provider: Provider, clock: SetClock, ahead: int, code: str, said: str
) -> None:
    token = provider.token("ada", exp=int(clock.now()) + 59)
    clock.advance(ahead)
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    assert caught.value.code == code and said in caught.value.detail


async def test_a_name_that_cannot_be_shown_is_left_out(verifier: Verifier, provider: Provider) -> None:
    principal = await verifier.verify(provider.token(name="Ada\x1b[31m"))
    assert (principal.name, principal.label) == ("", "ada")


async def test_the_session_is_sid_else_jti_else_the_digest(verifier: Verifier, provider: Provider) -> None:
    assert (await verifier.verify(provider.token(sid="s", jti="j"))).session == "s"
    assert (await verifier.verify(provider.token(sid=DROP, jti="j"))).session == "j"
    token = provider.token(sid=DROP, jti=DROP)
    assert (await verifier.verify(token)).session == hashlib.sha256(token.encode()).hexdigest()[:16]


async def test_only_an_access_token_of_a_client_for_itself_is_a_machine(verifier: Verifier, provider: Provider) -> None:
    assert (await verifier.verify(provider.token("batch", client_id="batch"))).kind == "machine"
    assert (await verifier.verify(provider.token("batch", client_id="batch", header={"typ": "JWT"}))).kind == "person"
    assert (await verifier.verify(provider.token("ada", client_id="batch"))).kind == "person"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519", "PS256"])
async def test_each_algorithm_is_accepted_when_listed_and_only_then(clock: SetClock, algorithm: Any) -> None:
    with Provider(clock=clock, algorithm=algorithm) as provider:
        other = "ES256" if algorithm == "RS256" else "RS256"
        for listed, good in ((["EdDSA" if algorithm == "Ed25519" else algorithm], True), ([other], False)):
            verifier = Verifier(Identity(issuer=provider.issuer, algorithms=listed), clock)
            await verifier.open()
            try:
                if good:
                    assert (await verifier.verify(provider.token())).subject == "ada"
                else:
                    assert await refused(verifier, provider.token()) == "token-algorithm"
            finally:
                await verifier.close()


@pytest.mark.filterwarnings("error")
async def test_ed25519_is_accepted_under_its_older_name(clock: SetClock) -> None:
    with Provider(clock=clock, algorithm="Ed25519") as provider:
        verifier = Verifier(Identity(issuer=provider.issuer), clock)
        await verifier.open()
        try:
            assert (await verifier.verify(with_header(alg="EdDSA")(provider))).subject == "ada"
        finally:
            await verifier.close()


async def test_a_token_is_good_until_it_expires_and_not_a_second_longer(
    verifier: Verifier, provider: Provider, clock: SetClock
) -> None:
    token = provider.token(exp=int(clock.now()) + 60)
    await verifier.verify(token)
    clock.advance(89.999)
    assert verifier.cached(token) is not None
    clock.advance(0.001)
    assert verifier.cached(token) is None
    assert await refused(verifier, token) == "token-expired"


async def test_memory_is_bounded_and_the_forgotten_are_verified_again(
    verifier: Verifier, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluicegate.identity.verifier.MAX_REMEMBERED", 3)
    tokens = [provider.token(jti=f"t{n}") for n in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert [verifier.cached(token) is not None for token in tokens] == [False, False, True, True, True]
    assert (await verifier.verify(tokens[0])).subject == "ada"


async def test_no_token_stays_in_memory_as_text(verifier: Verifier, provider: Provider) -> None:
    token = provider.token()
    await verifier.verify(token)
    assert token not in repr(vars(verifier))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}")))
async def test_no_text_at_all_does_anything_but_get_refused(verifier: Verifier, text: str) -> None:
    assert (await refused_code(verifier, text)).startswith("token-")


async def refused_code(verifier: Verifier, token: str) -> str:
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    return caught.value.code


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_no_single_changed_character_leaves_a_token_good(
    verifier: Verifier, provider: Provider, data: st.DataObject
) -> None:
    token = provider.token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != token[at]))
    assert (await refused_code(verifier, token[:at] + other + token[at + 1 :])).startswith("token-")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_strict_json_takes_objects_alone(value: Any) -> None:
    assert strict_object(json.dumps({"a": value}).encode()) == {"a": value}
    with pytest.raises(ValueError):
        strict_object(json.dumps(value).encode())


def test_strict_json_survives_any_depth() -> None:
    with pytest.raises(ValueError):
        strict_object(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


@pytest.mark.parametrize(
    ("auth_time", "expected"),
    [(1_749_999_000, 1_749_999_000.0), (True, None), (0, None), (-5, None), (1e9, None), ("1", None), (1 << 60, None)],
)
async def test_when_somebody_signed_in_is_what_the_provider_says(auth_time: Any, expected: float | None) -> None:
    settings = Identity(issuer="https://idp", relation_claims=["manager", "team", "level"])
    claims = {
        "iss": "https://idp", "aud": "sluicegate", "sub": "ada", "exp": 1_750_000_600, "iat": 1_750_000_000,
        "auth_time": auth_time, "manager": "mia", "team": ["red", 7, ""], "level": 3, "office": "Oslo",
    }  # fmt: skip
    person = principal(claims, access_token=True, settings=settings, now=1_750_000_000.0, digest="0" * 64)
    assert person.authenticated == expected
    assert person.relations == {("manager", "mia"), ("team", "red")}
