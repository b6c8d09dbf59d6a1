"""A small organisation for the tests of this room: people who work by day, and one event at a time."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from sluicegate.detection.event import Event
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.settings import Settings

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0
PEOPLE = tuple(f"https://idp.test p{number}" for number in range(12))
ADA = PEOPLE[0]


def settings(**detection) -> Settings:
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "dialects": {"chunks": {"routes": [{"request": "GET /", "kind": "read"}]}},
            "services": {"chunks": {"hosts": ["chunks.test"], "dialect": "chunks"}},
            "datasets": {"customers": {"service": "chunks", "columns": {"ssn": "restricted", "email": "personal"}}},
            "jobs": {"letters": {"dataset": "customers", "columns": ["id", "personal"], "who": ["group:eng"]}},
            "detection": detection,
        }
    )


class Office:
    """Feeds events to a Watching. `found` has everything that was found, in order."""

    def __init__(self, seed: int = 1, **detection) -> None:
        detection.setdefault("alerts_per_thousand", 50)
        self.watching = Watching(Weighing(settings(**detection)))
        self.random = random.Random(seed)
        self.found = []
        self.events = []
        self._number = 0

    def event(self, at: float, who: str = ADA, **more) -> Event:
        self._number += 1
        given = {
            "groups": ("eng",), "service": "chunks", "dataset": "customers", "declared": True, "status": 200,
            "clear": ("id", "email"), "rows": 20, "size": 2000, "name": who.split()[-1], **more,
        }  # fmt: skip
        given.setdefault("chunk_count", len(given.get("chunks", ())))
        return Event(f"e{self._number}", at, who, **given)

    def do(self, at: float, who: str = ADA, extra=(), **more):
        """`extra`: what was found in what is sent."""
        event = self.event(at, who, **more)
        self.events.append(event)
        found = self.watching.after(event, tuple(extra))
        self.found += found
        return found

    def work(self, days: int, first: int = 0, people=PEOPLE, each: int = 12) -> Office:
        """Working days from 8 to 17: chunks at random, and a colleague's export to a bucket that is known."""
        for day in range(first, first + days):
            if day % 7 >= 5:
                continue
            for who in people:
                for number in range(each):
                    at = MONDAY + day * DAY + 8 * 3600 + number * 45 * 60 + self.random.random() * 600
                    self.do(at, who, chunks=(str(self.random.randrange(300)),))
        return self

    def indicators(self) -> set[str]:
        return {one.indicator for one in self.found}
