"""Event time: the one clock that every decision reads, so that tests and replays can drive it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of event time."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock, used by a running gateway."""

    def now(self) -> float:
        return time.time()


class SetClock:
    """A clock that stands still until it is moved: for tests and for replay."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self.time += seconds
