"""Taking credentials out of header values that somebody else wrote."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.identity.credential import MAX_VALUE, from_authorization, from_proxy


def basic(pair: str | bytes) -> str:
    return "Basic " + base64.b64encode(pair if isinstance(pair, bytes) else pair.encode()).decode()


def code(values: list[str]) -> str:
    with pytest.raises(Refusal) as caught:
        from_proxy(values)
    assert caught.value.status in (400, 511)
    return caught.value.code


@pytest.mark.parametrize(
    ("values", "token"),
    [
        ([], None),
        ([""], None),
        (["   "], None),
        (["Basic"], None),
        (["Basic "], None),
        (["Bearer"], None),
        ([basic("ada:")], None),
        (["Negotiate TlRMTVNTUAABAAAA"], None),
        (['Digest username="ada"'], None),
        (["Basically dXNlcjpwdw=="], None),
        (["Basic\tdXNlcjpwdw=="], None),
        ([basic("anyone:the.to-ken_x")], "the.to-ken_x"),
        ([basic(":the.token")], "the.token"),
        ([basic("anyone:a:b")], "a:b"),
        (["bAsIc   " + basic("a:t")[6:]], "t"),
        (["  " + basic("a:t") + "\t"], "t"),
        (["Bearer the.token"], "the.token"),
        (["BEARER  the.token"], "the.token"),
    ],
)
def test_what_counts_as_a_proxy_credential(values: list[str], token: str | None) -> None:
    assert from_proxy(values) == token


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Basic !!!!", "credential-malformed"),
        ("Basic YQ", "credential-malformed"),
        ("Basic YTpi YTpi", "credential-malformed"),
        ("Basic YTpi, Basic YTpi", "credential-malformed"),
        ("Basic YTpi=", "credential-malformed"),
        (basic("no colon"), "credential-malformed"),
        (basic("ada:gé"), "credential-malformed"),
        (basic(b"ada:\xff\xfe"), "credential-malformed"),
        ("Bearer the token", "credential-malformed"),
        ("Bearer tokén", "credential-malformed"),
        ("Bearer tok\udcc3", "credential-malformed"),
        ("Bearer a,b", "credential-malformed"),
        ("Bearer a\r\nx: y", "credential-malformed"),
        ("Bearer a\x00", "credential-malformed"),
        ("Bearer =", "credential-malformed"),
        (basic("u:" + "p" * 60_000), "credential-too-long"),
        ("Bearer " + "t" * MAX_VALUE, "credential-too-long"),
        ("Basic" + " " * 60_000, None),
        ("Basic " + " " * 60_000 + "YTpi", "credential-too-long"),
    ],
)
def test_what_is_refused(value: str, why: str | None) -> None:
    if why is None:
        assert from_proxy([value]) is None
    else:
        assert code([value]) == why


def test_the_longest_token_fits_in_a_password() -> None:
    token = "t" * 16_384
    assert from_proxy([basic(f"somebody@example.org:{token}")]) == token


def test_two_headers_are_refused_even_when_they_are_the_same() -> None:
    assert code([basic("a:t")] * 2) == "credential-ambiguous"
    assert code(["", basic("a:t")]) == "credential-ambiguous"
    with pytest.raises(Refusal) as caught:
        from_authorization(["Bearer a", "Bearer a"])
    assert caught.value.code == "credential-ambiguous"


def test_only_a_bearer_token_in_authorization_is_ours() -> None:
    assert from_authorization(["Bearer a.b.c"]) == "a.b.c"
    assert from_authorization([basic("ada:token")]) is None
    assert from_authorization(["AWS4-HMAC-SHA256 Credential=x"]) is None
    assert from_authorization([]) is None


@given(
    st.lists(
        st.text()
        | st.text().map(lambda rest: f"Basic {rest}")
        | st.text().map(lambda rest: f"Bearer {rest}")
        | st.binary().map(lambda pair: basic(pair)),
        max_size=2,
    )
)
def test_nothing_gets_out_but_plain_ascii_or_a_refusal(values: list[str]) -> None:
    for take in (from_proxy, from_authorization):
        try:
            token = take(values)
        except Refusal as refusal:
            assert refusal.code.startswith("credential-")
            assert not any(len(value) > 12 and value in str(refusal) for value in values)
        else:
            assert token is None or (token.isascii() and len(token) <= MAX_VALUE)


@given(
    st.text(st.characters(max_codepoint=126, min_codepoint=33), min_size=1).filter(lambda t: ":" not in t), st.text()
)
def test_any_ascii_password_comes_out_as_it_went_in(token: str, user: str) -> None:
    pair = f"{user.encode('ascii', 'ignore').decode().replace(':', '')}:{token}"
    assert from_proxy([basic(pair)]) == token
