"""Secrets in JSON bodies: none is left, whatever stands around it, and nothing else changes."""

import gzip
import json

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.recording.json_secrets import MAX_TEXT, secret_name, without_secrets
from sluicegate.recording.redact import Redactor

SECRET = "hunter2-7f3a"
REDACT = Redactor()


def kept(document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    fields = [(b"Content-Type", b"application/json")]
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()] or fields
    return REDACT.body(fields, body)


NAMES = [
    *(
        "password",
        "PASSWORD",
        "new_password",
        "userPasswd",
        "passphrase",
        "PASSCODE",
        "client_secret",
        "AWS_SECRET_KEY",
    ),
    *(
        "token",
        "masterToken",
        "AWS_TOKEN",
        "access_token",
        "oldSessionToken",
        "id-token",
        "api_key",
        "apiKey",
        "private_key",
    ),
    *("credential", "credentials", "pwd", "pass", "RAW_SAML_RESPONSE", "AZURE_SAS", "qrmk", "session_id", "assertion"),
    *("presignedUrl", "sessionId", "pin", "secretAccessKey", "Authorization", "set-cookie"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_member_loses_its_value_and_the_rest_stays(name):
    body = json.dumps({"before": [1, "x:y"], name: SECRET, "after": {"z": None}}).encode()
    assert kept(body) == body.replace(f'"{SECRET}"'.encode(), b'"[removed]"') != body


@pytest.mark.parametrize(
    "name",
    [
        "next_token",
        "pageToken",
        "NextToken",
        "tokenizer",
        "token_count",
        "key",
        "sort_key",
        "monkey",
        "passenger",
        "id",
    ],
)
def test_other_members_stay(name):
    body = json.dumps({name: "value", "rows": [[1, "password"], ["token", 2]]}).encode()
    assert kept(body) is body


@pytest.mark.parametrize(
    "document",
    [
        {"data": {"LOGIN_NAME": "me", "PASSWORD": SECRET, "SESSION_PARAMETERS": {}}},
        {"password": {"inner": [SECRET, {"deep": SECRET}]}, "x": 1},
        {"tokens": {"token": [SECRET]}},
        [{"password": SECRET}, {"password": SECRET}],
        {"password": f'with "quotes" \\ and {SECRET}'},
        {"a": '"password": "no"', "password": SECRET},
        {"url": f"https://b.test/x?X-Amz-Signature={SECRET}&y=1"},
        {"urls": [f"https://u:{SECRET}@b.test/?sig=1"]},
        {"text": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}"},
    ],
)
def test_nested_and_disguised(document):
    assert SECRET.encode() not in kept(document)
    json.loads(kept(document))


@pytest.mark.parametrize(
    "body",
    [
        b'{"p\\u0061ssword": "hunter2-7f3a"}',
        b'{"pass\\u0077ord" : "hunter2-7f3a"}',
        b'{ "password"\r\n\t:\n "hunter2-7f3a"',
        b'{"password": "hunter2-7f3a',
        b'{"password": ["hunter2-7f3a"',
        b'{"password": hunter2-7f3a}',
        b'{"a": "\\\\", "password": "hunter2-7f3a"}',
        b'{"a": "\\"", "password": "hunter2-7f3a"}',
        b'{"password": "x\\"hunter2-7f3a"}',
        b'{"u": "https://b.test/?X-Amz-Signature\\u003dhunter2-7f3a"}',
        b'\xef\xbb\xbf{"password": "hunter2-7f3a"}',
        '{"password": "hunter2-7f3a"}'.encode("utf-16"),
        '{"password": "hunter2-7f3a"}'.encode("utf-16-le"),
    ],
)
def test_odd_texts(body):
    left = kept(body)
    assert b"hunter2" not in left and "hunter2".encode("utf-16-le") not in left


def test_a_number_goes_and_what_is_empty_stays():
    body = b'{"pin": 123456, "password": null, "token": "", "passwordRequired": true}'
    assert kept(body) == body.replace(b"123456", b'"[removed]"')


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_codings_are_taken_off_and_put_on_again(coding, encode):
    body = encode(json.dumps({"PASSWORD": SECRET, "a": 1}).encode())
    left = kept(body, content_type="application/json", content_encoding=coding)
    plain = gzip.decompress(left) if coding == "gzip" else brotli.decompress(left)
    assert json.loads(plain) == {"PASSWORD": "[removed]", "a": 1}
    harmless = encode(b'{"a": 1}')
    assert kept(harmless, content_type="application/json", content_encoding=coding) is harmless


def test_what_cannot_be_looked_into_is_not_kept():
    for coding in ("gzip", "deflate", "gzip, br"):
        assert kept(b"\x1f\x8bbroken", content_type="application/json", content_encoding=coding) == b"[removed]"
    assert kept(b"\x1f\x8bbroken", content_type="text/csv", content_encoding="gzip") == b"\x1f\x8bbroken"


def test_a_type_that_lies_or_is_missing_does_not_hide_it():
    for kind in ("text/plain", "application/octet-stream", "application/snowflake"):
        assert SECRET.encode() not in kept({"password": SECRET}, content_type=kind)
    assert SECRET.encode() not in REDACT.body([], json.dumps({"password": SECRET}).encode())
    assert kept(b"password: x", content_type="text/plain") == b"password: x"


def test_a_text_too_long_to_search_is_not_kept():
    body = b'{"password": "x", "rows": "' + b"y" * MAX_TEXT + b'"}'
    assert len(kept(body)) < 40
    harmless = b'{"rows": "' + b"y" * MAX_TEXT + b'"}'
    assert kept(harmless) is harmless


TEXT = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def names_in(value):
    if isinstance(value, dict):
        return [*value, *names_in(list(value.values()))]
    return [name for inner in value for name in names_in(inner)] if isinstance(value, list) else []


@given(
    st.sampled_from(NAMES),
    st.dictionaries(TEXT, VALUES, max_size=4),
    st.lists(VALUES, max_size=3),
    st.booleans(),
    VALUES,
)
def test_no_neighbour_of_a_secret_gives_it_away(name, before, after, ascii_only, beside):
    document = {**before, "inner": [beside, {name: SECRET, "rest": after}]}
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    left = without_secrets(body, REDACT.target)
    assert SECRET.encode() not in left
    if not any(map(secret_name, names_in([before, after]))) and "eyJ" not in str(document) and "=" not in str(document):
        assert json.loads(left)["inner"][1]["rest"] == json.loads(body)["inner"][1]["rest"]


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_it_reads_anything(one, other):
    without_secrets(one + b'"password":' + other, REDACT.target)
    kept(one), kept(other, content_encoding="gzip")
