"""The shape of requests: a table of tricks, and the property that nothing odd is ever taken for a plain path."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.lockdown import shape

PLAIN = [(b"Host", b"api.test"), (b"Accept", b"*/*")]


def head(method="GET", version="HTTP/1.1", target="/a?b=c", headers=PLAIN):
    shape.check_line(method, version, target)
    shape.check_fields(headers)


@pytest.mark.parametrize("target", ["/", "/a/b", "/a?x=1&y=%20", "/a%20b", "/a:b@c", "/a,b;c", "/?q=//../", "/~a/[1]"])
def test_plain_targets_pass(target):
    head(target=target)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "get"}, {"method": "TRACE"}, {"method": "CONNECT"}, {"method": "PRI"}, {"method": "PROPFIND"},
        {"method": "GE T"}, {"method": ""}, {"method": "GET\x00"},
        {"version": "HTTP/0.9"}, {"version": "HTTP/3"}, {"version": "HTTP/1.2"},
        {"target": ""}, {"target": "*"}, {"target": "a"}, {"target": "http://a/"}, {"target": "/a#b"},
        {"target": "/a b"}, {"target": "/\u00e9"}, {"target": "/a\r\nX: y"}, {"target": "/%zz"}, {"target": "/%"},
        {"target": "/" + "a" * 20000},
        {"headers": [(b"X", b"a\nb")]}, {"headers": [(b"X", b"a\rb")]}, {"headers": [(b"X", b"a\x00b")]},
        {"headers": [(b"X", b"a\r\n folded")]}, {"headers": [(b"X Y", b"a")]}, {"headers": [(b"X:", b"a")]},
        {"headers": [(b"", b"a")]}, {"headers": [(b"X\x80", b"a")]}, {"headers": [(b"X", b"a\x7f")]},
        {"headers": [(b"X", b"a")] * 300}, {"headers": [(b"X", b"a" * 70000)]},
    ],
)  # fmt: skip
def test_odd_heads_are_refused(changes):
    with pytest.raises(Refusal) as caught:
        head(**changes)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "path",
    [
        "//a", "/a//b", "/a/../b", "/a/./b", "/..", "/.", "/a/..", "/%2e%2e/a", "/a/%2E/b", "/.%2e/a", "/a%2fb", "/a%2Fb",
        "/a%5cb", "/a\\b", "/a;x=1/b", "/a;", "/a%00", "/a%0d%0a", "/%252e%252e/", "/a%7f", "/a%25b",
    ],
)  # fmt: skip
def test_path_tricks_are_refused(path):
    with pytest.raises(Refusal):
        shape.check_path(path)


@pytest.mark.parametrize("path", ["/", "/a/b", "/a.b/c..d", "/a%20b", "/...", "/a?x=//;../%2f"])
def test_plain_paths_pass(path):
    shape.check_path(path)


@given(st.text("/.%2eEfF5cC;\\ab", max_size=12))
def test_an_accepted_path_means_the_same_before_and_after_decoding(tail):
    path = "/" + tail
    try:
        head(target=path)
        shape.check_path(path)
    except Refusal:
        return
    once = unquote(path)
    assert once.count("/") == path.count("/") and unquote(once) == once
    assert not any(segment in (".", "..") for segment in once.split("/"))
    assert "\\" not in once and ";" not in path


@pytest.mark.parametrize(
    ("names", "connection"),
    [
        (["x_http_method_override"], ""), (["x_forwarded_user"], ""),
        (["x-http-method-override"], ""), (["x-original-url"], ""), (["x-forwarded-host"], ""), (["trailer"], ""),
        ([], "close, Authorization"), ([], "x-secret"), ([], "keep-alive, content-length"),
    ],
)  # fmt: skip
def test_headers_that_change_who_reads_what_are_refused(names, connection):
    with pytest.raises(Refusal):
        shape.check_headers(names, connection)


@pytest.mark.parametrize("connection", ["", "close", "Keep-Alive", "keep-alive, Upgrade, HTTP2-Settings", "TE, close"])
def test_common_connection_headers_pass(connection):
    shape.check_headers(["host", "accept"], connection)


@pytest.mark.parametrize(("value", "wanted"), [("", False), ("h2c", False), ("H2C", False), ("websocket", True),
                                               ("h2c, websocket", True), ("TLS/1.0", True), ("foo", True)])  # fmt: skip
def test_upgrades(value, wanted):
    assert shape.upgrade_wanted(value) is wanted


@pytest.mark.parametrize(
    "values", [["1", "1"], ["+1"], ["-0"], ["1, 1"], [""], ["0x1"], ["1_0"], ["\u0661"], ["9" * 20]]
)
def test_a_length_that_is_not_one_number(values):
    with pytest.raises(Refusal) as caught:
        shape.length_said(values)
    assert caught.value.status == 400


@pytest.mark.parametrize(("said", "body"), [(None, b"abc"), (None, None), (0, None), (0, b""), (3, b"abc")])
def test_a_body_as_long_as_was_said(said, body):
    shape.check_length(said, body)


@pytest.mark.parametrize(("said", "body"), [(1, None), (10, b""), (2, b"abc"), (4, b"abc"), (0, b"abc")])
def test_a_body_of_another_length_than_was_said(said, body):
    with pytest.raises(Refusal) as caught:
        shape.check_length(said, body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "changes", [{"target": "/a\n"}, {"headers": [(b"X\n", b"a")]}], ids=["target", "name of a header"]
)
def test_a_line_end_at_the_very_end_is_odd_too(changes):
    with pytest.raises(Refusal):
        head(**changes)
