"""The keys of one tenant and version, made from the key in the state folder (HKDF-Expand, RFC 5869 section 2.3).

The key there is 32 random bytes, so that the extracting step has nothing to do (section 3.3).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple


class Keys(NamedTuple):
    """What pseudonyms and encryption are made with. Who has `root` can undo them."""

    root: bytes
    tenant: str = ""
    version: int = 1

    def derive(self, purpose: str, domain: str) -> bytes:
        """32 bytes that are used for nothing else. The parts are told apart by their lengths."""
        parts = (purpose.encode(), self.tenant.encode(), domain.encode(), self.version.to_bytes(4))
        info = b"sluicegate masking" + b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self.root, info + b"\x01", hashlib.sha256)
