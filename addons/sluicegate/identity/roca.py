"""RSA keys whose primes were made by a known bad rule (ROCA, CVE-2017-15361): anybody can work out the private key.

Such primes are powers of 65537 modulo many small primes, and so is their product (Nemec and others, "The Return of
Coppersmith's Attack", 2017, section 3). A modulus that was made otherwise is so with a chance of one in 2^27.
"""

from __future__ import annotations

from functools import cache

_GENERATOR = 65537
_PRIMES = tuple(n for n in range(3, 168) if all(n % d for d in range(2, n)))


def made_badly(modulus: int) -> bool:
    """Whether an RSA modulus has the mark."""
    return all(modulus % prime in powers for prime, powers in _marks())


@cache
def _marks() -> tuple[tuple[int, frozenset[int]], ...]:
    found = [(prime, frozenset(pow(_GENERATOR, power, prime) for power in range(prime))) for prime in _PRIMES]
    # Where every remainder is a power, it says nothing.
    return tuple((prime, powers) for prime, powers in found if len(powers) < prime - 1)
