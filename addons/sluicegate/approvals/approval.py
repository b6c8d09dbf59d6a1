"""An approval as it is read from the database at a time, and as it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from sluicegate.approvals import people, state, terms
from sluicegate.exchange import Principal, Terms


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said about a request. Times as in the database."""

    subject: str
    name: str
    approve: bool
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Glass:
    """That somebody let the request through without an approval, and what became of that."""

    subject: str
    name: str
    reason: str
    at: float
    review_until: float
    reviewed_at: float | None
    reviewed_by: str | None
    accepted: bool | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Approval:
    """One held request and what became of it. `state` is true at the time of reading. Times as in the database."""

    id: str
    code: str
    fingerprint: str
    requester_subject: str
    requester_issuer: str
    requester_name: str
    requester_groups: tuple[str, ...]
    requester_relations: tuple[tuple[str, str], ...]
    purpose: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    approvers: tuple[str, ...]
    terms: Terms
    service: str
    dataset: str | None
    kind: str
    method: str
    target: str
    columns: tuple[str, ...]
    column_scope: str
    chunks: tuple[str, ...]
    rows: int | None
    destination: str | None
    statement: str | None
    job: str | None
    risk: float
    digests: Mapping[str, str]
    exchanges: tuple[str, ...]
    state: state.State
    created: float
    pending_until: float
    decided_at: float | None
    decided_by: str | None
    decision_reason: str | None
    grant_until: float | None
    uses_left: int
    votes: tuple[Vote, ...] = ()
    glass: Glass | None = None

    @classmethod
    def of(cls, row: Row[Any], now: float, votes: Iterable[Vote] = (), glass: Glass | None = None) -> Approval:
        """From a row of the table."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in row._mapping.items()
        }
        values["state"] = state.at(now, values["state"], values["pending_until"], values["grant_until"])
        values["terms"] = terms.read(values["terms"])
        values["requester_relations"] = tuple((name, value) for name, value in values["requester_relations"])
        return cls(**values, votes=tuple(votes), glass=glass)

    @property
    def requester(self) -> people.Requester:
        return people.Requester(
            self.requester_subject, frozenset(self.requester_groups), frozenset(self.requester_relations)
        )

    @property
    def yes(self) -> int:
        """How many people have said yes."""
        return len({vote.subject for vote in self.votes if vote.approve})

    @property
    def unreviewed(self) -> bool:
        """Whether the glass was broken, and nobody has looked at that yet."""
        return self.glass is not None and self.glass.reviewed_at is None

    def asked_by(self, person: Principal) -> bool:
        """Whether it is the person's own request."""
        return person.subject == self.requester_subject and person.issuer == self.requester_issuer

    def decidable_by(self, person: Principal) -> bool:
        """Whether the person is one of those who may decide it, while it is pending."""
        return people.may_decide(person, self.requester_subject, self.approvers)

    def breakable_by(self, person: Principal) -> bool:
        """Whether the person may let it through without an approval, while it is pending."""
        return people.named(person, self.terms.break_glass)

    def reviewable_by(self, person: Principal) -> bool:
        """Whether the person may review its broken glass: an approver who neither asked nor broke it."""
        return self.glass is not None and self.glass.subject != person.subject and self.decidable_by(person)

    def visible_to(self, person: Principal) -> bool:
        return self.asked_by(person) or self.decidable_by(person) or self.breakable_by(person)

    def conflict_with(self, person: Principal) -> str:
        """Why the person is too close to who asked to decide; empty when they are not."""
        return people.conflict(self.requester, person, self.terms.conflicts)

    def document(self) -> dict[str, Any]:
        """As JSON. The fingerprint and the digests stay inside; everything else is there to be read."""
        return {
            "id": self.id,
            "code": self.code,
            "state": self.state,
            "requester": {"subject": self.requester_subject, "name": self.requester_name},
            "purpose": self.purpose,
            "rules": list(self.rules),
            "reasons": list(self.reasons),
            "approvers": list(self.approvers),
            "terms": terms.document(self.terms),
            "service": self.service,
            "dataset": self.dataset,
            "kind": self.kind,
            "method": self.method,
            "target": self.target,
            "columns": list(self.columns),
            "column_scope": self.column_scope,
            "chunks": list(self.chunks),
            "rows": self.rows,
            "destination": self.destination,
            "statement": self.statement,
            "job": self.job,
            "risk": self.risk,
            "exchanges": list(self.exchanges),
            "created": rfc3339(self.created),
            "pending_until": rfc3339(self.pending_until),
            "decided_at": rfc3339(self.decided_at),
            "decided_by": self.decided_by,
            "decision_reason": self.decision_reason,
            "grant_until": rfc3339(self.grant_until),
            "uses_left": self.uses_left,
            "votes": [
                {"name": vote.name, "approve": vote.approve, "reason": vote.reason, "at": rfc3339(vote.at)}
                for vote in self.votes
            ],
            "broken_glass": self.glass and _glass(self.glass),
        }


def _glass(glass: Glass) -> dict[str, Any]:
    return {
        "name": glass.name,
        "reason": glass.reason,
        "at": rfc3339(glass.at),
        "review_until": rfc3339(glass.review_until),
        "reviewed_at": rfc3339(glass.reviewed_at),
        "reviewed_by": glass.reviewed_by,
        "accepted": glass.accepted,
        "note": glass.note,
    }


def rfc3339(seconds: float | None) -> str | None:
    """A time for people and programs (RFC 3339), to the second, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
