"""Planted secrets never come through the redactor, and what is no secret does."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.recording.redact import REMOVED, Redactor

SECRET = "hunter2-Zq9x"
REDACT = Redactor(["x_tenant_pin"])

SECRET_HEADERS = [
    *("authorization", "Proxy-Authorization", "COOKIE", "Set-Cookie", "x-api-key", "X-Amz-Security-Token"),
    *("x-vault-token", "api-key", "X-Goog-Api-Key", "x-csrf-token", "ocp-apim-subscription-key", "x-client-secret"),
    *("authentication", "dpop", "x-ms-authorization-auxiliary", "x-session-id"),
]
SECRET_PARAMETERS = [
    *("access_token", "api_key", "apikey", "key", "token", "signature", "sig", "password", "secret", "code"),
    *("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature", "client_secret", "id_token"),
    *("SAMLAssertion", "refresh_token", "AWSAccessKeyId", "X_Tenant_Pin", "pass%77ord", "%74oken", " token", "+token"),
]


@pytest.mark.parametrize("name", SECRET_HEADERS)
def test_secret_headers_lose_their_value_and_keep_their_place(name):
    fields = ((b"accept", b"*/*"), (name.encode(), SECRET.encode()), (b"accept", b"text/html"))
    assert REDACT.headers(fields) == (
        (b"accept", b"*/*"),
        (name.encode(), REMOVED.encode()),
        (b"accept", b"text/html"),
    )


def test_the_header_of_the_service_credential_is_secret_in_this_exchange_alone():
    fields = ((b"X-Chunks", SECRET.encode()),)
    assert SECRET.encode() not in REDACT.headers(fields, {"x-chunks"})[0][1]
    assert REDACT.headers(fields) == fields


@pytest.mark.parametrize(
    "value", ["Bearer s3", " bearer s3", "Basic czM=", "Negotiate s3", "eyJhbGciOiJS.eyJzdWIi.c2ln"]
)
def test_a_credential_in_an_unknown_header_is_known_by_its_looks(value):
    assert REDACT.headers([(b"x-forwarded-for-me", value.encode())])[0][1] == REMOVED.encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"idempotency-key", b"42"),
        (b"cache-control", b"no-store, max-age=0"),
        (b"content-type", b'multipart/mixed; boundary="x=1"'),
        (b"user-agent", b"curl/8.1 (+https://curl.se/?a=b)"),
        (b"etag", b'W/"abc"'),
        (b"x-odd", b"\xff\xfe=\x80"),
    ],
)
def test_other_headers_stay_as_they_are(name, value):
    assert REDACT.headers([(name, value)]) == ((name, value),)


@pytest.mark.parametrize("name", SECRET_PARAMETERS)
@pytest.mark.parametrize(
    "shape",
    [
        "/p?{}={}",
        "/p?a=1&{}={}&b=2",
        "/p?a=1;{}={};more&b=2",
        "/p#{}={}",
        "/p;{}={}/x?b=2",
        "/p?&&{}={}?&b=2",
        "/{}={}",
        "https://h/p?x=1#a&{}={}",
    ],
)
def test_secret_parameters_lose_their_value(name, shape):
    target = shape.format(name, SECRET)
    kept = REDACT.target(target)
    assert SECRET not in kept
    assert REMOVED in kept
    assert ("b=2" in kept) == ("&b=2" in target), "what stands behind the secret stays"


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("inner", ["https://h/cb?code={}", "/x?a=1&access_token={}", "https://user:{}@h/"])
def test_an_address_in_a_parameter_does_not_hide_a_secret(inner, depth):
    value = inner.format(SECRET)
    for _ in range(depth):
        value = quote(value, safe="")
    assert SECRET not in REDACT.target(f"/login?next={value}&page=2")


@pytest.mark.parametrize(
    "target",
    [
        "/datasets/customers/chunks/3?columns=id,ssn&page_token=17",
        "/q?filter=code%20%3D%20%27x%27&limit=100",
        "/q?filter=country='DE'%20and%20balance%3E1000",
        "/a@b/c?mail=ada%40example.org",
        "",
        "*",
    ],
)
def test_targets_without_secrets_stay_as_they_are(target):
    assert REDACT.target(target) == target


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("referer", f"https://h/p?token={SECRET}"),
        ("Location", f"/cb?state=1&code={SECRET}"),
        ("location", f"https://ada:{SECRET}@h/"),
        ("link", f'<https://h/?page=2&sig={SECRET}>; rel="next", <https://h/?page=9>; rel="last"'),
        ("refresh", f"0; url=https://h/?token={SECRET}"),
        ("x-ms-copy-source", f"https://blob/x?sv=1&sig={SECRET}"),
        ("host", f"ada:{SECRET}@h"),
    ],
)
def test_addresses_in_headers_lose_their_secrets(name, value):
    kept = REDACT.headers([(name.encode(), value.encode())])[0][1].decode()
    assert SECRET not in kept
    assert ("page=9" in kept) == ("page=9" in value)


FORM = [(b"Content-Type", b"Application/X-WWW-Form-URLencoded; charset=utf-8")]


def test_forms_lose_their_secret_fields():
    body = f"grant_type=password&username=ada&password={SECRET}&scope=x".encode()
    assert REDACT.body(FORM, body) == b"grant_type=password&username=ada&password=[removed]&scope=x"


def test_a_form_that_cannot_be_read_is_not_kept():
    coded = [*FORM, (b"content-encoding", b"gzip")]
    assert REDACT.body(coded, b"\x1f\x8b...") == REMOVED.encode()
    assert REDACT.body(FORM, b"a&" * 20_000 + b"token=x") == REMOVED.encode()


def test_other_bodies_stay_as_they_are():
    assert REDACT.body([(b"content-type", b"application/json")], b'{"a":1}') == b'{"a":1}'


def test_an_error_message_does_not_quote_what_broke():
    message = f"Received request header with invalid value: b'Bearer {SECRET}'"
    assert SECRET not in REDACT.error(message)


@given(st.text(max_size=200), st.binary(max_size=200))
def test_it_reads_anything(text, data):
    REDACT.target(text)
    REDACT.headers([(data, data), (b"link", data), (b"location", data)])
    REDACT.body(FORM, data)
    REDACT.error(text)


@given(
    st.sampled_from(SECRET_PARAMETERS),
    st.lists(st.tuples(st.text("abc%?;=/@", max_size=6), st.text("abc%?;=/@#", max_size=6)), max_size=4),
    st.integers(0, 4),
)
def test_no_neighbour_of_a_secret_gives_it_away(name, neighbours, place):
    pairs = [f"{a}={b}" for a, b in neighbours]
    pairs.insert(place, f"{name}={SECRET}")
    assert SECRET not in REDACT.target("/p?" + "&".join(pairs))
