"""JSON bodies, queries and names: whatever two parsers could read in two ways is not understood."""

import gzip
import json
import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations import body, query
from sluicegate.operations.names import names, one
from sluicegate.operations.view import RequestView, Unreadable

JSON = ("application/json",)


def read(data, content_type=JSON, **headers):
    sent = {"content-type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return body.read_object(RequestView("POST", "/", "", {k: v for k, v in sent.items() if v}, data))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; Charset=UTF-8", 'application/json;charset="utf-8"', "application/vnd.api+json"],
)  # fmt: skip
def test_types_that_are_json(content_type):
    assert read(b'{"a": 1.50}', (content_type,)) == {"a": Decimal("1.50")}


@pytest.mark.parametrize(
    "content_type",
    [
        (), ("",), ("text/plain",), ("application/jsonp",), ("application/json, text/plain",), ("application/json;charset=utf-16",),
        ("application/json; charset=utf-8; charset=utf-16",), ("application/json", "application/json"), ("application/+json",),
        ("text/json",), ("application/x-www-form-urlencoded",), ("application/json; boundary=x",), ("application /json",),
    ],
)  # fmt: skip
def test_types_that_are_not(content_type):
    with pytest.raises(Unreadable):
        read(b"{}", content_type)


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"[]", b'"a"', b"1", b"null", b"{", b"{} {}", b"{}x", b"{'a':1}", b'{"a":1,}', b'{"a":01}', b'{"a":/**/1}',
        b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"a":1,"A":2}', b'{"x":{"b":1,"b":2}}', b'{"x":[{"b":1,"B":2}]}',
        b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e99999999999999999999}',
        b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'{"a":["x",{"b":"\\udfff\\ud800"}]}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}', '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"), '{"a":1}'.encode("utf-32-be"),
        b'{"a":"\x00"}', b'{"a":"\n"}', b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", b'{"a":' * 65 + b"1" + b"}" * 65, b'{"a":' + b"[" * 200_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a":"' + b"x" * (1 << 20) + b'"}',
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_understood(data):
    with pytest.raises(Unreadable):
        read(data)


def test_the_deepest_body():
    assert read(b'{"a":' + b"[" * 63 + b"]" * 63 + b"}")
    assert read(b'{"a":' * 64 + b"1" + b"}" * 64)
    assert read(b'{"a":"\\ud83d\\ude00","b":"[[[["}') == {"a": "😀", "b": "[[[["}


def test_codings():
    data = b'{"a":1}'
    assert read(gzip.compress(data), content_encoding=("gzip",)) == {"a": 1}
    assert read(data, content_encoding=("identity",)) == {"a": 1}
    bomb = gzip.compress(b'{"a":"' + b"x" * (64 << 20) + b'"}')
    assert len(bomb) < 1 << 20
    for broken, coding in [
        (bomb, "gzip"),
        (gzip.compress(data)[:-1], "gzip"),
        (gzip.compress(data) + b"x", "gzip"),
        (gzip.compress(data), ""),
        (gzip.compress(gzip.compress(data)), "gzip, gzip"),
        (zlib.compress(data), "deflate"),
        (data, "gzip"),
        (data, "br"),
        (data, "base64"),
        (data, "utf_7"),
    ]:
        with pytest.raises(Unreadable):
            read(broken, content_encoding=(coding,))
    with pytest.raises(Unreadable):
        read(data, content_encoding=("identity", "identity"))


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(data):
    try:
        document = read(data)
    except Unreadable:
        return
    assert json.loads(data, parse_float=Decimal) == document


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("c%6flumns=id%2Cssn", {"columns": "id,ssn"}),
        ("a=b+c%2B", {"a": "b c+"}),
        ("a=1=2", {"a": "1=2"}),
        ("flag", {"flag": ""}),
    ],
)
def test_queries(text, found):
    assert query.parameters(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "a=1&a=1", "a=1&%61=2", "a=1&A=2", "a=1;b=2", "a=%zz", "a=%ff", "a=%", "=1", "&", "a=1&", "a=%00", "a=%0d%0a", "a=\ud800",
        "&".join(f"a{i}" for i in range(201)),
    ],
)  # fmt: skip
def test_queries_that_hide_something(text):
    with pytest.raises(Unreadable):
        query.parameters(text)


@given(st.text())
def test_no_query_raises_anything_else(text):
    try:
        assert isinstance(query.parameters(text), dict)
    except Unreadable:
        pass


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], ()),
        ([None], ()),
        ([""], ()),
        ([[]], ()),
        (["id, ssn,id"], ("id", "ssn")),
        ([["id", "ssn"]], ("id", "ssn")),
        (["*"], ("*",)),
        ([7, [8, Decimal("9.50"), Decimal("1E+3")], "10"], ("7", "8", "9.50", "1000", "10")),
        (["t.ssn", "Name-Ä", "a/b"], ("t.ssn", "Name-Ä", "a/b")),
        (["full name"], ("full name",)),
    ],
)
def test_names(values, found):
    assert names(values, {"full name"}) == found


@pytest.mark.parametrize(
    "value",
    [
        True, {}, {"a": 1}, [True], [None], [["a"]], [{}], "a,,b", ",", " ", "a b", "ssn as id", "upper(ssn)", '"ssn"', "a;b",
        "a%2Cb", "s*", "../a", "a..b", "a\u200bb", "a'", ["id,ssn"], [""], Decimal("1E+999999"), 10**40, "x" * 300,
    ],
)  # fmt: skip
def test_names_that_are_none(value):
    with pytest.raises(Unreadable):
        names([value], {"full name"})


def test_too_many_names():
    with pytest.raises(Unreadable):
        names([[f"c{i}" for i in range(10_001)]])


def test_one_text():
    assert one([], "dataset") is None and one([None], "dataset") is None and one(["a"], "dataset") == "a"
    for values in (["a", "b"], [1], [["a"]], [True]):
        with pytest.raises(Unreadable):
            one(values, "dataset")
