"""What a decision looks at besides who asks for what: the moment, the place, the job, and what is known so far.

Everything is handed in, so that the same question has the same answer, live or in a replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

Taken = tuple[str, str]
"""A dataset (as in `Operation.dataset`; empty where the request says none) and the zone whose day is meant."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one person has taken of one dataset today."""

    chunks: int = 0
    """Chunks, each time that they were asked for."""
    rows: int = 0
    bytes: int = 0
    distinct: Set[str] = frozenset()
    """The names of the chunks."""


UNUSED = Use()


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of one request. What is left out is not known, or not there."""

    now: float = 0.0
    """Event time, seconds since the epoch, UTC."""
    client: str = ""
    """The client's address; empty where it is not known."""
    job: str | None = None
    """The job that the request says it is within."""
    risk: float = 0.0
    """The person's risk, as detection has it."""
    findings: frozenset[str] = frozenset()
    """The indicators that were found about the person."""
    use: Mapping[Taken, Use] = field(default_factory=dict)
    """What the person has taken. Nothing where there is no entry."""
    within: frozenset[str] = frozenset()
    """The jobs that the request is within. The decision fills it in."""


NOTHING = Context()
"""Nothing known: the moment is 1970, the address unknown, nothing was taken."""
