"""Two people who complement each other: each takes a part of a dataset, and the parts overlap less than by chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from sluicegate.detection.covered import Covered
from sluicegate.detection.look import LEAST
from sluicegate.detection.sketches.distinct import SIZE, together
from sluicegate.detection.surprise import at_most

LEAST_SHARE = 0.1
"""What each of them has of the dataset, at least,"""
TOGETHER = 0.5
"""and both together."""
PEOPLE = 40
"""The people with the largest shares are compared."""
_ERROR = 0.033
"""How far off one summary usually is, as a share of it,"""
_SURE = 3.5
"""and so many times that could be chance when it is asked of many pairs: what could be an error is no evidence."""
_SMALL = 2 * SIZE
"""So many keys are counted by which registers are set alone, with room for what is off."""
_ROOM = 0.15
"""How far a summary of two may be from what their sizes allow."""


class Pair(NamedTuple):
    """Two people, and how surprising it is that they have so little in common."""

    one: str
    other: str
    share: float
    common: float
    expected: float
    bits: float


def pairs_with(person: str, covered: Mapping[str, Covered], day: int, of: float) -> list[Pair]:
    """Those whose part has surprisingly little in common with a person's. `of` is the dataset's size, in chunks."""
    sizes = {who: one.size(day) for who, one in covered.items()}
    if of <= 0 or sizes.get(person, 0.0) < LEAST_SHARE * of:
        return []
    large = [who for who in sizes if who != person and sizes[who] >= LEAST_SHARE * of]
    large.sort(key=lambda who: (-sizes[who], who))
    found = []
    for other in large[:PEOPLE]:
        # Most pairs have too little together, or too little to miss, however they overlap: that needs no summary.
        least = _error(sizes[person], sizes[other], max(sizes[person], sizes[other]) * (1 - _ROOM))
        if (sizes[person] + sizes[other]) * (1 + _ROOM) < TOGETHER * of or least >= sizes[person] * sizes[other] / of:
            continue
        both = together((covered[person].whole(day), covered[other].whole(day)))
        if both < TOGETHER * of:
            continue
        expected = sizes[person] * sizes[other] / of
        error = _error(sizes[person], sizes[other], both)
        common = max(0.0, sizes[person] + sizes[other] - both) + error
        if common < expected:
            # Of so many pairs, one was bound to be strange.
            bits = at_most(common, expected) - math.log2(len(large))
            if bits >= LEAST:  # less is no sign of anything, and below nothing it would take something off a risk
                found.append(Pair(person, other, min(1.0, both / of), common, expected, bits))
    return found


def _error(one: float, other: float, both: float) -> float:
    """What they have in common is a difference of three summaries, whose errors add up; but for small ones, in which
    what is off in one part is off in both together, and most of it falls out: the deviation of such a difference of
    linear counts, where nothing is in common."""
    if both <= _SMALL:
        return _SURE * math.sqrt(SIZE * math.expm1(one / SIZE) * math.expm1(other / SIZE))
    return _SURE * _ERROR * math.sqrt(one**2 + other**2 + both**2)
