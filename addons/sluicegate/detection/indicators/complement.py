"""Two people who complement each other: each takes a part of a dataset, and the parts overlap less than by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sluicegate.detection.sketches.distinct import Distinct
from sluicegate.detection.surprise import at_most

LEAST_SHARE = 0.1
"""What each of them has of the dataset, at least,"""
TOGETHER = 0.5
"""and both together."""
PEOPLE = 40
"""The people with the largest shares are compared; each with each."""
_ERROR = 0.035
"""How far off a summary is; what could be an error is no evidence."""


class Pair(NamedTuple):
    """Two people, and how surprising it is that they have so little in common."""

    one: str
    other: str
    share: float
    common: float
    expected: float
    bits: float


def pairs(covered: Mapping[str, Distinct], of: float) -> list[Pair]:
    """The pairs whose common part is surprisingly small. `of` is the size of the dataset, in chunks."""
    if of <= 0:
        return []
    sizes = {person: one.estimate for person, one in covered.items()}
    large = sorted((p for p in sizes if sizes[p] >= LEAST_SHARE * of), key=lambda p: (-sizes[p], p))[:PEOPLE]
    found = []
    for index, one in enumerate(large):
        for other in large[index + 1 :]:
            together = covered[one].merge([covered[other]]).estimate
            if together < TOGETHER * of:
                continue
            expected = sizes[one] * sizes[other] / of
            common = max(0.0, sizes[one] + sizes[other] - together) + 2 * _ERROR * together
            bits = at_most(common, expected)
            if common < expected:
                found.append(Pair(one, other, min(1.0, together / of), common, expected, bits))
    return found
