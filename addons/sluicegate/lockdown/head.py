"""The header section of a request, read once: whether it may exist, whom it names, and what of it goes on.

A client that keeps its connection sends the same header section again and again, so what was found is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sluicegate.lockdown import shape

Fields = tuple[tuple[bytes, bytes], ...]

_ENDS_HERE = frozenset(
    (
        *(b"connection", b"upgrade", b"http2-settings", b"te", b"keep-alive"),
        # The body is here before the request goes on, so nobody waits to be told to send it.
        b"expect",
        # What a client says of where it comes from is not for a service to believe, nor who it says it is: these are
        # the words in which servers in front say whom they have signed in.
        *(b"forwarded", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-originating-ip", b"true-client-ip"),
        *(b"remote-user", b"x-authenticated-user", b"x-ms-client-principal", b"cf-connecting-ip"),
        # A WebSocket is asked for anew (lockdown/websocket.py).
        *(b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"),
        # Said to the gateway, not to the service.
        *(b"sluicegate-job", b"sluicegate-reason", b"sluicegate-ask"),
    )
)
_END_HERE_TOO = (
    *(b"x-forwarded-", b"x-remote-", b"x-auth-request-", b"x-webauth-", b"x-envoy-", b"x-authenticated-user-"),
    *(b"x-goog-authenticated-user-", b"x-amzn-oidc-", b"x-ms-client-principal-", b"cf-access-", b"tailscale-user-"),
)
"""The same, by how their names begin."""
PURPOSE_LIMIT = 500
"""Characters of a reason that a client gives."""
_SMALL = 4096
"""Bytes up to which a header section is remembered."""


@dataclass(frozen=True, slots=True)
class Head:
    """`hosts` is every Host header, in order; `onward` are the fields without those that end here.

    `job` is what Sluicegate-Job says; None where it is not there. Several together name no job that there could be.
    `length` is what Content-Length says; None where it is not there.
    `purpose` is what Sluicegate-Reason says, and `ask_only` whether there is a Sluicegate-Ask, whatever it says.
    """

    hosts: tuple[str, ...]
    upgrade: bool
    onward: Fields
    job: str | None = None
    purpose: str = ""
    ask_only: bool = False
    length: int | None = None


def read(fields: Fields) -> Head:
    """What the header section says. Raises Refusal 400 when it can be read in more than one way."""
    if len(fields) <= shape.MAX_HEADERS and sum([len(name) + len(value) for name, value in fields]) <= _SMALL:
        return _remembered(fields)
    return _read(fields)


def _read(fields: Fields) -> Head:
    shape.check_fields(fields)
    names = [name.lower() for name, _ in fields]
    values: dict[bytes, list[str]] = {}
    for name, (_, value) in zip(names, fields, strict=True):
        values.setdefault(name, []).append(value.decode("latin-1"))
    shape.check_transfer(", ".join(values.get(b"transfer-encoding", [])))
    shape.check_headers([name.decode() for name in names], ", ".join(values.get(b"connection", [])))
    jobs = values.get(b"sluicegate-job")
    onward = tuple(
        field
        for name, field in zip(names, fields, strict=True)
        if name not in _ENDS_HERE and not name.startswith(_END_HERE_TOO)
    )
    return Head(
        hosts=tuple(values.get(b"host", [])),
        upgrade=shape.upgrade_wanted(", ".join(values.get(b"upgrade", []))),
        onward=onward,
        job=None if jobs is None else ", ".join(jobs),
        purpose=_purpose(values.get(b"sluicegate-reason", [])),
        ask_only=b"sluicegate-ask" in values,
        length=shape.length_said(values.get(b"content-length", [])),
    )


def _purpose(values: list[str]) -> str:
    text = " ".join(values).encode("latin-1").decode(errors="replace").strip()
    if len(text) > PURPOSE_LIMIT or not text.isprintable():
        # People are shown it whole, or not at all.
        raise shape.malformed(f"Sluicegate-Reason is not one line of at most {PURPOSE_LIMIT} characters")
    return text


_remembered = lru_cache(maxsize=512)(_read)
