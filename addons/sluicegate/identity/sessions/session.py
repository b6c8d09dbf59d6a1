"""A session as it is kept: one sign-in of one person on one device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row

from sluicegate.exchange import Principal

State = Literal["active", "idle", "unconfirmed", "expired", "ended"]
Why = Literal["logout", "operator", "provider", "stolen", "idle", "expired", "replaced"]


@dataclass(frozen=True, slots=True)
class Session:
    """A row of `sessions`, without the refresh token. Times are in seconds since the epoch, UTC."""

    id: str
    revision: int
    subject: str
    issuer: str
    name: str
    groups: frozenset[str]
    provider_session: str | None
    device: str
    address: str
    created: float
    expires: float
    used: float
    confirmed: float
    ended: float | None
    ended_by: str | None
    ended_why: str | None
    authenticated: float | None = None
    relations: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, row: Row[Any]) -> Session:
        """From a row of the table."""
        values = {name: row._mapping[name] for name in cls.__slots__}
        relations = frozenset((name, value) for name, value in values["relations"] or ())
        return cls(**{**values, "groups": frozenset(values["groups"]), "relations": relations})

    @property
    def principal(self) -> Principal:
        """Who asks, when this session's handle comes."""
        return Principal(
            subject=self.subject,
            issuer=self.issuer,
            groups=self.groups,
            session=self.id,
            device=self.device or None,
            name=self.name,
            expires=self.expires,
            authenticated=self.authenticated,
            relations=self.relations,
        )

    def state(self, now: float, idle_seconds: float, unconfirmed_seconds: float) -> State:
        """What it is worth at a time."""
        if self.ended is not None:
            return "ended"
        if now >= self.expires:
            return "expired"
        if now - self.used >= idle_seconds:
            return "idle"
        return "unconfirmed" if now - self.confirmed >= unconfirmed_seconds else "active"

    def document(self) -> dict[str, Any]:
        """As JSON, for the person and for operators."""
        return {
            "id": self.id,
            "subject": self.subject,
            "name": self.name,
            "groups": sorted(self.groups),
            "device": self.device,
            "address": self.address,
            "created": rfc3339(self.created),
            "expires": rfc3339(self.expires),
            "used": rfc3339(self.used),
            "confirmed": rfc3339(self.confirmed),
            "ended": rfc3339(self.ended),
            "ended_by": self.ended_by,
            "ended_why": self.ended_why,
        }


def rfc3339(seconds: float | None) -> str | None:
    """A time for people and programs (RFC 3339), to the second, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
