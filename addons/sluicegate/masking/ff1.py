"""FF1, format-preserving encryption (NIST SP 800-38G, algorithm 7), with the domain size that its revision requires.

A text of n numerals becomes another text of n numerals. Short texts can be tried out one by one, so that there have to
be at least a million of them (SP 800-38G Revision 1, second public draft, section 5).
"""

from __future__ import annotations

import math

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

MIN_DOMAIN = 1_000_000
"""Texts that there have to be of one length."""

MAX_LENGTH = 256
"""Numerals that are encrypted at once; the standard has no such limit, a gateway has."""

_ROUNDS = 10


def shortest(radix: int) -> int:
    """Numerals that a text has to have at least."""
    length: int = math.ceil(math.log(MIN_DOMAIN, radix))
    return max(2, length if radix**length >= MIN_DOMAIN else length + 1)


class FF1:
    """Encrypts numerals of one radix under one key. Not for several threads at once."""

    def __init__(self, key: bytes, radix: int) -> None:
        if not 2 <= radix <= 1 << 16:
            raise ValueError("a radix is between 2 and 65536")
        self._radix = radix
        # One block after the other: ECB of single blocks is the block cipher itself, which the standard calls CIPH.
        self._aes: CipherContext = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
        self._shortest = shortest(radix)

    def encrypt(self, numerals: list[int], tweak: bytes = b"") -> list[int]:
        """As many numerals. Raises ValueError for texts that are too short to be safe, or too long."""
        return self._feistel(numerals, tweak, decrypt=False)

    def decrypt(self, numerals: list[int], tweak: bytes = b"") -> list[int]:
        """What `encrypt` was given (algorithm 8)."""
        return self._feistel(numerals, tweak, decrypt=True)

    def _feistel(self, numerals: list[int], tweak: bytes, *, decrypt: bool) -> list[int]:
        radix, n = self._radix, len(numerals)
        if not self._shortest <= n <= MAX_LENGTH:
            raise ValueError("a text of this length cannot be encrypted in its own form")
        u = n // 2
        v = n - u
        powers = radix**u, radix**v
        a, b = _number(numerals[:u], radix), _number(numerals[u:], radix)
        size = ((radix**v - 1).bit_length() + 7) // 8  # b: bytes of NUM(B)
        wide = 4 * -(-size // 4) + 4  # d
        p = b"\x01\x02\x01" + radix.to_bytes(3) + b"\x0a" + bytes([u % 256]) + n.to_bytes(4) + len(tweak).to_bytes(4)
        head = tweak + bytes((-len(tweak) - size - 1) % 16)
        first = self._aes.update(p)
        for turn in reversed(range(_ROUNDS)) if decrypt else range(_ROUNDS):
            modulus = powers[turn % 2]
            known = a if decrypt else b
            y = self._expand(first, head + bytes([turn]) + known.to_bytes(size), wide)
            if decrypt:
                a, b = (b - y) % modulus, a
            else:
                a, b = b, (a + y) % modulus
        return _numerals(a, radix, u) + _numerals(b, radix, v)

    def _expand(self, mac: bytes, q: bytes, wide: int) -> int:
        """PRF(P || Q), of whose first block the result is known, made `wide` bytes long."""
        update = self._aes.update
        for start in range(0, len(q), 16):
            mac = update(_xor(mac, q[start : start + 16]))
        out = mac
        for number in range(1, -(-wide // 16)):
            out += update(_xor(mac, number.to_bytes(16)))
        return int.from_bytes(out[:wide])


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(16)


def _number(numerals: list[int], radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


def _numerals(number: int, radix: int, length: int) -> list[int]:
    found = [0] * length
    for place in range(length - 1, -1, -1):
        number, found[place] = divmod(number, radix)
    return found
