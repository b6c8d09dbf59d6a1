"""What a search found: the exchange, and the words with what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.text import Text

from sluicegate.recording.flow_reader import read_at
from sluicegate.recording.recorded import Recorded
from sluicegate_replay.catalog.build import Progress
from sluicegate_replay.catalog.said import text_of
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.escape import moment, plain
from sluicegate_replay.rows import Line
from sluicegate_replay.showing import verdict_label
from sluicegate_replay.source import Source, is_open

_AROUND = 60
_EVERYTHING = 1 << 30


@dataclass(frozen=True, slots=True)
class Hit:
    """An exchange that says a text: what stands before it, the text as it stands there, and what stands behind it."""

    line: Line
    before: str
    said: str
    behind: str

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {**self.line.as_json(), "excerpt": f"{self.before}{self.said}{self.behind}"}


def hits(source: Source, lines: Iterable[Line], text: str) -> Iterator[Hit]:
    """The lines with an excerpt of their recording each."""
    pattern = _loosely(text)
    for line in lines:
        item = read_at(source.folder, line.file, line.offset)
        said = text_of(item, _EVERYTHING) if isinstance(item, Recorded) else ""
        match = _telling(pattern, said, said.find(line.url) if line.url else 0)
        if match is None:
            yield Hit(line, "", "", "")
            continue
        start, end = match.span()
        yield Hit(line, said[max(0, start - _AROUND) : start], said[start:end], said[end : end + _AROUND])


def _telling(pattern: re.Pattern[str], said: str, told: int) -> re.Match[str] | None:
    """Where the words stand behind what the line tells by itself (ids, names, rules), or else there."""
    return pattern.search(said, max(told, 0)) or pattern.search(said)


def anywhere(source: Source, text: str, chosen: Selection, progress: Progress) -> Iterator[Line]:
    """The wanted exchanges in which the very characters stand, in any case; each is read from the recordings."""
    wanted = text.casefold()
    progress.start("Looking everywhere", source.catalog.count(chosen))
    try:
        for line in source.wanted(chosen):
            if is_open(line):
                continue
            progress.step(1)
            item = read_at(source.folder, line.file, line.offset)
            if isinstance(item, Recorded) and wanted in text_of(item, _EVERYTHING).casefold():
                yield line
    finally:
        progress.stop()


def found(hit: Hit) -> Text:
    """A hit as it is shown, on two lines."""
    line = hit.line
    text = Text.assemble(
        (plain(line.id[:8]), "dim"), "  ", moment(line.started), "  ", (plain(line.who or "nobody"), "bold"), "  "
    )
    text.append_text(verdict_label(line.verdict)).append("  ").append(plain(line.request), "cyan")
    if hit.said:
        text.append("\n          … ", "dim").append(_flat(hit.before), "dim")
        text.append(_flat(hit.said), "bold yellow").append(_flat(hit.behind), "dim").append(" …", "dim")
    return text


def _flat(text: str) -> str:
    return plain(re.sub(r"\s+", " ", text))


def _loosely(text: str) -> re.Pattern[str]:
    """The words of a text, whatever stands between them."""
    words = re.findall(r"\w+", text)
    return re.compile(r"[\W_]{1,8}".join(map(re.escape, words)) if words else re.escape(text), re.IGNORECASE)
