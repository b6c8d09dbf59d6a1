"""What of a request can carry values: its body, its address, the name of the host, and its headers."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_PLAIN = frozenset(
    (
        *(b"host", b"content-length", b"content-type", b"content-encoding", b"accept", b"accept-encoding"),
        *(b"upgrade", b"sec-websocket-key", b"sec-websocket-version"),  # the gateway's own, wherever they are
        *(b"accept-language", b"connection", b"transfer-encoding", b"te", b"expect", b"date"),
    )
)
"""Headers whose values are read by others already, or say nothing."""


def parts(
    body: bytes, host: str, target: str, headers: Iterable[tuple[bytes, bytes]], secret: Collection[str]
) -> tuple[bytes, ...]:
    """The body first, then the rest. Secrets are left out: they are not data, and are looked at by nobody."""
    values = [
        value
        for name, value in headers
        if (lower := name.lower()) not in _PLAIN and lower.decode("latin-1") not in secret
    ]
    address = f"{host.replace('.', '')}\n{target}".encode("utf-8", "surrogatepass")
    return (body, address, b"\n".join(values))
