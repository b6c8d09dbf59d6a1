"""Days and hours in a time zone, as policy.toml writes them: `Mon-Fri 08:00-18:00 Europe/Berlin`.

Days and hours may each be left out, the zone may not: what an hour means without one is whatever the machine is set
to. Hours are those of the clock on the wall, so they stay where people are when summer time begins and ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$", re.ASCII)
_WHOLE_DAY = (0, 24 * 60)


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which it begins (0 is Monday), minutes from midnight of its begin and end, and the zone."""

    days: frozenset[int]
    begin: int
    end: int
    """Not included; at or before `begin` when the span passes midnight."""
    zone: str

    @classmethod
    def parse(cls, text: str) -> Span:
        """Raises ValueError, in words for whoever wrote it."""
        *parts, zone = text.split() or [""]
        days, hours = frozenset(range(7)), _WHOLE_DAY
        match parts:
            case []:
                raise ValueError(f"`{text}` names no days or hours; write `Mon-Fri 08:00-18:00 Europe/Berlin`")
            case [one]:
                if ":" in one:
                    hours = _hours(one)
                else:
                    days = _days(one)
            case [first, second]:
                days, hours = _days(first), _hours(second)
            case _:
                raise ValueError(f"`{text}` is not `DAYS HOURS ZONE`; write `Mon-Fri 08:00-18:00 Europe/Berlin`")
        zone_named(zone)
        return cls(days, *hours, zone)

    def holds(self, now: float) -> bool:
        """Whether a moment (seconds since the epoch) is within. Raises OverflowError, ValueError for no moment."""
        local = datetime.fromtimestamp(now, zone_named(self.zone))
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.begin < self.end:
            return today in self.days and self.begin <= minute < self.end
        return (today in self.days and minute >= self.begin) or ((today - 1) % 7 in self.days and minute < self.end)


def day_of(now: float, zone: str) -> tuple[float, float]:
    """The first moment of the day in a zone that `now` is in, and of the next day. Raises as `Span.holds`."""
    tz = zone_named(zone)
    local = datetime.fromtimestamp(now, tz)
    midnight = datetime(local.year, local.month, local.day, tzinfo=tz)
    following = local.date() + timedelta(days=1)
    after = datetime(following.year, following.month, following.day, tzinfo=tz)
    return midnight.timestamp(), after.timestamp()


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo:
    """The time zone of a name in the IANA database. Raises ValueError."""
    try:
        if name == "localtime":
            raise ValueError("this is whatever the machine is set to")
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no time zone `{name}`; write one such as `Europe/Berlin` or `UTC`") from None


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"`{part}` is no day; write {', '.join(DAYS)}, or from and to such as `Mon-Fri`")
        begin = DAYS.index(first)
        length = (DAYS.index(last) - begin) % 7 if dash else 0
        found.update((begin + offset) % 7 for offset in range(length + 1))
    return frozenset(found)


def _hours(text: str) -> tuple[int, int]:
    match = _HOURS.match(text)
    if match is None:
        raise ValueError(f"`{text}` is no span of hours; write `08:00-18:00`")
    begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if begin >= _WHOLE_DAY[1] or end > _WHOLE_DAY[1]:
        raise ValueError(f"`{text}` is past the end of the day; 24:00 may only be an end")
    if begin == end:
        raise ValueError(f"`{text}` begins when it ends; write `00:00-24:00` for the whole day")
    return begin, end
