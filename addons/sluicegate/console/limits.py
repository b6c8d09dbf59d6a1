"""So many tries in a while, and then a pause: for signing in, for acting and for looking."""

from __future__ import annotations

from collections import OrderedDict

from sluicegate.clock import Clock
from sluicegate.errors import Refusal

_MOST_KEPT = 10_000


class Limit:
    """A bucket for each key (an address, a person) that fills up with time."""

    def __init__(self, clock: Clock, *, burst: int, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._rate = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """One try. Raises Refusal 429 when there were too many."""
        now = self._clock.now()
        left, at = self._buckets.pop(key, (float(self._burst), now))
        left = min(float(self._burst), left + max(0.0, now - at) * self._rate)
        if len(self._buckets) >= _MOST_KEPT:
            self._buckets.popitem(last=False)
        self._buckets[key] = (max(0.0, left - 1), now)
        if left < 1:
            wait = max(1, round((1 - left) / self._rate))
            raise Refusal(
                429,
                "too-many-tries",
                "Too many tries",
                f"Wait {wait} seconds, and try again then.",
                headers={"retry-after": str(wait)},
            )
