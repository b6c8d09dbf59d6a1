"""An approval as it is read from the database at a time, and as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from sluicegate.approvals import people, state
from sluicegate.exchange import Principal


@dataclass(frozen=True, slots=True)
class Approval:
    """One held request and what became of it. `state` is true at the time of reading. Times as in the database."""

    id: str
    code: str
    fingerprint: str
    requester_subject: str
    requester_issuer: str
    requester_name: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    approvers: tuple[str, ...]
    service: str
    dataset: str | None
    kind: str
    method: str
    target: str
    columns: tuple[str, ...]
    column_scope: str
    chunks: tuple[str, ...]
    destination: str | None
    statement: str | None
    exchanges: tuple[str, ...]
    state: state.State
    created: float
    pending_until: float
    decided_at: float | None
    decided_by: str | None
    decision_reason: str | None
    grant_until: float | None
    uses_left: int

    @classmethod
    def of(cls, row: Row[Any], now: float) -> Approval:
        """From a row of the table."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in row._mapping.items()
        }
        values["state"] = state.at(now, values["state"], values["pending_until"], values["grant_until"])
        return cls(**values)

    def asked_by(self, person: Principal) -> bool:
        """Whether it is the person's own request."""
        return person.subject == self.requester_subject and person.issuer == self.requester_issuer

    def decidable_by(self, person: Principal) -> bool:
        """Whether the person is one of those who may decide it, while it is pending."""
        return people.may_decide(person, self.requester_subject, self.approvers)

    def visible_to(self, person: Principal) -> bool:
        return self.asked_by(person) or self.decidable_by(person)

    def document(self) -> dict[str, Any]:
        """As JSON. The fingerprint stays inside; everything else is there to be read."""
        return {
            "id": self.id,
            "code": self.code,
            "state": self.state,
            "requester": {"subject": self.requester_subject, "name": self.requester_name},
            "rules": list(self.rules),
            "reasons": list(self.reasons),
            "approvers": list(self.approvers),
            "service": self.service,
            "dataset": self.dataset,
            "kind": self.kind,
            "method": self.method,
            "target": self.target,
            "columns": list(self.columns),
            "column_scope": self.column_scope,
            "chunks": list(self.chunks),
            "destination": self.destination,
            "statement": self.statement,
            "exchanges": list(self.exchanges),
            "created": rfc3339(self.created),
            "pending_until": rfc3339(self.pending_until),
            "decided_at": rfc3339(self.decided_at),
            "decided_by": self.decided_by,
            "decision_reason": self.decision_reason,
            "grant_until": rfc3339(self.grant_until),
            "uses_left": self.uses_left,
        }


def rfc3339(seconds: float | None) -> str | None:
    """A time for people and programs (RFC 3339), to the second, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
