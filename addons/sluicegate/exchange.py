"""One request and its response, and the value types that the rooms hand to each other.

The frozen types are written once by the room that knows them; Exchange collects them on the way of a request.
Nothing here imports mitmproxy, and nothing here is a secret except `Exchange.secret`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sluicegate.errors import Refusal
from sluicegate.mask_method import USUAL, Detector, Manner, Method

Effect = Literal["allow", "deny", "hold"]
Kind = Literal[
    "read", "export", "write", "script", "share", "admin", "login", "poll", "cancel", "telemetry", "upload", "message",
    "unknown",
]  # fmt: skip
Assurance = Literal["network", "account", "bearer", "bound"]
ColumnScope = Literal["listed", "all", "none", "unknown"]
Side = Literal["internal", "external"]

SCRIPT_KEPT = (64 << 10) + 1
"""Characters of a script that are kept for the policy's patterns. What is longer counts as matching them."""

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
    authenticated: float | None = None
    """When the person last proved to the provider who they are (`auth_time`); None where the token does not say."""
    relations: frozenset[tuple[str, str]] = frozenset()
    """Claims that tie people together, as pairs of name and value, such as `("manager", "grace")`."""

    @property
    def label(self) -> str:
        """What people are shown: the name where there is one, else the subject."""
        return self.name or self.subject


@dataclass(frozen=True, slots=True)
class Target:
    """What a token is wanted for that the provider gives the gateway on a person's behalf (RFC 8693 section 2.1)."""

    service: str
    audience: str = ""
    resource: str = ""
    scope: str = ""
    """Scopes with blanks between them."""
    requested: Literal["access_token", "jwt"] = "access_token"


@dataclass(frozen=True, slots=True)
class Output:
    """A result column: what it is called in the result, and the base columns that its values are made from."""

    name: str
    origins: frozenset[tuple[str, str]] | None = frozenset()
    """Pairs of dataset (as in `Operation.dataset`) and column. Empty: made from none. None: from which is not known."""
    copied: bool = False
    """Whether each value is a value of its only origin, whole and unchanged. Of others no part is ever shown."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked. `columns` are names in the dataset; `column_scope` says whether that list is the whole truth.

    A request that touches several datasets, or does several things, is one operation with `parts`: each of them and
    the operation itself are judged, and the request may do what all of them may.
    """

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
    script: str | None = field(default=None, repr=False)
    """The script, as far as patterns look at it: dialects keep no more than `SCRIPT_KEPT` characters."""
    route: str = ""
    """The route template that matched, or why none did."""
    predicates: tuple[str, ...] = ()
    """Columns that choose, join or order rows. Their values do not leave in the rows, and can be guessed from them."""
    outputs: tuple[Output, ...] | None = None
    """The columns of the result, by position, where the statement says them exactly; None where they are not known."""
    rows: int | None = None
    """At most so many rows are asked for; None where the request sets no limit."""
    statements: tuple[str, ...] = ()
    """Kinds of the statements in the request, such as `select`, `drop`, `copy_out`; `opaque` was not understood."""
    opaque: str = ""
    """Why a statement was not understood; empty where it was."""
    result: str | None = None
    """The handle of an earlier request's result, where the request asks for more of that."""
    owner: str = ""
    """Whom that result was handed to, issuer and subject, where it is somebody else than who asks; empty otherwise."""
    once: tuple[str, ...] = ()
    """What clients set anew each time, and what changes nothing about what is asked: an approval is not bound to it.
    Selectors `header:NAME` (lower-case), `query:NAME`, and `$.NAME` for a top-level member of a JSON object."""
    into: tuple[str, ...] = ()
    """The tables that its rows go into, and not into the response: a copy, a view, what is inserted into."""
    place: str = ""
    """Where names that are not qualified belong, where the service's session says that and not the request."""
    claims: tuple[str, ...] = ()
    """Identity that the client merely asserts, as `user=eng`; it proves nothing."""
    parts: tuple[Operation, ...] = ()
    """What else the same request does. A part has no parts."""

    @property
    def owners(self) -> tuple[str, ...]:
        """Everybody else whose results it names, its parts included."""
        return tuple(dict.fromkeys(one.owner for one in (self, *self.parts) if one.owner))


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of a request after its verdict, so that the service cannot read it in another way than we did.

    None leaves a thing as it is; a header whose value is None is taken out.
    """

    body: bytes | None = None
    query: str | None = None
    headers: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in a response, as the service's dialect found them."""

    format: Literal["json", "csv", "tsv", "arrow", "arrow-file", "parquet", "text"] = "json"
    path: str = "$"
    """JSONPath of the lists (or, with `base64`, the texts) that hold the rows; `$` is the whole body."""
    base64: bool = False
    """Whether the rows are bytes of `format`, in base64 inside a JSON text at `path`."""
    shape: Literal["objects", "arrays", "one"] = "objects"
    """Rows as objects by column name, as arrays by position; `one`: the node at `path` is itself one row."""
    cell: str = ""
    """Where a value stands inside a cell: `v` in `{"v": 1}`; `*` is whichever members it has; empty: the cell."""
    columns: tuple[Output, ...] | None = None
    """The columns by position; None where only the names in the rows are known."""
    header_row: bool = False
    """Whether the first row holds the names of the columns."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A response, as the service's dialect reads it: where its rows are, and what else may carry values of them."""

    rows: tuple[Rows, ...] = ()
    leaks: tuple[str, ...] = ()
    """JSONPaths of values beside the rows that may be made from them (facets, tokens, statistics, error texts)."""
    headers: tuple[str, ...] = ()
    """Lower-case names of response headers that may carry such values."""
    unreadable: str = ""
    """Why the rows cannot be found; such a response never leaves when masks are owed. Empty where they can."""
    bare: bool = False
    """Whether the response is known to hold no values of rows, whatever its type: it leaves as it came."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """What an allowed response owes: these columns, or the nodes at this path, masked by this method."""

    mask: str
    method: Method
    columns: frozenset[str] = frozenset()
    path: str | None = None
    dataset: str | None = None
    """The dataset whose columns are meant, where it is known; result columns are matched to it by their origins."""
    manner: Manner = USUAL
    """The settings of the method."""
    detect: frozenset[Detector] = frozenset()
    """What is masked wherever it is found, by what it looks like."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What it takes to approve a hold, and what a yes is good for. Where several rules hold: the strictest of each."""

    quorum: int = 1
    """How many different people have to say yes."""
    reason: bool = False
    """Whether a yes needs a reason too; a no always does."""
    fresh_seconds: float | None = None
    """The approver has proved to the provider who they are within this time."""
    conflicts: tuple[str, ...] = ()
    """`group:GLOB` and `claim:NAME`: who shares one with the person who asked may not decide."""
    uses: int = 1
    """How often a grant lets the request through."""
    grant_seconds: float | None = None
    """How long a grant is good for, where the rule says so."""
    break_glass: tuple[str, ...] = ()
    """`group:NAME` and `person:SUBJECT`, who may let the request through without an approval, in an emergency."""


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
    reported: tuple[str, ...] = ()
    """Rules of mode `report` that matched. They changed nothing."""
    terms: Terms = Terms()
    """What it takes to approve a hold."""
    seal: bool = False
    """Whether a rule wants the service's answer sealed as it came."""


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
    silent: bool = False
    """Whether rules do not see it: it is written down and told, and changes no answer."""


@dataclass(frozen=True, slots=True)
class Original:
    """A response body as the service sent it, where masking changed it or a rule wants it: what may be sealed."""

    body: bytes = field(repr=False)
    type: str = ""
    """Content-Type, and"""
    coding: str = ""
    """Content-Encoding, as the service said them."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks at what is about to leave, where a response passes piece by piece."""

    look: Callable[[bytes], None] = field(repr=False)
    """Raises Refusal. It is given whole lines, or pieces with `back` bytes of the next one behind them."""
    back: int = 0


class Stream(Protocol):
    """A response that passes piece by piece. Each method raises Refusal, and after that nothing more may leave."""

    light: bool
    """Whether a piece of 64 kB is a matter of a millisecond or two."""
    fields: tuple[tuple[bytes, bytes], ...]
    """The header fields that the client gets."""
    samples: list[Callable[[bytes], None]]
    """Are given everything that leaves, decoded."""
    full: Callable[[], bool]
    """Whether one of them has so much that the next piece should wait."""

    @property
    def exposure(self) -> Exposure:
        """What has left so far."""

    def findings(self) -> list[Finding]:
        """What masks that only report have met so far; each is given once."""

    def feed(self, data: bytes) -> list[bytes]:
        """The next bytes of the service; what may leave now."""

    def end(self) -> list[bytes]:
        """The service has sent all; what is left to leave."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What left of a response that passed piece by piece: bytes on the wire, and their SHA-256 in hex."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A WebSocket that a request asks for (RFC 6455 section 4): the gateway asks the service with a key of its own."""

    key: str
    """Sec-WebSocket-Key that the service gets,"""
    accept: str
    """and the Sec-WebSocket-Accept that it has to answer."""
    answer: str
    """The Sec-WebSocket-Accept that the client waits for."""
    protocols: tuple[str, ...] = ()
    """The subprotocols to choose from."""


@dataclass(slots=True)
class Message:
    """A message in a WebSocket, put together from its frames. It is an exchange of its own."""

    from_client: bool
    text: bool
    """Whether it was sent as text, which is UTF-8, and not as bytes."""
    content: bytes = field(repr=False)
    """What leaves: masking puts its own in the place of what came."""
    cleared: bool = False
    """Whether it may leave. Written by the pipeline alone, at the end of its stages."""


@dataclass(slots=True)
class Moved:
    """What moved through a WebSocket so far, and how it ended. Written by the pipeline."""

    messages: int = 0
    received: int = 0
    """Bytes of messages that the client got."""
    sent: int = 0
    """Bytes of messages that the service got."""
    code: int | None = None
    """The close code, once it is closed (RFC 6455 section 7.4)."""
    by: Literal["", "client", "service", "gateway"] = ""
    """Who closed it."""


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
    """The credential as presented, where services want a token in exchange for it. Written by identity, taken out by
    credentials."""
    secret_headers: set[str] = field(default_factory=set)
    """Lower-case names of headers that carry secrets in this exchange and must not be recorded."""
    principal: Principal | None = None
    operation: Operation | None = None
    job: str | None = None
    """The job that the request says it is within."""
    purpose: str = ""
    """Why the person asks, in their own words, for those who may approve it."""
    ask_only: bool = False
    """Whether the request is only there to ask for its approval. It never goes to the service."""
    risk: float = 0.0
    """The person's risk before this request, as detection has it; 0 where nobody looked."""
    known: frozenset[str] = frozenset()
    """Indicators that were found about the person before this request, and have not faded; and what was found meanwhile
    in what else they did, once the answer is there."""
    meanwhile: bool = False
    """Whether more is known of the person by now than when the request was judged."""
    verdict: Verdict | None = None
    rewrite: Rewrite | None = None
    """What becomes of the request once it may go."""
    delivery: Delivery | None = None
    """How the service's dialect reads the response; None where it says nothing beyond names."""
    approval: str | None = None
    """Id of the approval that holds, or let through, this exchange."""
    exposure: Exposure | None = None
    original: Original | None = field(default=None, repr=False)
    """The response before masking, where that changed it. The recorder seals it, or forgets it."""
    whole: str = ""
    """Why the response has to be here as a whole before any of it may leave; empty where nobody needs that."""
    watch: Watch | None = field(default=None, repr=False)
    """Who looks at a response that passes piece by piece."""
    stream: Stream | None = field(default=None, repr=False)
    """What masks a response that passes piece by piece."""
    begun: bool = False
    """Whether the first piece of the response may leave. Written by the pipeline alone, at the end of its stages."""
    delivered: Delivered | None = None
    """What left of a response that passed piece by piece, or of the part of it that passed."""
    upgrade: Upgrade | None = None
    """The WebSocket that the request asks for. Set by lockdown."""
    switching: bool = False
    """Whether the service agreed to it, in the way that it has to. Set by lockdown."""
    switched: bool = False
    """Whether messages may move. Written by the pipeline alone, at the end of its stages."""
    moved: Moved = field(default_factory=Moved)
    again: Callable[[Exchange], Awaitable[Principal]] | None = field(default=None, repr=False)
    """Says who asks as of now, for a message of a WebSocket and what has waited; raises Refusal. Set by identity."""
    over: Callable[[], Refusal | None] | None = field(default=None, repr=False)
    """Why the sign-in of whoever asked counts no more, where it was ended since; for a response that passes piece by
    piece. Set by identity."""
    message: Message | None = None
    """The message that this exchange is, in a WebSocket,"""
    opened: Exchange | None = field(default=None, repr=False)
    """and the exchange that opened that."""
    findings: list[Finding] = field(default_factory=list)
    weighed: tuple[int, int, int, tuple[int, ...]] | None = None
    """What detection learned from: status, bytes of the answer and of the request, keys of some rows. It is recorded
    where that answer was refused behind detection, so that the recording adds up to the same."""
    refusal: Refusal | None = None
    in_force: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What each room made of the policy that the exchange began with, by the room's name. It is judged by that to the
    end. A room that finds nothing here uses what it has."""
    passed: int = 0
    """Bit set of the stages that have positively finished with this exchange. Written by the pipeline alone."""
