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
