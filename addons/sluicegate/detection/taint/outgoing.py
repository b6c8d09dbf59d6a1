"""What of a request can carry values: body, address, name of the host, and headers with their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_PLAIN = frozenset(
    (
        *(b"host", b"content-length", b"transfer-encoding"),
        *(b"upgrade", b"sec-websocket-key", b"sec-websocket-version"),  # the gateway's own, wherever they are
    )
)
"""Headers that say what is known already, and nothing else. In any other a client can write whatever it wants."""


def parts(
    body: bytes, host: str, target: str, headers: Iterable[tuple[bytes, bytes]], secret: Collection[str]
) -> tuple[bytes, ...]:
    """The body first, then the rest. Secrets are left out: they are not data, and are looked at by nobody."""
    fields = [
        name + b": " + value
        for name, value in headers
        if (lower := name.lower()) not in _PLAIN and lower.decode("latin-1") not in secret
    ]
    address = f"{host.replace('.', '')}\n{target}".encode("utf-8", "surrogatepass")
    return (body, address, b"\n".join(fields))
