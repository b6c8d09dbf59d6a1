"""What a person really received: by dataset, the columns (clear or masked), rows, distinct subjects, and since when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluicegate.detection import bodies
from sluicegate.recording.recorded import Recorded
from sluicegate_replay.detecting import recorded_findings

_SENT = frozenset({"taint", "canary"})
_LIMIT = 64 << 20
"""Decoded bytes of a response up to which its rows are told apart."""


@dataclass(slots=True)
class Taken:
    """What was received of one dataset."""

    exchanges: int = 0
    rows: int = 0
    bytes: int = 0
    first: float = 0.0
    last: float = 0.0
    clear: set[str] = field(default_factory=set)
    masked: set[str] = field(default_factory=set)
    chunks: set[str] = field(default_factory=set)
    subjects: set[int] = field(default_factory=set)
    """Keys of the different rows, by their first column."""
    unread: int = 0
    """Responses whose rows could not be told apart."""

    def add(self, item: Recorded, dataset: str) -> None:
        """One more exchange that was answered."""
        exposure = item.table("exposure")
        columns = exposure.get("columns")
        for name, word in columns.items() if isinstance(columns, dict) else ():
            (self.clear if word == "clear" else self.masked).add(str(name))
        rows = exposure.get("rows")
        self.rows += rows if isinstance(rows, int) else 0
        self.exchanges += 1
        self.first = min(self.first or item.started, item.started)
        self.last = max(self.last, item.started)
        chunks = item.table("operation").get("chunks")
        self.chunks.update(map(str, chunks) if isinstance(chunks, list | tuple) else ())
        response = item.response
        if item.messages:
            body, coding, media = item.messages[-1].content, "", _MESSAGE
        elif response is not None and response.body:
            body, coding, media = response.body, response.header("content-encoding"), response.header("content-type")
        else:
            return
        self.bytes += len(body)
        found = set(bodies.row_keys(body, coding, media, dataset, _LIMIT))
        self.subjects |= found
        self.unread += bool(rows) and not found

    def plain(self) -> dict[str, Any]:
        """As JSON says it. A column that was ever received in clear is listed as clear."""
        return {
            "exchanges": self.exchanges, "rows": self.rows, "bytes": self.bytes, "first": self.first, "last": self.last,
            "clear": sorted(self.clear), "masked": sorted(self.masked - self.clear), "chunks": len(self.chunks),
            "distinct_subjects": len(self.subjects), "responses_not_told_apart": self.unread,
        }  # fmt: skip


@dataclass(slots=True)
class Exposed:
    """All of it, for one person."""

    datasets: dict[str, Taken] = field(default_factory=dict)
    seen_again: list[dict[str, object]] = field(default_factory=list)
    """Findings that say that values were sent elsewhere."""

    def add(self, item: Recorded) -> None:
        """One exchange of the person."""
        self.seen_again += [one for one in recorded_findings(item) if one["indicator"] in _SENT]
        if item.text("refusal") or not _handed_over(item):
            return
        dataset = item.text("dataset")
        if dataset:
            self.datasets.setdefault(dataset, Taken()).add(item, dataset)


_MESSAGE = "application/json"
"""Messages of WebSockets have no type; what is no JSON has no rows that can be told apart."""


def _handed_over(item: Recorded) -> bool:
    """Whether it is an answer, or a message from the service; the end of a WebSocket sums up what its messages are."""
    if item.messages:
        return not item.messages[-1].from_client and not item.messages[-1].dropped
    return item.status is not None and 200 <= item.status < 300
