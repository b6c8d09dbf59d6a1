"""A session as a gateway holds it in memory, and the handles that lead to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.exchange import Principal
from sluicegate.identity.sessions.places import Whereabouts
from sluicegate.identity.sessions.session import Session


@dataclass(slots=True)
class Live:
    """A session that is known. One object for its whole life here, whatever changes in the database."""

    session: Session
    principal: Principal
    until: float
    """When it stops counting, unless the provider confirms it before: the earlier of its expiry and of that."""
    used: float
    peer: str = ""
    """The address of the request before."""
    ended: str | None = None
    """Why it ended."""
    written: float = 0.0
    """The time of use that the database knows."""
    whereabouts: Whereabouts = field(default_factory=Whereabouts)

    @classmethod
    def of(cls, session: Session, unconfirmed_seconds: float) -> Live:
        """From what the database says."""
        live = cls(session, session.principal, 0.0, session.used, written=session.used)
        live.take(session, unconfirmed_seconds)
        return live

    def take(self, session: Session, unconfirmed_seconds: float) -> None:
        """What the database says now. It never brings back what has ended here."""
        self.session, self.principal = session, session.principal
        self.until = min(session.expires, session.confirmed + unconfirmed_seconds)
        self.used = max(self.used, session.used)
        self.written = max(self.written, session.used)
        if session.ended is not None:
            self.ended = session.ended_why or "ended"


@dataclass(slots=True)
class Held:
    """A handle that is known: whose it is, since when another has its place, and since when it is there."""

    live: Live
    superseded: float | None
    created: float = 0.0
