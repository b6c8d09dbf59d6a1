"""The provider's tokens are kept sealed: who reads the database alone cannot use them (AES-256-GCM, SP 800-38D)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluicegate.settings import State
from sluicegate.settings.key_file import load_or_create

SUBJECT_TOKEN = "\0subject token"
"""What tokens that gateways exchange are sealed for; refresh tokens for nothing said. No subject has a NUL."""
SERVICE_TOKEN = "\0service token"
"""What tokens that services are to get are sealed for."""

_NONCE = 12


class Sealing:
    """Seals with the key in the state folder. What was sealed for one person opens for no other."""

    def __init__(self, state: State) -> None:
        """Raises Fault when the key cannot be trusted or kept."""
        self._cipher = AESGCM(load_or_create(state.keys / "sessions.key", "key of the sessions"))

    def seal(self, text: str, whose: str, purpose: str = "") -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), f"{whose}{purpose}".encode())

    def open(self, sealed: bytes, whose: str, purpose: str = "") -> str:
        """Raises ValueError when it was sealed with another key, for somebody or something else, or is not whole."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{whose}{purpose}".encode()).decode()
        except (InvalidTag, UnicodeDecodeError, ValueError):
            raise ValueError("the token cannot be opened with the key of this state folder") from None
