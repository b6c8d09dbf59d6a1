"""The handshake of a WebSocket (RFC 6455 section 4): what a request has to ask, and what a service has to answer.

The service is asked with a key of the gateway's own, so nothing of it is the client's choice. No extension passes: with
permessage-deflate, say, nothing here could read the frames.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re

from sluicegate.errors import Refusal
from sluicegate.exchange import Upgrade

Fields = tuple[tuple[bytes, bytes], ...]

VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z")
_PROTOCOLS = 20


def asked(method: str, version: str, fields: Fields, body: bytes | None) -> Upgrade:
    """The WebSocket that a request asks for. Raises Refusal: 403 where it asks for something else, 400 where it can be
    read in two ways."""
    if _tokens(fields, b"upgrade") != ["websocket"] or version != "HTTP/1.1" or method != "GET":
        raise refused()
    if "upgrade" not in _tokens(fields, b"connection"):
        raise _malformed("its Connection header does not name the upgrade")
    if _values(fields, b"sec-websocket-version") != [VERSION]:
        raise _malformed(f"it asks for another version than {VERSION}")
    keys = _values(fields, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise _malformed("its Sec-WebSocket-Key is not 16 bytes in base64")
    if body:
        raise _malformed("it has a body")
    protocols = _listed(fields, b"sec-websocket-protocol")
    if len(protocols) > _PROTOCOLS or not all(map(_TOKEN.match, protocols)):
        raise _malformed("its subprotocols are not a short list of names")
    key = base64.b64encode(os.urandom(16)).decode()
    return Upgrade(key, accept(key), accept(keys[0]), tuple(protocols))


def onward(upgrade: Upgrade, fields: Fields) -> Fields:
    """The header section that the service gets; `fields` are without what ends here, handshake included."""
    return (
        *fields,
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", VERSION.encode()),
        (b"Sec-WebSocket-Key", upgrade.key.encode()),
    )


def answered(upgrade: Upgrade, fields: Fields) -> Fields:
    """The header section of the 101 that the client gets, made anew, so that there is nothing in it to be masked.

    Raises Refusal 502 where the service did not answer what was asked (section 4.1).
    """
    chosen = _values(fields, b"sec-websocket-protocol")
    if (
        _tokens(fields, b"upgrade") != ["websocket"]
        or "upgrade" not in _tokens(fields, b"connection")
        or _values(fields, b"sec-websocket-accept") != [upgrade.accept]
        or _values(fields, b"sec-websocket-extensions")
        or len(chosen) > 1
        or not set(chosen) <= set(upgrade.protocols)
    ):
        raise Refusal(
            502,
            "upgrade-refused",
            "Protocol upgrade refused",
            "The service did not open the WebSocket in the way that it was asked to, so nothing was let through.",
            next_step="Tell the people who run the service.",
        )
    made = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", upgrade.answer.encode())]
    return (*made, *[(b"Sec-WebSocket-Protocol", name.encode("latin-1")) for name in chosen])


def accept(key: str) -> str:
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def refused() -> Refusal:
    """The refusal of any protocol that is not let through."""
    return Refusal(
        403,
        "upgrade-refused",
        "Protocol upgrade refused",
        "Protocol upgrades are not let through, but for WebSocket to a service of which the policy says `websocket`.",
        next_step="Use the service's plain HTTP interface.",
    )


def ended() -> Refusal:
    """For a message of a WebSocket that the policy in force no longer lets exist."""
    return Refusal(
        403,
        "upgrade-refused",
        "WebSocket no longer let through",
        "The policy has changed since the WebSocket was opened, and does not let it exist any more.",
    )


def _values(fields: Fields, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in fields if name.lower() == wanted]


def _listed(fields: Fields, wanted: bytes) -> list[str]:
    found = [part.strip() for value in _values(fields, wanted) for part in value.split(",")]
    return [part for part in found if part]


def _tokens(fields: Fields, wanted: bytes) -> list[str]:
    return [part.lower() for part in _listed(fields, wanted)]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _malformed(why: str) -> Refusal:
    return Refusal(
        400,
        "malformed-upgrade",
        "Upgrade not accepted",
        f"The WebSocket was refused because {why}.",
        next_step="Open it with a client that follows RFC 6455.",
    )
