"""A person's risk, from 0 to 100: the weighted sum of what pointed to them, that fades with time.

The strongest point counts in full, the second by 1/2^1.5, the third by 1/3^1.5 and so on: many weak points never add up
to a strong one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import mul
from typing import NamedTuple

KEPT = 24
MOST = 100.0
_WEIGHTS = tuple((rank + 1) ** -1.5 for rank in range(KEPT))


class Point(NamedTuple):
    """What one indicator said at one time."""

    indicator: str
    about: str
    """The dataset or destination: the same indicator about the same thing counts once a day."""
    day: int
    at: float
    score: float
    """Bits of surprise times the weight of what was touched (1 to 3): 0 to 60."""


def weighed(scores: Iterable[float]) -> float:
    """The weighted sum of scores."""
    return math.fsum(map(mul, sorted(scores, reverse=True), _WEIGHTS))


def risk(points: Iterable[Point], at: float, half_life: float) -> float:
    """The risk at a moment; a point loses half of its score in `half_life` seconds."""
    exp2 = math.exp2
    return min(
        MOST,
        weighed([score * exp2((when - at) / half_life) if at > when else score for _, _, _, when, score in points]),
    )


def with_point(points: list[Point], new: Point) -> bool:
    """Put a point among the others, in place. False where the same day has one that is as strong."""
    indicator, about, on, _, _ = new
    for index, one in enumerate(points):
        if one.day == on and one.indicator == indicator and one.about == about:
            if one.score >= new.score:
                return False
            points[index] = new
            return True
    points.append(new)
    if len(points) > KEPT:
        # The weakest goes; of equals the oldest.
        points.remove(min(points, key=lambda one: (one.score * math.exp2((one.at - new.at) / 604_800), one.at)))
    return True
