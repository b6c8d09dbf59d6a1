"""Which published keys may verify anything."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sluicegate.identity.roca import made_badly
from sluicegate.identity.screening import screen

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})


def public(key: Any, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


def test_the_three_kinds_of_key_each_with_its_algorithms() -> None:
    usable, complaints = screen([public(RSA), public(EC, use="sig"), public(ED, key_ops=["verify"])])
    assert {kid: key.algorithms for kid, key in usable.items()} == {
        "rsa": {"RS256", "PS256"},
        "ec": {"ES256"},
        "ed": {"EdDSA"},
    }
    assert complaints == []


def test_a_key_is_only_good_for_the_algorithm_that_it_states() -> None:
    usable, _ = screen([public(RSA, alg="PS256"), public(ED, alg="Ed25519")])
    assert usable["rsa"].algorithms == {"PS256"}
    assert usable["ed"].algorithms == {"EdDSA"}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        (lambda: public(RSAKey.generate_key(1024, {"kid": "k"})), "too small"),
        (lambda: public(RSA, e="AQAAAAAB"), "too large"),
        (lambda: public(RSA, n="/" * 342), "key 0"),
        (lambda: public(RSA, n=7), "key 0"),
        (lambda: {"kty": "RSA", "kid": "k"}, "key 0"),
        (lambda: public(ECKey.generate_key("P-384", {"kid": "k"})), "is not RSA"),
        (lambda: public(EC, x=public(EC)["y"]), "key 0"),
        (lambda: public(EC, crv="P-521"), "is not RSA"),
        (lambda: public(OKPKey.generate_key("X25519", {"kid": "k"})), "is not RSA"),
        (lambda: public(OKPKey.generate_key("Ed448", {"kid": "k"})), "is not RSA"),
        (lambda: public(ED, x="AAAA"), "key 0"),
        (lambda: OctKey.generate_key(256, {"kid": "k"}).as_dict(private=True), "private members (k)"),
        (lambda: {"kty": "oct", "kid": "k"}, "is not RSA"),
        (lambda: RSA.as_dict(private=True), "private members (d, dp, dq, p, q, qi)"),
        (lambda: EC.as_dict(private=True), "private members (d)"),
        (lambda: public(RSA, use="enc"), "not for signatures"),
        (lambda: public(RSA, use=None), "not for signatures"),
        (lambda: public(RSA, key_ops=["encrypt"]), "not for verifying"),
        (lambda: public(RSA, key_ops="verify"), "not for verifying"),
        (lambda: public(RSA, alg="HS256"), "alg does not fit"),
        (lambda: public(RSA, alg=["RS256"]), "key 0"),
        (lambda: public(EC, kid=""), "kid"),
        (lambda: public(EC, kid=1), "kid"),
        (lambda: public(EC, kid="k" * 257), "kid"),
        (lambda: {name: value for name, value in public(EC).items() if name != "kid"}, "kid"),
        (lambda: "a string", "not an object"),
        (lambda: None, "not an object"),
    ],
)
def test_a_bad_key_is_left_out_and_the_good_one_beside_it_stays(jwk: Any, why: str) -> None:
    usable, complaints = screen([jwk(), public(ECKey.generate_key("P-256", {"kid": "good"}))])
    assert list(usable) == ["good"]
    assert len(complaints) == 1
    assert why in complaints[0]


def test_a_kid_that_stands_for_two_keys_stands_for_none() -> None:
    twice = [public(RSA, kid="same"), public(EC, kid="same", use="enc"), public(ED)]
    usable, complaints = screen(twice)
    assert list(usable) == ["ed"]
    assert len(complaints) == 2


def test_no_complaint_quotes_a_private_member() -> None:
    secret = RSA.as_dict(private=True)["d"]
    assert str(secret) not in str(screen([RSA.as_dict(private=True)]))


def test_more_than_fifty_keys_are_no_key_set() -> None:
    assert len(screen([public(EC, kid=f"k{n}") for n in range(50)])[0]) == 50
    with pytest.raises(ValueError, match="more than 50"):
        screen([public(EC, kid=f"k{n}") for n in range(51)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["kty", "kid", "n", "e", "crv", "x", "y", "use", "alg", "key_ops", "d"]), JSON)
        | st.fixed_dictionaries(
            {"kid": st.text(min_size=1, max_size=5), "kty": st.sampled_from(["RSA", "EC", "OKP"])},
            optional=dict.fromkeys(("n", "e", "x", "y", "alg"), JSON) | {"crv": st.sampled_from(["P-256", "Ed25519"])},
        ),
        max_size=5,
    )
)
def test_nothing_that_is_published_breaks_the_screening(published: list[Any]) -> None:
    usable, complaints = screen(published)
    assert len(usable) + len(complaints) == len(published)


MARKED = prod(n for n in range(3, 168) if all(n % d for d in range(2, n)))
"""The small primes that the bad rule makes primes by."""


def test_a_modulus_that_was_made_by_the_bad_rule_is_known_and_no_other() -> None:
    first, second = (pow(65537, power, MARKED) + factor * MARKED for power, factor in ((12_345, 77), (54_321, 91)))
    assert made_badly(first * second)
    assert not made_badly(first * (second + 2))
    for _ in range(3):
        assert not made_badly(RSAKey.generate_key(2048).public_key.public_numbers().n)
