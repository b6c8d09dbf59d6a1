"""Bits of surprise: the negative logarithm of how likely something at least so strange is. Never more than 20."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

MOST = 20.0
_LEAST = 2.0**-MOST


def bits(probability: float) -> float:
    """The bits of a probability."""
    return -math.log2(min(1.0, max(probability, _LEAST)))


def above_usual(strays: float) -> float:
    """Bits of straying so many usual distances upwards, with the tail of Student's t for 4 degrees of freedom.

    A normal tail would be sure of itself far beyond what a few weeks of habit can tell.
    """
    if strays <= 0:
        return 0.0
    scale = 1 + strays * strays / 4
    return bits(0.5 - 0.375 * strays / math.sqrt(scale) * (1 - strays * strays / scale / 12))


def at_least(count: int, expected: float) -> float:
    """Bits of meeting at least `count` where `expected` are usual (Poisson)."""
    if count <= 0:
        return 0.0
    term = math.exp(-expected)
    below = 0.0
    for number in range(min(count, 500)):
        below += term
        term *= expected / (number + 1)
    # Where the sum below is nearly all, what is left is the first terms above.
    return bits(max(1.0 - below, term))


def at_most(count: float, expected: float) -> float:
    """Bits of meeting at most `count` where `expected` are usual (Poisson)."""
    term = total = math.exp(-min(expected, 700.0))
    for number in range(1, int(min(count, 2000)) + 1):
        term *= expected / number
        total += term
    return bits(total)


def share(met: float, of: float, prior: float = 1.0) -> float:
    """Bits of something that `met` of `of` did."""
    return bits((met + prior) / (of + 2 * prior))


PRIOR_DAYS = 5.0
"""For how many days the habit of the group counts, at least."""
_PEOPLE_DIFFER = 0.25
"""The weight of what the group does at all. What few of a group ever do says little about who of them will be next, so
many days without it must not make it look impossible."""


def usual_days(own: float, own_days: float, group: float, group_days: float) -> tuple[float, float]:
    """The Beta distribution of the share of days on which somebody does a thing: `own` of their own days, with what
    their group did (`group` of `group_days`) as a start."""
    share = (group + 0.5) / (group_days + 1.0)
    prior = max(PRIOR_DAYS, _PEOPLE_DIFFER / share)
    return own + prior * share, own_days - own + prior * (1.0 - share)


def once(usual: tuple[float, float]) -> float:
    """Bits of a thing that happened today."""
    a, b = usual
    return bits(a / (a + b))


def on_days(count: int, days: int, usual: tuple[float, float]) -> float:
    """Bits of a thing that happened on at least `count` of `days` days (Beta-binomial)."""
    return on_most_days([(count, days)], usual)[0]


def on_most_days(counts: Sequence[tuple[int, int]], usual: tuple[float, float]) -> tuple[float, int, int]:
    """The most bits of several such counts (`count` of `days`), with that count and its days; the first of equals.

    They share most of what is slow in them, and are asked for while somebody waits.
    """
    best = (0.0, 1, 1)
    a, b = usual
    if b <= 0:
        return best
    longest = max([days for _, days in counts], default=0)
    whole = math.lgamma(a + b)
    with_it = [math.lgamma(a + number) for number in range(longest + 1)]
    without: dict[float, float] = {}
    for count, days in counts:
        if count <= 0 or count > days:
            continue
        base = whole - with_it[0] - math.lgamma(b) - math.lgamma(a + b + days)
        ways = _ways(days)
        total = 0.0
        for number in range(count, days + 1):
            rest = b + days - number
            left = without.get(rest)
            if left is None:
                left = without[rest] = math.lgamma(rest)
            total += math.exp(ways[number] + base + with_it[number] + left)
        best = max(best, (bits(total), count, days))
    return best


@lru_cache(maxsize=64)
def _ways(days: int) -> tuple[float, ...]:
    """Logarithms of in how many ways so many of the days can be chosen."""
    return tuple(
        [math.lgamma(days + 1) - math.lgamma(number + 1) - math.lgamma(days - number + 1) for number in range(days + 1)]
    )
