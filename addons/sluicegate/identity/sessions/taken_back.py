"""The provider's own tokens that count no more, because their session was logged out or their subject was."""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.identity.sessions.store import Revocation


class TakenBack:
    """Asked once for each token, when it is verified; what was verified before is verified anew after a change."""

    def __init__(self, issuer: str) -> None:
        self.version = 0
        """Grows with every change."""
        self._issuer = issuer
        self._sessions: dict[str, float] = {}
        self._subjects: dict[str, float] = {}

    def take(self, found: Iterable[Revocation]) -> None:
        """Add what was taken back."""
        for one in found:
            if one.issuer != self._issuer:
                continue
            self.version += 1
            if one.sid is not None:
                self._sessions[one.sid] = one.until
            elif one.subject is not None:
                self._subjects[one.subject] = max(one.at, self._subjects.get(one.subject, 0.0))

    def has(self, subject: str, session: str, issued: float) -> bool:
        """Whether a token of this subject and session, issued then, counts no more."""
        return session in self._sessions or issued <= self._subjects.get(subject, float("-inf"))
