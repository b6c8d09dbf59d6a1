"""Reads a filter expression: `~m POST & ~u chunks`, `!(~c 200 | ~c 204)`, `customers`.

`!` binds tightest, then `&`, then `|`; expressions side by side must all hold. A pattern is a word or in quotes, and a
pattern alone is one for the URL. Patterns are regular expressions in any case, as in mitmproxy.
"""

from __future__ import annotations

import re

from sluicegate_replay.filters.tree import Atom, Every, Node, Not, Some

PLAIN = frozenset(
    "a e http marked replay replayq replays q s tcp udp dns websocket all".split()  # noqa: SIM905
)
"""Codes that stand alone."""
_BYTES = {"b": re.DOTALL, "bq": re.DOTALL, "bs": re.DOTALL, "m": 0}
_BYTES |= {"t": 0, "tq": 0, "ts": 0, "h": re.MULTILINE, "hq": re.MULTILINE, "hs": re.MULTILINE}
_TEXT = {"d": 0, "u": 0, "src": 0, "dst": 0, "meta": re.MULTILINE, "marker": 0, "comment": re.MULTILINE}
CODES = PLAIN | _BYTES.keys() | _TEXT.keys() | {"c"}
MAX_EXPRESSION = 4096
_DEPTH = 50
_WORD = re.compile(r"[^()~'\"\s]+")
_CODE = re.compile(r"~([a-z]+)")
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\\n])*)\1""")
_WHITE = {"t": "\t", "n": "\n", "f": "\f", "r": "\r"}


class FilterError(ValueError):
    """An expression that is none; the text says where and why."""


def parse(text: str) -> Node:
    """The tree of an expression. Raises FilterError."""
    if len(text) > MAX_EXPRESSION:
        raise FilterError("it is too long")
    parser = _Parser(text)
    parts = []
    while not parser.at_end():
        parts.append(parser.either(0))
    if not parts:
        raise FilterError("it is empty")
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def at_end(self) -> bool:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1
        return self.place == len(self.text)

    def either(self, depth: int) -> Node:
        parts = [self.both(depth)]
        while self.sign("|"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def both(self, depth: int) -> Node:
        parts = [self.single(depth)]
        while self.sign("&"):
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def single(self, depth: int) -> Node:
        if depth > _DEPTH:
            raise self.wrong("it is nested too deeply")
        if self.sign("!"):
            return Not(self.single(depth + 1))
        if self.sign("("):
            inner = self.either(depth + 1)
            if not self.sign(")"):
                raise self.wrong("a bracket is not closed")
            return inner
        return self.atom()

    def atom(self) -> Atom:
        if self.at_end():
            raise self.wrong("something is missing at its end")
        match = _CODE.match(self.text, self.place)
        if match is None:
            return _made("u", self.pattern())
        code = match[1]
        if code not in CODES:
            raise self.wrong(f"~{code} is not known")
        self.place = match.end()
        if code in PLAIN:
            return Atom(code)
        pattern = self.pattern()
        if code == "c":
            if not (pattern.isascii() and pattern.isdigit()):
                raise self.wrong("~c needs a number")
            return Atom(code, number=int(pattern[:9]))
        return _made(code, pattern)

    def pattern(self) -> str:
        if self.at_end():
            raise self.wrong("a pattern is missing at its end")
        if quoted := _QUOTED.match(self.text, self.place):
            self.place = quoted.end()
            return re.sub(r"\\(.)", lambda found: _WHITE.get(found[1], found[1]), quoted[2])
        word = _WORD.match(self.text, self.place)
        if word is None:
            raise self.wrong("a pattern is missing")
        self.place = word.end()
        return word[0]

    def sign(self, sign: str) -> bool:
        found = not self.at_end() and self.text[self.place] == sign
        self.place += found
        return found

    def wrong(self, why: str) -> FilterError:
        return FilterError(f"{why} (at character {self.place + 1})")


def _made(code: str, pattern: str) -> Atom:
    try:
        if code in _BYTES:
            return Atom(code, re.compile(pattern.encode(), _BYTES[code] | re.IGNORECASE))
        return Atom(code, re.compile(pattern, _TEXT[code] | re.IGNORECASE))
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise FilterError(f"{pattern!r} is not a regular expression: {error}") from None
