"""Route templates such as `GET /datasets/{dataset}/chunks/{chunk}`: compiled to segments, most specific first.

A path is cut at its slashes first and each segment is decoded after that, once. A segment that could mean something
else to the next reader (a slash, a dot segment, another escape) matches nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import unquote_to_bytes

_PLACEHOLDER = re.compile(r"^\{([a-z][a-z0-9_]{0,31})\}$")
_LITERAL = re.compile(r"^[A-Za-z0-9._~!$&'()*+,=:@-]+$")
_SIMPLE = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
"""Paths with nothing to decode and nothing to distrust."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. A segment is a literal, or None for a placeholder named in `names` at the same index.

    A slash at the end is a last literal that is empty: to a service `/a` and `/a/` may be two things.
    """

    text: str
    method: str
    literals: tuple[str | None, ...]
    names: tuple[str | None, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """From `METHOD /path`. Raises ValueError, with the reason, for what could never match or match in two ways."""
        method, _, path = text.partition(" ")
        literals: list[str | None] = []
        names: list[str | None] = []
        parts = path[1:].split("/") if path != "/" else []
        closed = len(parts) > 1 and parts[-1] == ""
        for segment in parts[:-1] if closed else parts:
            placeholder = _PLACEHOLDER.match(segment)
            if not placeholder and (not _LITERAL.match(segment) or segment in (".", "..")):
                raise ValueError(f"the segment `{segment}` is neither plain text nor one `{{name}}`")
            literals.append(None if placeholder else segment)
            names.append(placeholder.group(1) if placeholder else None)
        if closed:
            literals.append("")
            names.append(None)
        named = [name for name in names if name]
        if len(set(named)) != len(named):
            raise ValueError("a placeholder is named twice")
        return cls(text, method, tuple(literals), tuple(names))

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The values of the placeholders, or None where the segments are not of this template."""
        if len(segments) != len(self.literals):
            return None
        values = {}
        for segment, literal, name in zip(segments, self.literals, self.names, strict=True):
            if name is not None and segment:
                values[name] = segment
            elif segment != literal:
                return None
        return values

    @property
    def order(self) -> tuple[tuple[bool, ...], str]:
        """Sorts the more specific template first: a literal stands before a placeholder."""
        return tuple(literal is None for literal in self.literals), self.text


def closed_segments_of(path: str) -> tuple[str, ...] | None:
    """The same as `segments_of`, where one slash at the end is a last segment that is empty, as in templates."""
    if len(path) < 2 or not path.endswith("/"):
        return segments_of(path)
    found = segments_of(path[:-1])
    return (*found, "") if found else None


def segments_of(path: str) -> tuple[str, ...] | None:
    """The decoded segments of a path, or None where one of them is not to be trusted."""
    if path == "/":
        return ()
    if _SIMPLE.fullmatch(path):
        return tuple(path[1:].split("/"))
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        return None
    decoded = tuple(_decode(segment) for segment in path[1:].split("/"))
    return None if None in decoded else tuple(segment for segment in decoded if segment is not None)


def _decode(segment: str) -> str | None:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeError:
        return None
    if text in ("", ".", "..") or any(c in "/\\%" for c in text) or not text.isprintable():
        return None
    return text


def ambiguous(templates: Iterable[Template]) -> Iterator[tuple[Template, Template]]:
    """Pairs that match one path alike, where neither is more specific than the other everywhere."""
    for one, other in combinations(templates, 2):
        if one.method != other.method or len(one.literals) != len(other.literals):
            continue
        pairs = list(zip(one.literals, other.literals, strict=True))
        if any((a is not None and b is not None and a != b) or (a != b and "" in (a, b)) for a, b in pairs):
            continue  # no path is of both
        if any(a is None and b is not None for a, b in pairs) == any(a is not None and b is None for a, b in pairs):
            yield one, other
