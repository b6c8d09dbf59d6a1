"""One line for each exchange: what `list` shows, and how it is chosen."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.shown import findings, masked, verdict_of

UNKNOWN = "forwarded, outcome unknown"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Line:
    """An exchange in one line. The texts are as they were recorded: escape them to show them."""

    id: str
    started: float
    who: str
    subject: str
    session: str
    service: str
    dataset: str
    kind: str
    verdict: str
    status: int | None
    rules: tuple[str, ...]
    method: str
    url: str
    masked: str
    """What was masked, in words."""
    findings: tuple[str, ...]
    """The indicators of its findings."""
    risk: float
    rows: int
    approval: str
    file: str
    offset: int
    length: int = 0
    doubtful: bool = False
    """Found behind damage, where it could be a part of something else."""

    @property
    def request(self) -> str:
        """Method and URL."""
        return f"{self.method} {self.url}"

    def values(self) -> dict[str, object]:
        """Plain values by name, from which the line can be made again."""
        return {name: getattr(self, name) for name in self.__slots__}

    def as_json(self) -> dict[str, object]:
        """The same, and method and URL in one."""
        return {**self.values(), "request": self.request}

    def is_of(self, who: str) -> bool:
        """Whether the name or the subject holds this text, in any case."""
        wanted = who.casefold()
        return wanted in self.who.casefold() or wanted in self.subject.casefold()


def line_of(item: Recorded | Intent) -> Line:
    """The line of an exchange, or of an intent without an outcome."""
    return _of_intent(item) if isinstance(item, Intent) else _of_exchange(item)


def indicators(item: Recorded) -> list[str]:
    """The indicators of its findings, each once."""
    return list(dict.fromkeys(_text(one.get("indicator")) for one in findings(item)))


def since(text: str, now: float) -> float:
    """A point in time in seconds: `30m`, `2h`, `7d` before `now`, or an ISO date or time (UTC unless it says
    otherwise). Raises ValueError."""
    if match := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return now - int(match[1]) * _UNITS[match[2]]
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _of_exchange(item: Recorded) -> Line:
    return Line(
        id=item.id,
        started=item.started,
        who=item.who,
        subject=item.text("subject"),
        session=item.text("session"),
        service=item.text("service"),
        dataset=item.text("dataset"),
        kind=item.text("kind"),
        verdict=verdict_of(item),
        status=item.status,
        rules=tuple(item.texts("rules")),
        method=item.request.line.partition(" ")[0],
        url=item.url,
        masked=masked(item),
        findings=tuple(indicators(item)),
        risk=_number(item.summary.get("risk")),
        rows=int(_number(item.table("exposure").get("rows"))),
        approval=item.text("approval"),
        file=item.file,
        offset=item.offset,
        length=item.length,
        doubtful=item.resynced,
    )


def _of_intent(item: Intent) -> Line:
    fields = item.fields
    operation = fields.get("operation")
    operation = operation if isinstance(operation, dict) else {}
    rules = fields.get("rules")
    return Line(
        id=item.id,
        started=item.time,
        who=_text(fields.get("name")) or _text(fields.get("subject")),
        subject=_text(fields.get("subject")),
        session=_text(fields.get("session")),
        service=_text(fields.get("service")),
        dataset=_text(operation.get("dataset")),
        kind=_text(operation.get("kind")),
        verdict=UNKNOWN,
        status=None,
        rules=tuple(_text(rule) for rule in rules) if isinstance(rules, list) else (),
        method=_text(fields.get("method")),
        url=f"{_text(fields.get('host'))}:{fields.get('port')}{_text(fields.get('target'))}",
        masked="",
        findings=(),
        risk=0.0,
        rows=0,
        approval=_text(fields.get("approval")),
        file=item.file,
        offset=item.offset,
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
