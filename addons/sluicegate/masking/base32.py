"""Base32 (RFC 4648 section 6) of many digests at once, in lower case and without padding.

The digests stand side by side in one large integer, each in 256 bits, and five steps spread the bits of all of them
until every byte holds five: for a column of values that is several times as fast as one digest after the other.
"""

from __future__ import annotations

from collections.abc import Iterator

_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"
_TOGETHER = 64
_SIZE = 32  # bytes of a digest, and of its characters once spread
_LENGTH = 26  # characters of 128 bits


def base32_all(digests: list[bytes]) -> list[str]:
    """The first 16 bytes of each digest (of 32 bytes, as SHA-256 makes them): 26 characters each."""
    if len(digests) > _TOGETHER:
        pieces = (digests[start : start + _TOGETHER] for start in range(0, len(digests), _TOGETHER))
        return [text for piece in pieces for text in base32_all(piece)]
    bits = int.from_bytes(b"".join(digests)) & _FIRST
    for stay, go, by in _STEPS:
        bits = bits & stay | (bits & go) >> by
    text = bits.to_bytes(_SIZE * len(digests)).translate(_CHARACTERS).decode()
    return [text[start : start + _LENGTH] for start in range(0, len(text), _SIZE)]


def _each(pattern: int, width: int) -> int:
    """The pattern in each field of so many bits."""
    return sum(pattern << start for start in range(0, _TOGETHER * _SIZE * 8, width))


def _steps() -> Iterator[tuple[int, int, int]]:
    # A field holds twice `half` bits at its top. The first half stays, the second moves to the top of the lower half.
    for width, half in ((256, 80), (128, 40), (64, 20), (32, 10), (16, 5)):
        ones = (1 << half) - 1
        yield _each(ones << width - half, width), _each(ones << width - 2 * half, width), width // 2 - half


_STEPS = tuple(_steps())
_FIRST = _each((1 << 128) - 1 << 128, 256)
_CHARACTERS = bytes(_ALPHABET[byte >> 3] for byte in range(256))  # the five bits are the upper ones of their byte
