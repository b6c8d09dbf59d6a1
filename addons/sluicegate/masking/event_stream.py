"""Server-sent events (WHATWG HTML, section 9.2): the data of each event is a JSON document, masked like any other.

Comments and fields that clients ignore do not leave. Data that is no JSON leaves only where no column can be in it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.plain_text import mask_strings
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_LINE = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"[\w.:+/=~-]{1,256}", re.ASCII)
_DONE = "[DONE]"
"""How services of language models end a stream."""


class _Event(NamedTuple):
    fields: tuple[tuple[str, str], ...]
    data: str | None


def mask_events(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked stream. Raises Unfit."""
    try:
        text = plain.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    events = _events(text, plan)
    places = [place for place, event in enumerate(events) if event.data not in (None, "", _DONE)]
    said = [event.data or "" for place, event in enumerate(events) if place in set(places)]
    masked = _masked(said, plan, tally)
    out = []
    shown = dict(zip(places, masked, strict=True))
    for place, event in enumerate(events):
        lines = [f"{name}: {value}" for name, value in event.fields]
        data = shown.get(place, event.data)
        if data is not None:
            lines += [f"data: {line}" for line in _LINE.split(data)]
        out.append("\n".join(lines) + "\n\n")
    return "".join(out).encode()


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
