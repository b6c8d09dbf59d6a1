"""What of an XML document may leave, written anew while it is read: tags at once, texts when all of them is here.

Detectors look at neighbouring texts as one: the last one waits for the next, and so does what is behind it.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from sluicegate.masking import nested
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import MAX_DEPTH, Unfit, parse
from sluicegate.masking.methods import Action
from sluicegate.masking.owed import action_of
from sluicegate.masking.rules import Plan
from sluicegate.masking.tabular import MAX_COLUMNS, owed_by_name
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

FAR = 64 << 10
"""Characters of tags behind which a text is no neighbour any more."""

_LONGEST_NAME = 4096
_RETURN = {"\r": "&#13;"}  # as it is written, readers take it for a line feed
_MARKUP = re.compile(r"[&<>\r]")
_QUALIFIED = re.compile(r"[^:]+:[^:]+")  # else each reader takes another part of it for the name
_QUOTABLE = re.compile(r"[&<>\"\r\n\t]")


class _Name:
    """A name of elements and attributes: its local part, what becomes of the values under it, and how its tags look."""

    __slots__ = ("closing", "hit", "local", "met", "opening")

    def __init__(self, name: str, local: str, hit: Hit | None) -> None:
        self.local = local
        self.hit = hit
        self.opening = f"<{name}>"
        self.closing = f"</{name}>"
        self.met = False
        """Whether an element with it was met, and counted as a column."""


class _Text(NamedTuple):
    """A text that detectors look at: where it goes in what leaves, what it is, and what is before it."""

    place: int
    text: str
    name: str
    far: bool
    """Whether the text before it is too far away to be its neighbour."""
    beside: bool
    """Whether nothing but tags stands between the two; else it is blanks too."""


class XmlWriter:
    """Is told what is read, and knows whether it is inside a masked element. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally, longest: int | None) -> None:
        """`longest`: characters of a text that wait for its end; None where all of it is here anyway."""
        self._owed = owed_by_name(plan)
        self._plan = plan
        self._content = plan.content
        self._tally = tally
        self._longest = longest
        self._walk = Walk(plan, 0)
        self._walk.counts = tally.counts
        self._known: dict[str, _Name] = {}
        self._out: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>']
        self._open: list[_Name] = []
        self._hidden = 0  # how many elements deep inside a masked one
        self._run: list[str] = []
        """The text that has not come to its end: that of a masked element, or of what is between two tags."""
        self._length = 0
        self._begins = ""
        """How it begins, blanks apart."""
        self._texts: list[_Text] = []
        self._now: list[str] = []
        """The same texts, with what their neighbours took of them."""
        self._attributes: list[tuple[int, str, str]] = []
        self._gap = 0
        self._blank = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if len(self._open) > MAX_DEPTH:
            raise Unfit("its XML is nested too deeply")
        element = self._known.get(name) or self._name(name)
        if self._hidden:
            self._open.append(element)
            self._hidden += 1
            return
        if self._run or self._begins:
            self._settle()
        self._open.append(element)
        if attributes:
            self._tag(element.opening[:-1])
            for key, value in attributes.items():
                self._attribute(key, value, element.hit)
            self._tag(">")
        else:
            self._tag(element.opening)
        if not element.met:
            element.met = True
            self._tally.column(element.local, element.hit is not None)
        self._hidden = int(element.hit is not None)

    def end(self, _name: str) -> None:
        """An element ends."""
        if self._hidden > 1:
            self._open.pop()
            self._hidden -= 1
            return
        if self._hidden:
            self._hidden = 0
            hit = self._open[-1].hit
            assert hit is not None
            self._tag(_escaped(self._masked(hit, self._taken())))
        elif self._run or self._begins:
            self._settle()
        self._tag(self._open.pop().closing)

    def text(self, data: str) -> None:
        """The next part of a text."""
        if self._content is None and not self._hidden:
            self._begins = self._begins or nested.strip(data)[:1]
            if self._begins and self._begins not in nested.BEGINNINGS:  # nothing is in it
                self._out.append(_escaped("".join((*self._run, data))))
                self._run, self._length = [], 0
                return
        self._run.append(data)
        self._length += len(data)
        if self._longest is not None and self._length > self._longest:
            raise Unfit("one of its texts is too long")

    def take(self, *, final: bool = False) -> bytes:
        """What may leave of what was read. `final`: nothing more comes."""
        ready = len(self._out) if self._content is None else self._looked(final)
        out, self._out = "".join(self._out[:ready]), self._out[ready:]
        return out.encode()

    def _tag(self, written: str) -> None:
        self._out.append(written)
        self._gap += len(written)

    def _taken(self) -> str:
        text, self._run, self._length, self._begins = "".join(self._run), [], 0, ""
        return text

    def _settle(self) -> None:
        """The text between two tags has come to its end."""
        text = self._taken()
        if not text:
            return
        if self._content is None or text.isspace():
            self._tag(_escaped(self._nested(text)))
            self._blank = True
            return
        name = self._open[-1].local
        self._texts.append(_Text(len(self._out), self._nested(text), name, self._gap > FAR, not self._blank))
        self._out.append("")
        self._gap, self._blank = 0, False

    def _attribute(self, key: str, value: str, around: Hit | None) -> None:
        """`around`: the mask on its element, which wants all that is under that name. Name spaces are no values."""
        name = self._name(key)
        self._tag(f" {key}=")
        if name.hit is not None:
            self._tally.column(name.local, True)
        both = (name.hit, around if key != "xmlns" and not key.startswith("xmlns:") else None)
        hit = min((hit for hit in both if hit is not None), key=_action, default=None)
        if hit is not None:
            self._tag(_quoted(self._masked(hit, value)))
        elif self._content is None:
            self._tag(_quoted(self._nested(value)))
        else:
            self._attributes.append((len(self._out), name.local, value))
            self._tag("")
            self._gap += len(value)

    def _looked(self, final: bool) -> int:
        """Detectors look; how much of what was written may leave."""
        content = self._content
        assert content is not None
        self._look_at_attributes()
        before = len(self._now)
        self._now += [text.text for text in self._texts[before:]]
        texts, now, counts = self._texts, self._now, self._tally.counts
        for place in content.cut([text.text for text in texts]):
            one, other = texts[place], texts[place + 1]
            # Numbers in columns of their own are no parts of one; texts that were cut have blanks in them.
            if not other.far and (other.beside or " " in one.text or " " in other.text):
                now[place : place + 2] = content.across(now[place], now[place + 1], counts)
        waits = not final and bool(now) and self._gap <= FAR and content.goes_on(now[-1])
        done = len(texts) - waits
        names = [text.name for text in texts[:done]]
        now[:done] = map(self._inside, now[:done], names)
        made = content.texts(now[:done], names, counts, ends=lambda _: (True, True))
        for text, new in zip(texts[:done], now[:done] if made is None else made, strict=True):
            self._out[text.place] = _escaped("" if new is None else str(new))
        ready = texts[-1].place if waits else len(self._out)
        self._texts, self._now = [text._replace(place=0) for text in texts[done:]], now[done:]
        return ready

    def _look_at_attributes(self) -> None:
        attributes, self._attributes = self._attributes, []
        if not attributes or self._content is None:
            return
        values = [self._inside(value, name) for _, name, value in attributes]
        made = self._content.texts(values, [name for _, name, _ in attributes], self._tally.counts)
        for (place, _, _), value in zip(attributes, values if made is None else made, strict=True):
            self._out[place] = _quoted(self._nested("" if value is None else str(value)))

    def _inside(self, text: str, name: str) -> str:
        """The text with what detectors find in the strings of JSON in it masked: those may be written with escapes."""
        if self._content is None or nested.strip(text)[:1] not in nested.BEGINNINGS:
            return text
        (made,) = mask_content_of([text], self._content, self._tally.counts, name, apart=True)
        return "" if made is None else str(made)

    def _nested(self, text: str) -> str:
        """The text with JSON in it masked."""
        if text[:1] not in nested.OPENERS:
            return text
        self._walk.loose = False
        found = self._walk.value(text, self._plan.start, 0, "")
        if self._walk.loose and self._plan.columns and self._walk.headers.mentions(parse(nested.strip(text).encode())):
            raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
        return found if isinstance(found, str) else text

    def _name(self, name: str) -> _Name:
        known = self._known.get(name)
        if known is None:
            if len(name) > _LONGEST_NAME or len(self._known) >= MAX_COLUMNS:
                raise Unfit("it has too many names, or one that is too long")
            if ":" in name and _QUALIFIED.fullmatch(name) is None:
                raise Unfit("one of its names has a colon where no prefix ends")
            if self._content is not None and self._content.found(name) is not None:
                raise Unfit("one of its names is a value that is masked")
            local = name.rpartition(":")[2]
            action = action_of(self._owed, local)
            known = self._known[name] = _Name(name, local, None if action is None else self._plan.hit(action, local))
        return known

    def _masked(self, hit: Hit, text: str) -> str:
        self._tally.hit(hit, 1)
        (masked,) = hit.apply([text])
        return "" if masked is None else str(masked)


def _action(hit: Hit) -> Action:
    return Action.of(hit.mask, hit.method, hit.manner)


def _escaped(text: str) -> str:
    return escape(text, _RETURN) if _MARKUP.search(text) else text


def _quoted(value: str) -> str:
    return quoteattr(value) if _QUOTABLE.search(value) else f'"{value}"'
