"""What detection sees of an exchange: names, counts and digests. It is the same live and out of a recording."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sluicegate.exchange import OTHERS, Exchange

RETRIED = frozenset({0, 408, 425, 429, 500, 502, 503, 504})
"""Answers after which clients try again by themselves; 0 is no answer."""
UNCHANGED = 304
SAMPLE = 8
_CHUNKS = 100
_LONGEST = 500
_DENIED = frozenset({"no-rule", "policy-denied"})


@lru_cache(maxsize=32_768)
def key(*parts: str) -> int:
    """A number of 64 bits for a name made of parts."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def person(issuer: str, subject: str) -> str:
    """The name under which a person is kept: subjects are unique within an issuer only."""
    text = f"{issuer} {subject}"
    if len(text) <= _LONGEST and text.isprintable():
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Event:
    """One exchange, as it ended."""

    id: str
    at: float
    """When the request came, seconds since the epoch, UTC."""
    person: str
    groups: tuple[str, ...] = ()
    """Sorted."""
    machine: bool = False
    name: str = ""
    """The person, for people to read."""
    service: str = ""
    dataset: str | None = None
    declared: bool = False
    kind: str = "read"
    chunks: tuple[str, ...] = ()
    chunk_count: int = 0
    method: str = "GET"
    target: str = ""
    """Path and query: with the body's digest it is what is asked, where no chunk is named."""
    asked: str = ""
    """Digest of the request's body; empty where there is none."""
    destination: str | None = None
    external: bool = False
    statements: tuple[str, ...] = ()
    job: str | None = None
    status: int = 0
    refused: str = ""
    """The code of the refusal; empty where the request was answered."""
    clear: tuple[str, ...] = ()
    """Columns that left unmasked."""
    rows: int = 0
    size: int = 0
    """Bytes of the response's body."""
    sent: int = 0
    """Bytes of the request's body."""
    subjects: tuple[int, ...] = ()
    """Keys of the rows that left: of one row in `SAMPLE`, chosen by its key, so that the same is always in or out."""
    packed: bool = False
    """Whether the request's body is an archive, or is packed or encrypted."""
    others: str = ""
    """The result of somebody else's that was asked for; empty where none was."""
    rules: tuple[str, ...] = ()
    """The rules that decided a request that was refused."""
    told: tuple[tuple[str, str], ...] = ()
    """What other rooms found in this exchange: indicator and detail."""

    @property
    def taken(self) -> bool:
        """Whether something was handed over."""
        return not self.refused and 200 <= self.status < 300

    @property
    def elsewhere(self) -> bool:
        """Whether it goes to a host that is no service of ours."""
        return self.service == OTHERS

    @property
    def tried(self) -> int:
        """The key of what was refused: a mistake that is made again is the same thing, another door is another."""
        place = self.destination.partition("://")[2].partition("/")[0] if self.destination else ""
        return key("tried", self.service, self.dataset or "", self.kind, self.refused, place, *self.rules)

    def keys(self) -> tuple[int, ...]:
        """What was asked for, one key for each chunk; or one for the request, where it names none."""
        if self.chunks:
            place = self.dataset or self.service
            return tuple([key(place, chunk) for chunk in self.chunks])
        return (key(self.service, self.method, self.target, self.asked),)


def of_exchange(
    exchange: Exchange,
    *,
    status: int,
    size: int,
    sent: int,
    asked: str = "",
    subjects: tuple[int, ...] = (),
    packed: bool = False,
    own: Container[str] = frozenset(),
) -> Event | None:
    """The event of an exchange that ends; `own` are the indicators of detection. None where nobody is known to ask."""
    principal, operation = exchange.principal, exchange.operation
    if principal is None:
        return None
    exposure = exchange.exposure
    refusal = exchange.refusal if exchange.delivered is None else None  # what left before it, left
    return Event(
        exchange.id,
        exchange.started,
        person(principal.issuer, principal.subject),
        tuple(sorted(principal.groups)),
        principal.kind == "machine",
        principal.label,
        exchange.service or "",
        operation.dataset if operation else None,
        operation.declared if operation else False,
        operation.kind if operation else "unknown",
        operation.chunks[:_CHUNKS] if operation else (),
        len(operation.chunks) if operation else 0,
        exchange.method,
        exchange.target,
        asked,
        operation.destination if operation else None,
        bool(operation and operation.destination_side == "external"),
        tuple(dict.fromkeys(s for one in (operation, *operation.parts) for s in one.statements)) if operation else (),
        exchange.job,
        status,
        refusal.code if refusal else "",
        tuple([name for name, word in exposure.columns.items() if word == "clear"]) if exposure and not refusal else (),
        exposure.rows if exposure and not refusal else 0,
        0 if refusal else size,
        sent,
        () if refusal else subjects,
        packed,
        _others(operation.kind, operation.route, operation.owners, refusal.code if refusal else "")
        if operation
        else "",
        exchange.verdict.rules if refusal and exchange.verdict else (),
        tuple([(found.indicator, found.detail) for found in exchange.findings if found.indicator not in own]),
    )


def of_recorded(
    summary: Mapping[str, Any],
    *,
    status: int,
    size: int,
    sent: int,
    asked: str = "",
    subjects: tuple[int, ...] = (),
    packed: bool = False,
    own: Container[str] = frozenset(),
) -> Event | None:
    """The same out of a recording; `summary` is what the recorder wrote, `own` are the indicators of detection, which
    are found anew. None where nobody was known to ask.

    Raises KeyError, TypeError, ValueError where it is not such a thing.
    """
    if not summary.get("subject"):
        return None
    operation: Mapping[str, Any] = summary.get("operation") or {}
    refused = str(summary.get("refusal") or "") if summary.get("delivered") is None else ""
    if summary.get("weighed"):  # detection saw something else than what is on the record
        status, size, sent, keys = summary["weighed"]
        refused, subjects = "", tuple(map(int, keys))
    exposure: Mapping[str, Any] = (summary.get("exposure") or {}) if not refused else {}
    told = [
        (str(one["indicator"]), str(one["detail"]))
        for one in summary.get("findings") or ()
        if one["indicator"] not in own
    ]
    return Event(
        str(summary["id"]),
        float(summary["started"]),
        person(str(summary["issuer"]), str(summary["subject"])),
        tuple(sorted(map(str, summary.get("groups") or ()))),
        summary.get("principal_kind") == "machine",
        str(summary.get("name") or summary["subject"]),
        str(summary.get("service") or ""),
        summary.get("dataset"),
        bool(operation.get("declared", summary.get("dataset") is not None)),
        str(summary.get("kind") or "unknown"),
        tuple(map(str, operation.get("chunks") or ())),
        int(operation.get("chunk_count") or 0),
        str(summary["method"]),
        str(summary["path"]),
        asked,
        operation.get("destination"),
        operation.get("destination_side") == "external",
        tuple(map(str, operation.get("statements") or ())),
        summary.get("job"),
        status,
        refused,
        tuple([name for name, word in (exposure.get("columns") or {}).items() if word == "clear"]),
        int(exposure.get("rows") or 0),
        0 if refused else size,
        sent,
        () if refused else subjects,
        packed,
        _others(
            str(summary.get("kind") or "unknown"), str(operation.get("route") or ""), operation.get("owners"), refused
        ),
        tuple(map(str, summary.get("rules") or ())) if refused else (),
        tuple(told),
    )


def _others(kind: str, why: str, owners: object, refused: str) -> str:
    """Why it was somebody else's; empty where it was not, and where a rule lets this person have it."""
    if kind == "unknown":
        return why if "belongs to somebody else" in why else ""
    return "the result that it names belongs to somebody else" if owners and refused in _DENIED else ""
