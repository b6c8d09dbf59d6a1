"""Server-sent events (WHATWG HTML, section 9.2): the data of each event is a JSON document, masked like any other.

Comments and fields that clients ignore do not leave. Data that is no JSON leaves only where no column can be in it.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.neighbours import Neighbours
from sluicegate.masking.plain_text import mask_strings
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

_LINE = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"[\w.:+/=~-]{1,256}", re.ASCII)
_DONE = "[DONE]"
"""How services of language models end a stream."""


class _Event(NamedTuple):
    fields: tuple[tuple[str, str], ...]
    data: str | None


def mask_events(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked stream. Raises Unfit."""
    events = _events(_text(plain), plan)
    places = [place for place, event in enumerate(events) if event.data not in (None, "", _DONE)]
    said = [events[place].data or "" for place in places]
    masked = _masked(said, plan, tally)
    out: list[str] = []
    shown = dict(zip(places, masked, strict=True))
    for place, event in enumerate(events):
        out.append(_written(event, shown.get(place, event.data)))
    return "".join(out).encode()


class NeighbouringEvents:
    """Events whose data detectors look into: each waits for the next one, since a value may be cut between the two."""

    def __init__(self, plan: Plan, content: Content, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._neighbours = Neighbours(content, tally.counts)
        self._waiting: deque[_Event] = deque()

    def mask(self, block: bytes) -> bytes:
        """Those that may leave once these whole events are here. Raises Unfit."""
        out: list[str] = []
        for event in _events(_text(block), self._plan):
            if event.data in (None, "", _DONE):
                out += [*self._flushed(), _written(event, event.data)]
                continue
            try:
                document = parse((event.data or "").encode())
            except Unfit:
                out += [*self._flushed(), *self._plain(event)]
                continue
            self._waiting.append(event)
            documents = mask_documents([document], self._plan, self._tally, looked=False)
            out += self._shown(documents if self._plan.root is not None else self._neighbours.take(documents))
        return "".join(out).encode()

    def end(self) -> bytes:
        """The last of them."""
        return "".join(self._flushed()).encode()

    def _flushed(self) -> list[str]:
        return self._shown(self._neighbours.end())

    def _shown(self, documents: list[Any]) -> list[str]:
        return [_written(self._waiting.popleft(), serialise(document).decode()) for document in documents]

    def _plain(self, event: _Event) -> list[str]:
        if self._plan.columns or self._plan.paths:
            raise Unfit("the data of one of its events is not JSON")
        return [_written(event, text) for text in mask_strings([event.data or ""], self._plan, self._tally)]


def _written(event: _Event, data: str | None) -> str:
    lines = [f"{name}: {value}" for name, value in event.fields]
    if data is not None:
        lines += [f"data: {line}" for line in _LINE.split(data)]
    return "\n".join(lines) + "\n\n"


def _text(plain: bytes) -> str:
    try:
        return plain.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None


def _masked(said: list[str], plan: Plan, tally: Tally) -> list[str]:
    documents: list[Any] = []
    for text in said:
        try:
            documents.append(parse(text.encode()))
        except Unfit:
            if plan.columns or plan.paths:
                raise Unfit("the data of one of its events is not JSON") from None
            return mask_strings(said, plan, tally)
    return [serialise(document).decode() for document in mask_documents(documents, plan, tally)]


def _events(text: str, plan: Plan) -> list[_Event]:
    events: list[_Event] = []
    fields: list[tuple[str, str]] = []
    data: list[str] = []
    for line in (*_LINE.split(text), ""):
        if not line:
            if fields or data:
                events.append(_Event(tuple(fields), "\n".join(data) if data else None))
            fields, data = [], []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif (name == "retry" and value.isascii() and value.isdigit()) or (
            name in ("event", "id") and _WORD.fullmatch(value) and not _speaks(value, plan)
        ):
            fields.append((name, value))
        elif name in ("event", "id"):
            raise Unfit(f"the {name} of one of its events may carry a value")
    return events


def _speaks(value: str, plan: Plan) -> bool:
    return plan.content is not None and plan.content.found(value) is not None
