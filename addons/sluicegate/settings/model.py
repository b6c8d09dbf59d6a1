"""The tables of policy.toml, as one typed model: what may be written, what it defaults to, what it means.

The JSON Schema for editors is generated from this model, and the loader validates with it, so the two cannot drift.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from sluicegate.exchange import Assurance, Effect, Kind, Method, Side
from sluicegate.settings.hosts import Dial, HostPattern, OriginPattern
from sluicegate.settings.times import Span, zone_named

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


def _times(text: str) -> str:
    Span.parse(text)
    return text


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


def _pattern(text: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        raise ValueError(f"is no RE2 pattern: {said.decode() if isinstance(said, bytes) else said}") from None
    return text


Network = Annotated[str, AfterValidator(_network)]
Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
Times = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_times)]
Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)]


class Table(BaseModel):
    """A table of policy.toml: unknown keys are errors, values cannot change once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Gateway(Table):
    """[gateway]: where it listens, what becomes of hosts that no service names, and its limits."""

    listen: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$")] = "127.0.0.1:8080"
    """Address and port of the proxy."""
    others: Literal["refuse", "tunnel", "inspect"] = "refuse"
    """Hosts that no service names: refuse them, tunnel the listed ones untouched, or inspect them as egress."""
    tunnel_hosts: list[str] = []
    """Hosts whose TLS passes untouched, such as `mirror.example.org` or `*.example.org`."""
    internal_destinations: list[Text] = []
    """Globs of destinations that are ours, such as `s3://acme-*`. Every other destination is external."""
    trusted_ca: str | None = None
    """PEM file with the authorities that services are verified against, instead of the built-in bundle."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """Largest request or response body, before and after decoding."""
    drain_seconds: Seconds = 20.0
    """How long SIGTERM waits for exchanges in flight."""

    @field_validator("tunnel_hosts")
    @classmethod
    def _tunnel_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            HostPattern.parse(text)
        return value


class Identity(Table):
    """[identity]: the OIDC provider whose tokens are accepted."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    """Issuer, exactly as in the tokens' `iss`. https, or http on loopback."""
    audience: Text = "sluicegate"
    """What the tokens' `aud` must contain."""
    algorithms: list[Literal["RS256", "PS256", "ES256", "EdDSA"]] = ["RS256", "ES256", "EdDSA"]
    """Signature algorithms that are accepted."""
    groups_claim: Text = "groups"
    """Claim that carries the list of groups."""
    trusted_ca: str | None = None
    """PEM file with the authorities that the provider is verified against."""
    leeway_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0
    """Clock difference that is tolerated in exp, nbf and iat."""


class Credential(Table):
    """[services.*].credential: the service's own secret, put in after the verdict."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    """Header that carries it."""
    value: Text
    """Its value; `${NAME}` is read from the environment when the gateway starts."""


class Service(Table):
    """[services.*]: an HTTP service behind the gate."""

    hosts: Annotated[list[str], Field(min_length=1)]
    """Where it is: `host`, `host:port` or `http://host:port`; https on 443 unless said otherwise. `*.` before the host
    means every host below it (one label or more), but for those that are written out, here or in another service."""
    dialect: Slug
    """The [dialects.*] table, or built-in dialect, that reads its requests."""
    addresses: list[str] = []
    """Private networks (CIDR) that its names may resolve to; public addresses need no entry."""
    connect: Text | None = None
    """Dial this address instead of resolving the service's hosts, as `host:port` or `http://host:port` (plain HTTP).

    Clients keep the service's name, certificates are verified against it, and `addresses` holds for what is dialled.
    """
    credential: Credential | None = None
    """The service's own secret; clients never see it."""
    default_catalog: Text | None = None
    """Where table names without a catalog (or database) belong, unless the request says otherwise."""
    default_schema: Text | None = None
    """The same for table names without a schema."""

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            OriginPattern.parse(text)
        return value

    @field_validator("connect")
    @classmethod
    def _connect(cls, value: str | None) -> str | None:
        if value is not None:
            Dial.parse(value)
        return value

    @field_validator("addresses")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for text in value:
            ipaddress.ip_network(text)
        return value


class Route(Table):
    """[[dialects.*.routes]]: one kind of request, and where in it the parts of the operation are.

    A selector is `path:NAME`, `query:NAME`, `header:NAME`, or a JSONPath (`$...`) into a JSON body.
    """

    request: Annotated[str, Field(pattern=r"^[A-Z]+ /\S*$")]
    """Method and path template, such as `GET /datasets/{dataset}/chunks/{chunk}`."""
    kind: Kind
    """What such a request does."""
    dataset: str | None = None
    """Selector of the dataset's name."""
    chunks: str | None = None
    """Selector of the chunks asked for."""
    columns: str | None = None
    """Selector of the columns asked for; where the request has none, all columns are meant."""
    destination: str | None = None
    """Selector of where the data goes."""
    statement: str | None = None
    """Selector of a filter or query text."""
    sql: (
        Literal[
            "athena",
            "bigquery",
            "clickhouse",
            "databricks",
            "duckdb",
            "mysql",
            "postgres",
            "presto",
            "redshift",
            "snowflake",
            "spark",
            "sqlite",
            "trino",
        ]
        | None
    ) = None
    """The language in which `statement` is read as SQL; the statement then says dataset, columns and kind."""
    script: str | None = None
    """Selector of a script; its digest is recorded."""
    accepts: list[str] = []
    """Further query parameters and top-level body members that mean nothing to the policy. Others are refused."""
    repeated: list[str] = []
    """Query parameters that may be sent more than once, each value counting."""
    form: bool = False
    """The body is a form (application/x-www-form-urlencoded), whose fields are selected as `$.NAME`."""
    result: str | None = None
    """Selector of the handle (page token, query id) of an earlier answer. One that is not one's own is refused."""
    hands_out: list[str] = []
    """Where the answer has handles for later requests: JSONPaths, or `header:NAME`. Of an address, its parameters."""
    rows: str | None = None
    """JSONPath of the list of rows in the answer."""
    row_columns: str | None = None
    """JSONPath of the names of the columns in the answer, where rows are arrays."""


class Dialect(Table):
    """[dialects.*]: how the requests of a service are read."""

    routes: Annotated[list[Route], Field(min_length=1)]
    """Requests that are understood; any other is of kind `unknown`."""


class Dataset(Table):
    """[datasets.*]: a dataset of a service, and the class of its sensitive columns."""

    service: Slug
    """The service that holds it."""
    name: Text | None = None
    """Its name on the wire, where that is not the name of the table."""
    columns: dict[Text, Slug] = {}
    """Column name to class, such as `ssn = "restricted"`. Columns without an entry are unclassified."""
    all_columns: list[Text] | None = None
    """Every column, in the service's order. With it, statements such as `SELECT *` are read exactly."""


class Job(Table):
    """[jobs.*]: a declared purpose. A request within a job may touch only what the job names.

    A request is within a job when it says so in the header `Sluicegate-Job`, or when whoever asks is bound to it. What
    it asks for beyond the job is denied whatever the rules say; what is inside still needs a rule that allows it.
    """

    dataset: Text
    """The one dataset that it works on: a table of [datasets.*]."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """The columns that it needs, by name or class. Left out: all of them."""
    chunks: Annotated[list[Text], Field(min_length=1)] | None = None
    """The chunks that it needs: names, globs, or numbers from and to, such as `0..99`. Left out: all of them."""
    who: Annotated[list[Text], Field(min_length=1)]
    """Who may work on it: `group:NAME`, `person:SUBJECT`, `machine:SUBJECT`, `kind:person` or `kind:machine`."""
    bound: list[Text] = []
    """Those of them whose every request is within it, said or not. Written like `who`."""
    hours: Times | None = None
    """When it runs, such as `01:00-05:00 Europe/Berlin`. Left out: at any time."""


class Budget(Table):
    """budget = { ... }: how much one person may take of one dataset in a day. One measure above its limit is enough.

    What is asked counts with what was taken: chunks and rows as far as the request names them. A request that sets no
    limit to its rows is above the limit when nothing is left of it.
    """

    chunks: Annotated[int, Field(ge=0)] | None = None
    """Chunks, each time that they are asked for. A read that names no chunk counts as one."""
    distinct_chunks: Annotated[int, Field(ge=0)] | None = None
    """Different chunks."""
    rows: Annotated[int, Field(ge=0)] | None = None
    """Rows that left."""
    bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes of response bodies that left."""
    per: Literal["day"] = "day"
    """From midnight to midnight,"""
    zone: Zone = "UTC"
    """in this time zone."""


class Rule(Table):
    """[[rules]]: an effect, and what it applies to. A key that is left out matches everything.

    Any matching deny wins, else any hold, else any allow, else the default, which is deny. Where in doubt a deny or
    hold matches, and an allow does not.
    """

    id: Slug
    """Its name in verdicts, answers and recordings."""
    effect: Effect
    """`allow`, `deny` or `hold`."""
    mode: Literal["enforce", "report"] = "enforce"
    """`report`: counted and shown where it would have matched, never applied."""
    who: Annotated[list[Text], Field(min_length=1)] | None = None
    """`group:NAME`, `person:SUBJECT`, `machine:SUBJECT`, `kind:person` or `kind:machine`."""
    assurance: Assurance | None = None
    """How surely it is known who asks, at least: `network`, `account`, `bearer`, `bound`, from weak to strong."""
    assurance_below: Assurance | None = None
    """Weaker than this; for a deny or hold."""
    network: Annotated[list[Network], Field(min_length=1)] | None = None
    """Networks (CIDR) that the client's address is in."""
    service: Annotated[list[Text], Field(min_length=1)] | None = None
    """Services; `others` means hosts that are inspected."""
    dataset: Annotated[list[Text], Field(min_length=1)] | None = None
    """Dataset names or globs. Only a rule with this key can match a dataset that the policy does not declare."""
    kind: Annotated[list[Kind], Field(min_length=1)] | None = None
    """Kinds of operation. Only a rule with this key can allow `unknown`."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """Names or classes. A deny or hold matches when any of them is asked for; an allow only when nothing else is."""
    destination: Side | Annotated[list[Text], Field(min_length=1)] | None = None
    """`external`, `internal`, or globs."""
    statements: Annotated[list[Text], Field(min_length=1)] | None = None
    """Kinds of statements or globs of them, such as `drop` or `create_*`. A deny or hold matches when any statement is
    of one, or was not understood; an allow only when all were understood and are."""
    commands: Annotated[list[Pattern], Field(min_length=1)] | None = None
    """RE2 patterns of statements and scripts. A deny or hold looks for them anywhere, without regard to case and
    comments, and matches what is too long to look at; in an allow one of them must fit the whole text."""
    rows_above: Annotated[int, Field(ge=0)] | None = None
    """More rows than this are asked for, or no limit is set. For a deny or hold."""
    job: Annotated[list[Text], Field(min_length=1)] | None = None
    """The request is within one of these [jobs.*]."""
    when: Annotated[list[Times], Field(min_length=1)] | None = None
    """Days and hours in a time zone, such as `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun UTC` or
    `22:00-06:00 UTC`. Hours that pass midnight belong to the day on which they begin."""
    risk_above: Annotated[float, Field(ge=0)] | None = None
    """The person's risk is higher than this. For a deny or hold."""
    finding: Annotated[list[Text], Field(min_length=1)] | None = None
    """Indicators, or globs of them, that have been found about the person. For a deny or hold."""
    budget: Budget | None = None
    """The person's use of the dataset is above this. For a deny or hold."""
    approvers: list[Text] = []
    """`group:NAME` or `person:SUBJECT`, who may decide a hold."""
    hold_seconds: Seconds | None = None
    """How long a held request waits, where it differs from [approvals]."""
    reason: Text = ""
    """Why; the person who asked is told."""
    next_step: str = ""
    """What the person can do about it."""


class MaskRule(Table):
    """[[masks]]: what is masked in responses, how, and for whom not."""

    id: Slug
    """Its name in verdicts and recordings."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """Column names or classes."""
    path: Text | None = None
    """JSONPath, where no column says it."""
    service: Annotated[list[Text], Field(min_length=1)] | None = None
    """Services; all when left out."""
    dataset: Annotated[list[Text], Field(min_length=1)] | None = None
    """Dataset names or globs; all when left out."""
    method: Method
    """`null`, `redact`, `hmac` (a keyed pseudonym: joins survive) or `last4`; the strictest wins, in this order."""
    unless: list[Text] = []
    """Who sees it unmasked, written like a rule's `who`; each such read is recorded."""
    predicates: Literal["refuse", "allow"] = "refuse"
    """Whether statements may filter, join or sort by what is masked. That gives it away one guess at a time."""


class Approvals(Table):
    """[approvals]: how long held requests wait and how long a yes is good for."""

    hold_seconds: Seconds = 20.0
    """How long a held request waits on its connection before it is refused with a way to retry."""
    pending_seconds: Seconds = 600.0
    """How long an approver has to decide."""
    grant_seconds: Seconds = 900.0
    """How long a grant may be redeemed by a retry."""
    max_pending: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """How many requests may be pending in all."""
    max_pending_per_person: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many of one person."""


class Recording(Table):
    """[recording]: how exchanges are kept."""

    durability: Literal["strict", "group"] = "strict"
    """`strict`: on the disk (fdatasync) before bytes move. `group`: written before, synced within `sync_seconds`."""
    sync_seconds: Seconds = 1.0
    """With `group`: how long a record may be written and not yet synced."""
    segment_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 32)] = 64 << 20
    """A new file is begun when one has grown to this size,"""
    segment_seconds: Seconds = 3600.0
    """or to this age."""
    secret_query: list[Text] = []
    """Further query parameters whose values are never recorded."""


class Console(Table):
    """[console]: the approvers' side, its own process on its own port."""

    listen: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$")] = "127.0.0.1:8090"
    """Address and port of the console."""


class Settings(Table):
    """policy.toml as a whole."""

    gateway: Gateway = Gateway()
    identity: Identity
    dialects: dict[Slug, Dialect] = {}
    services: dict[Slug, Service] = {}
    datasets: dict[Slug, Dataset] = {}
    jobs: dict[Slug, Job] = {}
    rules: list[Rule] = []
    masks: list[MaskRule] = []
    approvals: Approvals = Approvals()
    recording: Recording = Recording()
    console: Console = Console()
