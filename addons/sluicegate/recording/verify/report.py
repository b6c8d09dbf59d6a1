"""What a verification found, and what it proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sluicegate.recording.ledger.note import Verifier

Kind = Literal["tampered", "truncated", "unsigned", "cannot-tell"]
"""`tampered`: something was changed, added, or taken out of the middle. `truncated`: the end of something is gone, or
an older state stands in the place of a newer one. `unsigned`: there are records behind the newest signed head.
`cannot-tell`: what would prove it is not there, or cannot be read."""
WORST: tuple[Kind, ...] = ("tampered", "truncated", "cannot-tell", "unsigned")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: where it is, and what. `detail` is a full sentence."""

    kind: Kind
    detail: str
    file: str = ""
    """Below the folder of recordings."""
    offset: int | None = None
    entry: int | None = None
    """The index in the ledger."""
    exchange: str = ""

    def __str__(self) -> str:
        where = [self.file or "ledger"]
        if self.offset is not None:
            where.append(f"byte {self.offset}")
        if self.entry is not None:
            where.append(f"entry {self.entry}")
        if self.exchange:
            where.append(f"exchange {self.exchange}")
        return f"{self.kind}: {', '.join(where)}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Removal:
    """Something was taken away, or held, and the ledger says so."""

    kind: str
    """`shredded`, `deleted`, `held` or `released`."""
    at: float
    entry: int
    files: int
    by: tuple[str, ...]
    """The people, by name where the record of it is still there, else their pseudonyms. Empty: retention did it."""
    reason: str = ""
    why: str = ""
    """`retention` where no person asked for it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key of the log was replaced; both keys have signed that."""

    at: float
    entry: int
    old: Verifier
    new: Verifier


@dataclass(slots=True)
class Report:
    """What is proved: the first `size` entries of the log `origin`, and the recordings that they speak of, are those
    that `signed_by` signed, but for what `findings` say."""

    origin: str = ""
    size: int = 0
    root: str = ""
    signed_by: list[Verifier] = field(default_factory=list)
    witnesses: dict[str, int] = field(default_factory=dict)
    """Names of witnesses that signed a head of this log as well, and when last (seconds)."""
    until: float | None = None
    """The time of the last entry under the head, seconds since the epoch."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many entries there are of each type, under the head."""
    records: int = 0
    """How many records were compared with their entries."""
    unsigned: int = 0
    """How many entries stand behind the head."""
    deleted: int = 0
    """How many records are gone because the log says that they were deleted."""
    unknown: list[str] = field(default_factory=list)
    """Exchanges that went out and whose outcome is not on the record: the gateway was killed in between."""
    findings: list[Finding] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    """What was taken away rightly, or held."""
    rotations: list[Rotation] = field(default_factory=list)
    suppressed: int = 0
    """Further findings that were left out."""

    @property
    def verdict(self) -> Kind | None:
        """The worst that was found; None when all is as it should be."""
        kinds = {finding.kind for finding in self.findings}
        return next((kind for kind in WORST if kind in kinds), None)

    def add(self, finding: Finding, most: int = 1000) -> None:
        """Add a finding, as long as there are not too many."""
        if len(self.findings) < most:
            self.findings.append(finding)
        else:
            self.suppressed += 1
