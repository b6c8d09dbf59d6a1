"""Fields of requests and of masked responses, in one pass over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from sluicegate.exchange import Obligation
from sluicegate.masking.accept import accepted, offered
from sluicegate.masking.headers import Pairs, ask, rewrite
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

NAMES = [b"Accept-Encoding", b"accept-encoding", b"Range", b"TE", b"x-a", b"If-Match", b"\xff"]
VALUES = st.sampled_from([b"gzip", b"gzip, br", b"GZIP;q=0.5, zstd", b"hex", b"", b"\xff", b"x" * 200, b"identity"])
GONE = ("range", "te")


def one_by_one(pairs: Pairs, owing: bool) -> tuple[Pairs, tuple[str, ...]]:
    """The same by mitmproxy's own look-ups."""
    fields = http.Headers(pairs)
    codings = accepted(", ".join(fields.get_all("accept-encoding")))
    fields["accept-encoding"] = offered(codings)
    for name in GONE if owing else ():
        fields.pop(name, None)
    return fields.fields, codings


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6).map(tuple), st.booleans())
def test_asking_is_what_changing_the_fields_one_by_one_is(pairs: Pairs, owing: bool) -> None:
    assert ask(pairs, owing) == one_by_one(pairs, owing)


@pytest.mark.parametrize("owing", [True, False])
def test_what_needs_no_change_stays_the_same_object(owing: bool) -> None:
    pairs = ((b"Host", b"h"), (b"Accept-Encoding", b"gzip, br"))
    assert ask(pairs, owing)[0] is pairs


# -- signed requests ----------------------------------------------------------------------------------------------

CREDENTIAL = b"AWS4-HMAC-SHA256 Credential=A/20260101/r/s3/aws4_request, SignedHeaders=%s, Signature=00"
FIELDS: Pairs = (
    (b"Host", b"b.s3.amazonaws.com"),
    (b"x-amz-checksum-mode", b"ENABLED"),
    (b"If-None-Match", b"x"),
    (b"Accept-Encoding", b"gzip"),
)


def signed(names: bytes, fields: Pairs = FIELDS) -> Pairs:
    return (*fields, (b"Authorization", CREDENTIAL % names))


def test_signed_fields_stay_or_the_service_would_refuse_the_request() -> None:
    pairs = signed(b"host;x-amz-checksum-mode")
    names = [name for name, _ in ask(pairs, True)[0]]
    assert names == [b"Host", b"x-amz-checksum-mode", b"Accept-Encoding", b"Authorization"]
    assert ask(pairs, False)[0] is pairs


def test_a_signed_coding_is_not_rewritten() -> None:
    pairs = signed(b"accept-encoding;host;if-none-match;x-amz-checksum-mode", (*FIELDS, (b"Accept-Encoding", b"hex")))
    assert ask(pairs, True) == (pairs, ())


RANGE: Pairs = (*FIELDS, (b"Range", b"bytes=0-9"))


@pytest.mark.parametrize("names", [b"host;range", b"host;Range;x-amz-date", b"range"])
def test_a_signed_piece_is_refused(names: bytes) -> None:
    with pytest.raises(Unfit, match="piece"):
        ask(signed(names, RANGE), True)
    with pytest.raises(Unfit, match="piece"):
        ask(RANGE, True, "X-Amz-SignedHeaders=" + names.decode().replace(";", "%3B") + "&X-Amz-Signature=0")
    assert ask(signed(names, RANGE), False)[0] == signed(names, RANGE)


def test_an_unsigned_piece_becomes_the_whole() -> None:
    for pairs, query in ((signed(b"host", RANGE), ""), (RANGE, "X-Amz-SignedHeaders=host"), (RANGE, "")):
        assert b"Range" not in [name for name, _ in ask(pairs, True, query)[0]]


OWED = Plan(
    (
        Obligation("ids", "redact", frozenset({"ssn", "customer_email", "date", "*_token"})),
        Obligation("mail", "redact", detect=frozenset({"email"})),
    ),
    Methods(b"k" * 32),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"SSN", b"536-90-4399"),
        (b"X-Ssn", b"536-90-4399"),
        (b"x-customer-email", b"somebody"),
        (b"Customer-Email", b"somebody"),
        (b"x-access-token", b"abc"),
        (b"set-cookie", b"ssn=536-90-4399; Path=/"),
        (b"set-cookie", b"x_ssn=1; Path=/; ssn=2"),
        (b"Set-Cookie", b"SSN=1"),
        (b"set-cookie", b"who=YWRhLmxvdmVsYWNlQGV4YW1wbGUub3Jn; HttpOnly"),
        (b"set-cookie", b"who=ada%40example.org; HttpOnly"),
        (b"x-user", b"ada@example.org"),
        (b"x-row", b'{"id": 1, "ssn": "536"}'),
        (b"x-row", b'[{"s\\u0073n": "536"}, {"na'),
        (b"x-row", b"%7B%22ssn%22%3A%22536%22%7D"),
        (b"x-next", b"after id=7; SSN=536"),
        (b"x-next", b"/people?ssn=536"),
        (b"set-cookie", b'who={"ssn": 536}; Path=/'),
        (b"set-cookie", b"who=id=1&ssn=536; Path=/"),
        (b"set-cookie", b"who=%7B%22ssn%22%3A%22536%22%7D"),
    ],
)
def test_a_field_or_cookie_that_is_a_column_or_holds_a_value_goes(name: bytes, value: bytes) -> None:
    kept = rewrite(((name, value), (b"x-other", b"1")), 2, "", OWED.columns, (), OWED.content)
    left = [pair for pair in kept if pair[0].lower() == name.lower()]
    assert bool(left) == (value == b"x_ssn=1; Path=/; ssn=2")  # what stands behind the first `;` is no cookie
    assert (b"x-other", b"1") in kept


def test_fields_of_http_itself_stay_whatever_columns_are_called() -> None:
    fields = ((b"Date", b"Thu, 01 Jan 2026 00:00:00 GMT"), (b"Server", b"x"), (b"set-cookie", b"session=1"))
    assert rewrite(fields, 2, "", OWED.columns, (), OWED.content)[:3] == fields


@pytest.mark.parametrize(
    "value",
    [
        b'{"id": 1}',
        b"max-age=31536000; includeSubDomains",
        b"id=7; ssn=",
        b"the ssn",
        b"[1, 2]",
        b'"33a64df5"',
        b"a=ssn",
    ],
)
def test_a_field_that_names_no_column_stays(value: bytes) -> None:
    assert (b"x-some", value) in rewrite(((b"x-some", value),), 2, "", OWED.columns, (), OWED.content)


@pytest.mark.parametrize("place", [b"/a?q=%7B%22ssn%22%3A%22536%22%7D", b'/a#data={"ssn":"536"}'])
def test_a_redirect_with_a_masked_column_in_json_is_refused(place: bytes) -> None:
    with pytest.raises(Unfit):
        rewrite(((b"location", place),), 2, "", OWED.columns, (), OWED.content)
