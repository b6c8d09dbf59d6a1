"""Detectors at work: which masks want what, the texts they are in, and what is left of those."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import batched, pairwise
from typing import Any

from sluicegate.exchange import Obligation
from sluicegate.mask_method import Detector
from sluicegate.masking.detectors import Look, Span, borders, find, first_pass, hidden, written
from sluicegate.masking.detectors.first_pass import Clue, FirstPass
from sluicegate.masking.detectors.spans import Finder
from sluicegate.masking.detectors.table import FINDERS
from sluicegate.masking.detectors.written import Suspect, Written
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import serialise
from sluicegate.masking.methods import REDACTED, Action

__all__ = ["Content", "Counts", "warm"]

Counts = dict[Hit, int]
Ends = Callable[[int], tuple[bool, bool]]
"""Whether the beginning and the end of the text at a place may have been cut."""

_WHOLE = 0.8
_EDGE = 64
"""Characters at the ends of neighbouring texts that are read as one."""
_SOME = 256
"""Texts that are looked at together."""

_BLANK = re.compile(r"\s")
_BROKEN = re.compile(r"[0-9A-Z-][ \t\r]?\n[0-9A-Z]")
_UNSEEN = re.compile(rb"\\(?:u00|[bf])|\x7f")
"""Control characters as they are written in JSON: what stands before and behind them is read as one."""
_PROVED: frozenset[Detector] = frozenset(("card", "iban"))
_NUMBERS: frozenset[Detector] = frozenset(("national-id", "phone"))
_CUT_TEXTS = frozenset(("text", "content", "page_content", "chunk", "passage", "body", "raw_text"))
"""Keys whose values are pieces of a larger text, in lower case; texts with blanks may be that anywhere."""


def _outside(cut: Sequence[Span], found: Sequence[Span], text: str) -> set[Span]:
    """Parts without the whole values in them, which leave as their mask says; and without what is too short beside
    those.
    """
    left: set[Span] = set()
    for span in cut:
        inside = [other for other in found if other.end > span.start and other.start < span.end]
        if not inside:
            left.add(span)
            continue
        edges = [span.start, *(edge for other in inside for edge in (other.start, other.end)), span.end]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if start < end and borders.says_something(text[start:end]):
                left.add(Span(start, end, span.detector))
    return left


def _strings(made: Sequence[Any]) -> list[str | None]:
    return [text if isinstance(text, str) else None for text in made]


def _joins(sign: str) -> bool:
    return sign.isalnum() or sign in "-.@ _+"


def _end(text: str) -> tuple[str, str]:
    """The end of a text as it goes on in the next one, and the line break that stands between them."""
    plain = text.rstrip(" \t\r\n") if text.endswith("\n") else text
    return plain[-_EDGE:], text[len(plain) :]


def warm() -> None:
    """Compile the patterns of all detectors, which takes a second, before anybody waits for them."""
    first_pass.warm()
    written.warm()


class Content:
    """The detectors of a plan, each with the strictest mask that wants what it finds."""

    def __init__(self, obligations: Sequence[Obligation], hit: Callable[[Action, str], Hit]) -> None:
        self._actions: dict[Detector, Action] = {}
        regions: dict[Detector, set[str] | None] = {}
        for owed in obligations:
            action = Action.of(owed.mask, owed.method, owed.manner)
            for name in owed.detect:
                self._actions[name] = min(action, self._actions.get(name, action))
                wanted, known = set(owed.manner.regions), regions.get(name, set())
                regions[name] = None if known is None or not wanted else known | wanted  # none means all of them
        self.hits = {name: hit(action, name) for name, action in self._actions.items()}
        self._finders: list[tuple[Detector, Finder, tuple[str, ...]]] = [
            (name, FINDERS[name], tuple(sorted(regions.get(name) or ()))) for name in sorted(self._actions)
        ]
        self._first = FirstPass(self._actions)
        self._parts = frozenset(name for owed in obligations if owed.manner.borders for name in owed.detect)
        """What is looked for in parts too, at the ends of texts that were cut."""
        self._written = Written(self._actions)

    def texts(
        self, texts: Sequence[str], name: str | Sequence[str], counts: Counts, *, ends: Ends | None = None
    ) -> list[Any] | None:
        """The texts as they may leave, or None where they stay as they are. `name` is the key of all, or of each.

        `ends`: which ends of a text may have been cut, so that a part of a value may stand there.
        """
        whole = self._mended(texts, counts)
        made: list[Any] | None = None if whole is texts else list(whole)
        texts = whole
        found = self._first.suspects(texts)
        cut = ends if self._parts else None
        for place in sorted(found) if cut is None else range(len(texts)):
            key = name if isinstance(name, str) else name[place]
            parts = [] if cut is None else self._parts_of(texts[place], key, *cut(place))
            if not parts and place not in found:
                continue
            new = self._masked(texts[place], key, found.get(place, ()), counts, parts)
            if new is not texts[place]:
                made = list(texts) if made is None else made
                made[place] = new
        for place, text in enumerate(texts):
            if hidden.is_plain(text) or (plain := hidden.plain_form(text)) == text:
                continue
            now = text if made is None else made[place]
            plain = plain if now is text else hidden.plain_form(now) if isinstance(now, str) else ""
            new = self._masked(plain, name if isinstance(name, str) else name[place], None, counts)
            if new is not plain:  # else it leaves in its own letters
                made = list(texts) if made is None else made
                made[place] = new
        coded: dict[int, list[Span]] = {}
        now = texts if made is None else _strings(made)
        for place, start, end, inner in hidden.candidates(now):
            part = (start, end) != (0, len(now[place] or ""))
            if (part or now[place] is texts[place]) and (spans := self._spans(inner, "", None)):
                coded.setdefault(place, []).append(Span(start, end, spans[0].detector))
        for place, found_here in coded.items():
            made = list(texts) if made is None else made
            made[place] = self._without(made[place], self._together(found_here), counts)
        return made

    def _without(self, text: str, coded: Iterable[Span], counts: Counts) -> Any:
        """The text with what is encoded in it masked, which cannot be put back bit by bit: each goes as a whole."""
        parts, done = [], 0
        for start, end, detector in coded:
            new = self._replaced(detector, text[start:end], counts)
            if new is None or (start == 0 and end == len(text)):
                return new
            parts += [text[done:start], str(new)]
            done = end
        return "".join((*parts, text[done:]))

    def _mended(self, texts: Sequence[str], counts: Counts) -> Sequence[str]:
        """The texts without the values that a line break cuts, as it comes about where lines have a greatest length."""
        made: list[str] | None = None
        for place, text in enumerate(texts):
            if "\n" not in text or _BROKEN.search(text) is None:
                continue
            lines = text.split("\n")
            lines[:-1] = [line + "\n" for line in lines[:-1]]
            before = sum(counts.values())
            for at in self.cut(lines):
                lines[at], lines[at + 1] = self.across(lines[at], lines[at + 1], counts)
            if sum(counts.values()) != before:
                made = list(texts) if made is None else made
                made[place] = "".join(lines)
        return texts if made is None else made

    def cut(self, texts: Sequence[Any]) -> list[int]:
        """The places of texts whose end may, with the beginning of the next one, be a value."""
        pairs = [
            _end(one)[0] + other[:_EDGE] if type(one) is str and type(other) is str and one and other else ""
            for one, other in pairwise(texts)
        ]
        return sorted(self._first.suspects(pairs))

    def goes_on(self, text: str) -> bool:
        """Whether the end of a text may be the beginning of a value that goes on in the next one."""
        end, _ = _end(text)
        return bool(end) and _joins(end[-1])

    def crosses(self, texts: list[Any]) -> bool:
        """Whether a value goes on from one of the texts in the next."""
        if {str}.issuperset(map(type, texts)):
            pairs = [one[-_EDGE:] + other[:_EDGE] for one, other in pairwise(texts)]
            if not self._written.any(serialise(pairs)):
                return False
        return any(self._crossing(texts[place], texts[place + 1]) for place in self.cut(texts))

    def across(self, one: Any, other: Any, counts: Counts) -> tuple[Any, Any]:
        """Two neighbouring texts, where one may end with the beginning of a value, and the other go on with it."""
        span = self._crossing(one, other)
        if span is None:
            return one, other
        mask = self.hits[span.detector]
        counts[mask] = counts.get(mask, 0) + 1
        mask.apply([REDACTED])  # for those that refuse; each side alone shows too much, whatever the method
        left, broken = _end(one)
        front = one[: len(one) - len(broken) - len(left) + span.start]
        return front + REDACTED + broken, REDACTED + other[span.end - len(left) :]

    def _crossing(self, one: Any, other: Any) -> Span | None:
        """A value that begins in one text and goes on in the other; it is told from where the end of the one begins."""
        if not isinstance(one, str) or not isinstance(other, str) or not one or not other:
            return None
        left, broken = _end(one)
        right = other[:_EDGE]
        if not self.goes_on(left) or not _joins(right[0]):
            return None
        border = len(left)
        spans = [span for span in self._spans(left + right, "", None) if span.start < border < span.end]
        if broken:  # lines of a table are no values; what a check digit or a sign proves is one
            told = _PROVED | _NUMBERS if left[-1] == "-" else _PROVED
            spans = [s for s in spans if s.detector in (told | _NUMBERS if left[s.start] == "+" else told)]
        # A value that is nearly whole on one side needs nothing of the other: two texts of their own, most likely.
        ends = [span for span in self._spans(left, "", None) if span.end == border]
        begins = [span for span in self._spans(right, "", None) if span.start == 0]
        if ends and begins and ends[0].detector == begins[0].detector == "email":
            return None  # the one ends with an address, and the other begins with one
        whole = ends + begins
        for span in spans:
            if not any(
                s.detector == span.detector and s.end - s.start > _WHOLE * (span.end - span.start) for s in whole
            ):
                return span
        return None

    def blocks(self, text: str, counts: Counts, *, first: bool = False) -> str:
        """The text with what goes over many lines masked: private keys. `first`: it may begin within one."""
        if first and "private-key" in self._parts:
            for span in borders.fragments(text, ("private-key",)):
                hit = self.hits["private-key"]
                counts[hit] = counts.get(hit, 0) + 1
                text = REDACTED + text[span.end :]
        if "private-key" not in self._actions or ("PRIVATE KEY" not in text and "PuTTY-User-Key-File" not in text):
            return text
        found = self._masked(text, "", [("private-key", "")], counts)
        return REDACTED if found is None else str(found)

    def looks_for(self, detector: Detector) -> bool:
        """Whether any mask wants what a detector finds."""
        return detector in self._actions

    def empties(self, detector: Detector) -> bool:
        """Whether the mask for what a detector finds leaves nothing in its place, so that the whole text goes."""
        return detector in self._actions and self._actions[detector].method in ("null", "drop")

    def suspicious(self, data: bytes) -> bool:
        """Whether anything may be in a text in UTF-8, what is encoded or in other letters than ASCII apart."""
        return bool(self._parts) or self._first.any(data)

    @property
    def provable(self) -> bool:
        """Whether `clean` can say anything: parts of values have no form that a text can be proven not to have."""
        return not self._parts

    def clean(self, written: bytes, keys: Iterable[str]) -> bool:
        """Whether it is certain that nothing is in any text, key or number of a JSON object or array, read one by one.

        `written` is how we write it; `keys` are all of its keys.
        """
        if _UNSEEN.search(written) or self._found([Suspect(key, "") for key in keys]) or not self._clean(written):
            return False
        if written.isascii() or (plain := hidden.plain_form(text := written.decode())) == text:
            return True
        # Signs that look like a quote or a backslash would make another document of it.
        alike = all(plain.count(sign) == text.count(sign) for sign in '"\\')
        return alike and self._clean(plain.encode())

    def _clean(self, written: bytes) -> bool:
        # A document with findings mostly has one among the first, and then nobody needs to look at the rest of it.
        for some in batched(self._written.suspects(written), _SOME):
            if None in some or self._found(list({one for one in some if one is not None})):
                return False
        return True

    def _found(self, suspects: list[Suspect]) -> bool:
        texts = [suspect.text for suspect in suspects]
        if any("\n" in text and _BROKEN.search(text) for text in texts):
            return True
        found = self._first.suspects(texts)
        if any(self._spans(texts[place], suspects[place].key, clues) for place, clues in found.items()):
            return True
        if any(self._spans(hidden.plain_form(text), "", None) for text in texts if not hidden.is_plain(text)):
            return True
        return any(self._spans(coded.inner, "", None) for coded in hidden.candidates(texts))

    def found(self, text: str) -> Detector | None:
        """The first thing that is found in a text, what is encoded in it too."""
        inner = [text, hidden.plain_form(text), *(coded.inner for coded in hidden.candidates([text]))]
        spans = [span for each in inner for span in self._spans(each, "", None)]
        return spans[0].detector if spans else None

    def _spans(self, text: str, name: str, clues: Iterable[Clue] | None) -> list[Span]:
        if clues is None:
            clues = self._first.suspects([text]).get(0, ())
        kinds: dict[Detector, set[str]] = {}
        for detector, kind in clues:
            kinds.setdefault(detector, set()).add(kind)
        spans: list[Span] = []
        for detector, finder, regions in self._finders:
            if detector in kinds:
                spans += find(Look(text, name, regions, frozenset(kinds[detector])), [(detector, finder)])
        return self._together(spans)

    def _together(self, spans: list[Span]) -> list[Span]:
        """Spans that overlap are one, of the strictest mask among them."""
        kept: list[Span] = []
        for span in sorted(spans):
            if kept and span.start < kept[-1].end:
                last = kept[-1]
                strictest = min(last.detector, span.detector, key=lambda name: self._actions[name])
                kept[-1] = Span(last.start, max(last.end, span.end), strictest)
            else:
                kept.append(span)
        return kept

    def _parts_of(self, text: str, name: str, first: bool, last: bool) -> list[Span]:
        """What may be parts of values at the ends of a text that may have been cut there."""
        if not (first or last) or (not _BLANK.search(text) and name.lower() not in _CUT_TEXTS):
            return []
        found = borders.fragments(text, self._parts)
        return [s for s in found if (first and s.start == 0) or (last and s.end == len(text))]

    def _masked(
        self, text: str, name: str, clues: Iterable[Clue] | None, counts: Counts, cut: Sequence[Span] = ()
    ) -> Any:
        spans = self._spans(text, name, clues)
        if not spans and not cut:
            return text
        parts, done = [], 0
        rest = _outside(self._together(list(cut)), spans, text)
        for span in sorted([*spans, *rest]) if rest else spans:
            if span in rest:
                # Each side shows too much, whatever the method; and what may be a part refuses nothing.
                counts[self.hits[span.detector]] = counts.get(self.hits[span.detector], 0) + 1
                new: Any = REDACTED
            else:
                new = self._replaced(span.detector, text[span.start : span.end], counts)
            if new is None:
                return None  # null is no part of a text
            parts += [text[done : span.start], str(new)]
            done = span.end
        return "".join((*parts, text[done:]))

    def _replaced(self, detector: Detector, value: str, counts: Counts) -> Any:
        mask = self.hits[detector]
        counts[mask] = counts.get(mask, 0) + 1
        return mask.apply([value])[0]
