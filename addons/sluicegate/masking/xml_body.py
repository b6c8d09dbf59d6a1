"""XML 1.0: elements and attributes are columns by their local names. Written anew; comments and instructions go.

Expat reads it. A document type declaration is refused, so that no entity but the five of XML can be in it: without one
there is nothing that expands, and nothing outside that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.names import normal
from sluicegate.masking.rules import Plan
from sluicegate.masking.tabular import owed_by_name
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

_MOST = 2_000_000  # elements


def mask_xml(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked document. Raises Unfit."""
    writer = _Writer(plan, tally)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(plain, True)
    except expat.ExpatError:
        raise Unfit("its body is not well-formed XML") from None
    return writer.done()


def _refuse(*_: object) -> None:
    raise Unfit("its XML declares a document type")


class _Writer:
    """Writes what is read, and knows whether it is inside a masked element."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._named = owed_by_name(plan)
        self._plan = plan
        self._tally = tally
        self._walk = Walk(plan, 0)
        self._texts: list[str] = []
        self._places: list[int] = []
        self._names: list[str] = []
        self._out: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>']
        self._open: list[str] = []
        self._hidden = 0  # how many elements deep inside a masked one
        self._inside: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) > MAX_DEPTH or self._count > _MOST:
            raise Unfit("its XML is nested too deeply, or has too many elements")
        self._open.append(name)
        if self._hidden:
            self._hidden += 1
            return
        shown = "".join(f" {key}={quoteattr(self._attribute(key, value))}" for key, value in attributes.items())
        self._out.append(f"<{name}{shown}>")
        masked = self._owes(name) is not None
        self._tally.column(_local(name), masked)
        if masked:
            self._hidden, self._inside = 1, []

    def end(self, name: str) -> None:
        self._open.pop()
        if self._hidden > 1:
            self._hidden -= 1
            return
        if self._hidden:
            self._hidden = 0
            self._out.append(escape(self._masked(name, "".join(self._inside))))
        self._out.append(f"</{name}>")

    def text(self, data: str) -> None:
        if self._hidden:
            self._inside.append(data)
            return
        self._places.append(len(self._out))
        self._texts.append(self._nested(data))
        self._names.append(_local(self._open[-1]))
        self._out.append("")

    def done(self) -> bytes:
        """All of it. Texts are looked at together."""
        content: Content | None = self._plan.content
        made: list[Any] | None = None
        if content is not None:
            for place in content.cut(self._texts):
                pair = content.across(self._texts[place], self._texts[place + 1], self._tally.counts)
                self._texts[place : place + 2] = pair
            made = content.texts(self._texts, self._names, self._tally.counts, ends=lambda _: (True, True))
        for place, text in zip(self._places, self._texts if made is None else made, strict=True):
            self._out[place] = escape("" if text is None else str(text))
        self._tally.add(self._walk.counts)
        return "".join(self._out).encode()

    def _attribute(self, key: str, value: str) -> str:
        if self._owes(key) is not None:
            self._tally.column(_local(key), True)
            return self._masked(key, value)
        content = self._plan.content
        made = content.texts([value], _local(key), self._tally.counts) if content is not None else None
        return self._nested(value if made is None else str(made[0] or ""))

    def _nested(self, text: str) -> str:
        found = self._walk.value(text, self._plan.start, 0, "")
        return found if isinstance(found, str) else text

    def _owes(self, name: str) -> Any:
        return self._named.get(normal(_local(name)))

    def _masked(self, name: str, text: str) -> str:
        hit = self._plan.hit(self._owes(name), _local(name))
        self._tally.hit(hit, 1)
        (masked,) = hit.apply([text])
        return "" if masked is None else str(masked)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
