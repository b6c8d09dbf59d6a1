"""What a right answer is: the origin's own bytes, or for a gate that masks, the same rows with the secrets gone."""

from __future__ import annotations

from typing import Any

import orjson

from bench.origin import body

MASKED = ("ssn", "email")


class WrongAnswer(Exception):
    """A response was not what it had to be; the numbers of this run mean nothing."""


class Expected:
    """Checks bodies. The first one is checked in full and every later one has to be equal to it, byte for byte."""

    def __init__(self, *, masked: bool) -> None:
        self._clear = body()
        self._right = None if masked else self._clear

    def check(self, status: bytes, content: bytes) -> None:
        """Raises WrongAnswer."""
        if status != b"200":
            raise WrongAnswer(f"status {status.decode('latin-1')}: {content[:300].decode('latin-1')}")
        if self._right is None:
            self._check_masked(content)
            self._right = content
        if content != self._right:
            raise WrongAnswer(f"another body: {content[:300].decode('latin-1')}")

    def _check_masked(self, content: bytes) -> None:
        try:
            clear, masked = orjson.loads(self._clear), orjson.loads(content)
            pairs = list(zip(clear.pop("rows"), masked.pop("rows"), strict=True))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise WrongAnswer(f"the masked body cannot be read: {error}") from None
        for before, after in pairs:
            hidden = [(before.pop(name), after.pop(name, None)) for name in MASKED]
            if any(not _hides(secret, shown) for secret, shown in hidden):
                raise WrongAnswer(f"a masked column is clear: {hidden}")
        if clear != masked or any(before != after for before, after in pairs):
            raise WrongAnswer(f"masking changed more than the masked columns: {content[:300].decode('latin-1')}")


def _hides(secret: str, shown: Any) -> bool:
    """Whether what is shown is a text that does not hold the secret, nor its first half."""
    return isinstance(shown, str) and shown != "" and secret[: len(secret) // 2] not in shown
