"""The shape of a request: bytes and tricks that two parsers could read in two ways are refused, not repaired."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluicegate.errors import Refusal

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
VERSIONS = frozenset({"HTTP/1.0", "HTTP/1.1", "HTTP/2.0"})
MAX_HEADERS = 200
MAX_HEADER_BYTES = 64 << 10
MAX_TARGET = 16 << 10

_NAME = re.compile(rb"^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(r"^/[!-\"$-~]*\Z")  # visible ASCII without '#'
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Escapes that hide a separator, a dot, another escape or a control character from whoever reads the path first.
_HIDDEN = re.compile(r"%(?:2[eEfF5]|5[cC]|[01][0-9A-Fa-f]|7[fF])")

OVERRIDES = frozenset(
    {
        "x-http-method-override", "x-http-method", "x-method-override",
        "x-original-url", "x-rewrite-url", "x-original-host", "x-forwarded-host", "x-host",
        "x-forwarded-path", "x-forwarded-method", "x-original-method", "x-http-path-override", "x-envoy-original-path",
        "es-security-runas-user", "x-opendistro-security-impersonate-as", "sudo", "mscrmcallerid", "callerobjectid",
    }
)  # fmt: skip
"""Headers by which some services are told a method, path, host or person other than the one that was judged."""
_IMPERSONATES = "impersonate-"
"""How the headers begin by which Kubernetes is told to act as somebody else (user, group, uid, extra)."""

_CONNECTION_TOKENS = frozenset({"close", "keep-alive", "te", "upgrade", "http2-settings", "proxy-connection", ""})


def check_line(method: str, version: str, target: str) -> None:
    """Raise Refusal 400 unless method, version and target are of a form that can be read in one way only."""
    if version not in VERSIONS:
        raise malformed(f"HTTP version {version[:20]!r} is not supported")
    if method not in METHODS:
        raise malformed(f"method {method[:20]!r} is not supported")
    if len(target) > MAX_TARGET:
        raise malformed("the target is too long")
    if not _TARGET.match(target) or _BAD_ESCAPE.search(target):
        raise malformed("the target has characters that do not belong in one")


def check_fields(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise Refusal 400 unless the header section is small and plain enough to be read in one way only."""
    if len(headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in headers) > MAX_HEADER_BYTES:
        raise malformed("the header section is too large")
    for name, value in headers:
        if not _NAME.match(name) or _CONTROL.search(value):
            raise malformed("a header has bytes that do not belong in one")


def check_headers(names: Sequence[str], connection: str) -> None:
    """Raise Refusal 400 for headers (lower-case names) that change who reads what further on."""
    for name in names:
        if "_" in name:
            # Many servers hand `X_A` and `X-A` to an application as one.
            raise malformed("a header name has an underscore")
        if name in OVERRIDES or name.startswith(_IMPERSONATES):
            raise malformed(f"the header {name} is not accepted")
        if name == "trailer":
            raise malformed("trailers are not supported")
    tokens = {token.strip().lower() for token in connection.split(",")}
    if not tokens <= _CONNECTION_TOKENS:
        # RFC 9110 section 7.6.1: a header that Connection names is dropped by the next hop, ours included.
        raise malformed("the Connection header names other headers")


def check_transfer(coding: str) -> None:
    """Raise Refusal 400 for transfer codings besides chunked: what was judged would be the body still coded."""
    if coding.strip().lower() not in ("", "chunked"):
        raise malformed("its transfer coding is not supported")


def length_said(values: Sequence[str]) -> int | None:
    """The value of Content-Length, or None. Raises Refusal 400 unless it is one plain number."""
    if not values:
        return None
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()) or len(values[0]) > 19:
        raise malformed("its Content-Length is not one number")
    return int(values[0])


def check_length(said: int | None, body: bytes | None) -> None:
    """Raise Refusal 400 unless the body is as long as was said.

    HTTP/2 says where a request ends by itself, and nobody on the way holds that against Content-Length. A service that
    is asked by HTTP/1 would take what is missing from the next request, and read the rest of that as a request of its
    own, which nobody has judged.
    """
    if said is not None and said != len(body or b""):
        raise malformed("its body is not as long as its Content-Length says")


def check_path(target: str) -> None:
    """Raise Refusal 400 for paths of governed services that mean one thing to us and another to the service."""
    path = target.partition("?")[0]
    if "//" in path or "\\" in path or ";" in path or _HIDDEN.search(path):
        raise malformed("the path can be read in more than one way")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise malformed("the path has dot segments")


def upgrade_wanted(value: str) -> bool:
    """Whether the Upgrade header asks for a protocol other than h2c, which a server may ignore (RFC 9113 3.1)."""
    return any(token.strip().lower() not in ("", "h2c") for token in value.split(","))


def malformed(why: str) -> Refusal:
    """The refusal of a request whose shape is not accepted."""
    return Refusal(
        400,
        "malformed-request",
        "Request not accepted",
        f"The request was refused because {why}.",
        next_step="Send a plain HTTP request without the part that was named.",
    )
