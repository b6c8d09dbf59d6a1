"""What a decision looks at besides who asks for what: the moment, the place, the job, and what is known so far.

Everything is handed in, so that the same question has the same answer, live or in a replay.
"""

from __future__ import annotations

import hashlib
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
    """The names of the chunks, as `kept_name` has them."""
    unnamed: int = 0
    """Different chunks whose names are not kept."""


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
    """The person's risk, as detection has it; not a number where it is not known. Then it is above whatever a deny,
    a hold or a mask names."""
    findings: frozenset[str] = frozenset()
    """The indicators that were found about the person. Where the risk is not known, any could be among them."""
    use: Mapping[Taken, Use] = field(default_factory=dict)
    """What the person has taken. Nothing where there is no entry."""
    signed_in: float | None = None
    """When the person last proved who they are, as the identity provider said it; None where that is not known."""
    within: frozenset[str] = frozenset()
    """The jobs that the request is within. The decision fills it in."""


NOTHING = Context()
"""Nothing known: the moment is 1970, the address unknown, nothing was taken."""


def kept_name(text: str, longest: int = 64) -> str:
    """The name under which a chunk, dataset or person is counted: its own, or a digest where that cannot be kept."""
    if len(text) <= longest and text.isprintable():  # no NUL and no lone surrogate, which databases do not take
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
