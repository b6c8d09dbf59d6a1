"""A finding with all that is known of it: what is written down, told and sent out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sluicegate.exchange import Finding


@dataclass(frozen=True, slots=True)
class Found:
    """One occurrence of an indicator. The same exchanges give the same `id`, live and out of a recording."""

    id: str
    at: float
    """Event time, seconds since the epoch, UTC."""
    person: str
    """Issuer and subject."""
    name: str
    indicator: str
    detail: str
    evidence: Mapping[str, str] = field(default_factory=dict)
    score: float = 0.0
    """0 to 60: bits of surprise times the weight of what was touched."""
    risk: float = 0.0
    """The person's risk with it, 0 to 100."""
    certain: bool = False
    """Held against no budget."""
    exchange: str = ""
    service: str = ""
    dataset: str = ""
    session: str = ""
    line: float = 0.0
    """The score that the alert budget asked for."""

    @property
    def severity(self) -> str:
        """`low`, `medium`, `high` or `critical`, for people and other systems."""
        if self.score >= 50:
            return "critical"
        return "high" if self.score >= 30 else "medium" if self.score >= 18 else "low"

    def brief(self, *, silent: bool = False) -> Finding:
        """As the exchange carries it. `silent`: rules do not see it."""
        evidence = {**self.evidence, "score": f"{self.score:.1f}", "id": self.id}
        return Finding(self.indicator, self.detail, evidence, silent)

    def plain(self) -> dict[str, Any]:
        """As JSON says it."""
        return {**asdict(self), "evidence": dict(self.evidence), "severity": self.severity}


def identity(exchange: str, indicator: str, about: str) -> str:
    """The id of a finding."""
    return hashlib.sha256(f"{exchange}\0{indicator}\0{about}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
