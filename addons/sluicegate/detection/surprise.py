"""Bits of surprise: the negative logarithm of how likely something at least so strange is. Never more than 20."""

from __future__ import annotations

import math

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
    if count <= 0 or count > days:
        return 0.0
    a, b = usual
    if b <= 0:
        return 0.0
    total = 0.0
    base = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.lgamma(a + b + days)
    for number in range(count, days + 1):
        ways = math.lgamma(days + 1) - math.lgamma(number + 1) - math.lgamma(days - number + 1)
        total += math.exp(ways + base + math.lgamma(a + number) + math.lgamma(b + days - number))
    return bits(total)
