"""Signatures of Standard Webhooks (standardwebhooks.com), so that a receiver knows whose word it is."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable

_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key in `whsec_BASE64`. Raises ValueError unless it is one, of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 behind `whsec_`") from None
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("is not `whsec_` and 24 to 64 bytes in base64")
    return key


def headers(identity: str, timestamp: int, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """The three headers. `timestamp` in seconds; it is of this try, so that an old one can be refused."""
    signed = f"{identity}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
