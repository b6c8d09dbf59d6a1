"""One request and its response, and the value types that the rooms hand to each other.

The frozen types are written once by the room that knows them; Exchange collects them on the way of a request.
Nothing here imports mitmproxy, and nothing here is a secret except `Exchange.secret`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sluicegate.errors import Refusal

Effect = Literal["allow", "deny", "hold"]
Kind = Literal[
    "read", "export", "write", "script", "share", "admin", "login", "poll", "cancel", "telemetry", "upload", "unknown"
]
Assurance = Literal["network", "account", "bearer", "bound"]
ColumnScope = Literal["listed", "all", "none", "unknown"]
Side = Literal["internal", "external"]
Method = Literal["redact", "null", "hmac", "last4"]

OTHERS = "others"
"""The service name of hosts that no service in the policy names and that the gateway inspects."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as the identity provider said it. `session` groups the exchanges of one sign-in for replay."""

    subject: str
    issuer: str
    groups: frozenset[str] = frozenset()
    kind: Literal["person", "machine"] = "person"
    assurance: Assurance = "bearer"
    session: str = ""
    device: str | None = None
    name: str = ""
    expires: float = 0.0

    @property
    def label(self) -> str:
        """What people are shown: the name where there is one, else the subject."""
        return self.name or self.subject


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked. `columns` are names in the dataset; `column_scope` says whether that list is the whole truth."""

    service: str
    kind: Kind
    dataset: str | None = None
    declared: bool = False
    """Whether `dataset` is one that the policy declares under [datasets.*]."""
    chunks: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    column_scope: ColumnScope = "none"
    destination: str | None = None
    destination_side: Side | None = None
    statement: str | None = None
    script_digest: str | None = None
    route: str = ""
    """The route template that matched, or why none did."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """What an allowed response owes: these columns, or the nodes at this path, masked by this method."""

    mask: str
    method: Method
    columns: frozenset[str] = frozenset()
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one operation, with everything needed to explain and repeat it."""

    effect: Effect
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    lifted: tuple[str, ...] = ()
    """Masks that would have applied but were lifted for this principal (`unless`)."""
    approvers: tuple[str, ...] = ()
    hold_seconds: float | None = None
    next_step: str = ""
    policy: str = ""
    """SHA-256 of the policy in force, hex."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which columns and how many rows really left, after masking. Names and counts, never values."""

    columns: Mapping[str, Literal["clear", "masked"]] = field(default_factory=dict)
    rows: int = 0
    masks: Mapping[str, int] = field(default_factory=dict)
    """How many values each mask replaced."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence of an indicator, with its evidence."""

    indicator: str
    detail: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, weakref_slot=True)
class Exchange:
    """One request, its verdict and its response, as it moves along the pipeline. Never shared between flows."""

    id: str
    started: float
    """Event time of the request, seconds since the epoch, UTC."""
    client: str = ""
    method: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    target: str = ""
    """Path and query as sent, with secrets in the query replaced by the recorder before it is kept."""
    service: str | None = None
    """The service that owns the host, `others`, or None while unknown. Set by lockdown."""
    secret: str | None = field(default=None, repr=False)
    """The credential as presented; identity reads it and wipes it."""
    secret_headers: set[str] = field(default_factory=set)
    """Lower-case names of headers that carry secrets in this exchange and must not be recorded."""
    principal: Principal | None = None
    operation: Operation | None = None
    verdict: Verdict | None = None
    approval: str | None = None
    """Id of the approval that holds, or let through, this exchange."""
    exposure: Exposure | None = None
    findings: list[Finding] = field(default_factory=list)
    refusal: Refusal | None = None
    passed: int = 0
    """Bit set of the stages that have positively finished with this exchange. Written by the pipeline alone."""
