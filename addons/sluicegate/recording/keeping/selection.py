"""What an order is about: exchanges of somebody, a session, a service, a class of originals, a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

MOST = 500
"""Characters of a name."""
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is set has to fit. Times are seconds since the epoch, UTC; `until` is not within."""

    subject: str = ""
    issuer: str = ""
    session: str = ""
    service: str = ""
    exchange: str = ""
    cls: str = ""
    """The class of originals: the masks that were owed, as `national-ids+emails`."""
    since: float | None = None
    until: float | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From plain values. Raises ValueError, a sentence about what is not right, also where nothing is chosen."""
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(said) - known):
            raise ValueError(f"Nothing can be chosen by {unknown[0]!r}.")
        found: dict[str, Any] = {}
        for name, value in said.items():
            if value is None or value == "":
                continue
            if name in ("since", "until"):
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
                    raise ValueError(f"`{name}` is no time in seconds since 1970.")
                found[name] = float(value)
            elif not isinstance(value, str) or len(value) > MOST or not value.isprintable():
                raise ValueError(f"`{name}` is no name.")
            else:
                found[name] = value
        if not set(found) - {"issuer"}:
            raise ValueError("Nothing is chosen: name a person, a session, a service, an exchange, a class or a time.")
        chosen = cls(**found)
        if chosen.since is not None and chosen.until is not None and chosen.since >= chosen.until:
            raise ValueError("`since` is not before `until`.")
        return chosen

    def document(self) -> dict[str, Any]:
        """Plain values, of what is set alone."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @property
    def names(self) -> tuple[str, ...]:
        """What has to stand in a recording for it to be meant."""
        return tuple(name for name in (self.subject, self.session, self.service, self.exchange) if name)

    def within(self, begin: float, end: float) -> bool:
        """Whether a stretch of time has something of what is meant."""
        return (self.until is None or begin < self.until) and (self.since is None or end >= self.since)

    def within_hour(self, hour: int) -> bool:
        """Whether an hour (as data keys have them) is meant."""
        return self.within(hour * _HOUR, (hour + 1) * _HOUR - 1)

    def __str__(self) -> str:
        """In words, for people."""
        said = []
        for name, value in self.document().items():
            if isinstance(value, float):
                value = f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
            said.append(f"{'class' if name == 'cls' else name} {value}")
        return ", ".join(said)
