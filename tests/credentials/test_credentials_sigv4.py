"""AWS signatures made anew: the published examples, botocore's own on whatever requests, and what is not signed at all."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.credentials.sigv4 import Key, NotSignable, Sent, signed
from sluicegate.credentials.values import ValueTrouble

SUITE = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
BOOK = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
FORM = (b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")


def by_somebody(region="us-east-1", service="service"):
    """What a client signed with a key of its own."""
    scope = f"AKIACLIENT/20150830/{region}/{service}/aws4_request"
    return (b"authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00".encode())


def signature(fields):
    values = [value.decode() for name, value in fields if name.lower() == b"authorization"]
    assert len(values) == 1
    return re.fullmatch(r".*, Signature=([0-9a-f]{64})", values[0])[1]


@pytest.mark.parametrize(
    ("method", "target", "fields", "expected"),
    [
        ("GET", "/", (), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", (), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            (),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_the_suite_of_aws(method, target, fields, expected):
    sent = Sent(method, target, ((b"Host", b"example.amazonaws.com"), by_somebody(), *fields))
    assert signature(signed(SUITE, sent, NOW)) == expected


def test_the_example_of_iam():
    sent = Sent(
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        ((b"host", b"iam.amazonaws.com"), FORM, by_somebody(service="iam")),
    )
    assert signature(signed(SUITE, sent, NOW)) == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/?max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_examples_of_s3(target, expected):
    sent = Sent("GET", target, ((b"Host", b"examplebucket.s3.amazonaws.com"), by_somebody(service="s3")))
    assert signature(signed(BOOK, sent, datetime(2013, 5, 24, tzinfo=UTC).timestamp())) == expected


pieces = st.text(
    st.characters(codec="utf-8", exclude_characters="/?#", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(
    st.sampled_from(["s3", "dynamodb", "athena"]),
    st.lists(pieces.filter(lambda p: p.strip(".") and not p.isspace()), max_size=3),
    st.lists(st.tuples(words.filter(bool), words), max_size=4),
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(["x-amz-target", "x-amz-meta-a", "content-type", "content-md5"]),
        st.from_regex(r"[!-~]([ -~]{0,8}[!-~])?", fullmatch=True),
    ),
    st.sampled_from(["", "s" * 40]),
)
def test_botocore_signs_alike(service, path, query, body, headers, token):
    from urllib.parse import quote, urlencode

    target = "/" + "/".join(quote(piece, safe="-_.~") for piece in path)
    url_query = urlencode(query, quote_via=quote, safe="-_.~")
    url = f"https://{service}.eu-central-1.amazonaws.com{target}" + (f"?{url_query}" if url_query else "")
    fields = [(b"Host", f"{service}.eu-central-1.amazonaws.com".encode()), by_somebody("eu-central-1", service)]
    fields += [(name.encode(), value.encode()) for name, value in headers.items()]
    ours = dict(signed(Key(BOOK.id, BOOK.secret, token), Sent("PUT", url.partition(".com")[2], fields, body), NOW))

    request = AWSRequest("PUT", url, data=body)
    request.headers = HTTPHeaders()
    for name, value in headers.items():
        request.headers[name] = value
    request.headers["X-Amz-Date"] = "20150830T123600Z"
    if token:
        request.headers["X-Amz-Security-Token"] = token
    if service == "s3":
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    auth = kind(Credentials(BOOK.id, BOOK.secret, token or None), service, "eu-central-1")
    request.context["timestamp"] = "20150830T123600Z"
    request.context["client_config"] = None
    canonical = auth.canonical_request(request)
    text = auth.string_to_sign(request, canonical)
    assert signature(ours.items()) == auth.signature(text, request), canonical


def test_nothing_of_the_clients_signature_goes_on():
    fields = (
        (b"Host", b"s3.amazonaws.com"), by_somebody(service="s3"), (b"X-Amz-Security-Token", b"of-the-client"),
        (b"x-amz-date", b"20000101T000000Z"), (b"Date", b"yesterday"), (b"x-amz-content-sha256", b"0" * 64),
    )  # fmt: skip
    found = signed(BOOK, Sent("PUT", "/b/k", fields, b"body"), NOW)
    names = [name.lower() for name, _ in found]
    assert names.count(b"x-amz-date") == names.count(b"x-amz-content-sha256") == 1 and b"date" not in names
    assert b"x-amz-security-token" not in names and b"AKIACLIENT" not in repr(found).encode()
    assert dict(found)[b"x-amz-content-sha256"] == hashlib.sha256(b"body").hexdigest().encode()
    assert BOOK.secret not in repr(found) + repr(BOOK)
    lower = signed(BOOK, Sent("PUT", "/b/k", fields, b"body", "h"), NOW, lower=True)
    assert all(name == name.lower() for name, _ in lower[-3:])


@pytest.mark.parametrize(
    ("target", "fields", "why"),
    [
        ("/", (), "no AWS signature"),
        ("/", ((b"authorization", b"Bearer x"),), "no AWS signature"),
        (
            "/",
            ((b"authorization", b"AWS4-HMAC-SHA256 Credential=a/20150830/../../aws4_request, S"),),
            "no AWS signature",
        ),
        ("/?X-Amz-Signature=1", (by_somebody(),), "signed already"),
        ("/", (by_somebody(), (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")), "piece by piece"),
        (
            "/",
            (by_somebody(), (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")),
            "piece by piece",
        ),
    ],
)
def test_what_cannot_be_signed_is_not(target, fields, why):
    with pytest.raises(NotSignable, match=why):
        signed(BOOK, Sent("GET", target, fields), NOW)


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=60)), max_size=5), st.binary(max_size=40))
def test_nothing_else_is_raised(fields, target):
    try:
        signed(BOOK, Sent("GET", "/" + target.decode("latin-1"), [by_somebody(), *fields]), NOW)
    except NotSignable:
        pass


def test_keys():
    assert Key.parse(
        '{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "s3cr3t/+s3cr3t", "SessionToken": "t0ken/+="}'
    ) == Key("AKIDEXAMPLE", "s3cr3t/+s3cr3t", "t0ken/+=")
    assert Key.parse("AKIDEXAMPLE:s3cr3t/+s3cr3t").token == ""
    for text in (
        "",
        "AKIDEXAMPLE",
        "AKIDEXAMPLE:",
        ":secretsecret",
        "a b:secretsecret",
        "{}",
        '{"AccessKeyId": 1}',
        "[",
        "AKIDEXAMPLE:s3cr3ts3cr3t: ",
    ):
        with pytest.raises(ValueTrouble) as told:
            Key.parse(text)
        assert "secret" not in str(told.value).replace("write KEY-ID:SECRET-KEY", "")
