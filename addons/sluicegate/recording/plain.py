"""Text that came off the wire, made safe to show: no terminal can be driven and no reader misled by it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Control characters of both sets, line and paragraph separators, marks that turn the direction of text, characters
# without width, tags and variation selectors, and what no terminal can print.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def plain(value: object, *, lines: bool = False) -> str:
    """The value as text, with every unsafe character as a backslash escape; `lines` keeps line feeds and tabs."""
    return _UNSAFE.sub(_kept_lines if lines else _escaped, str(value))


def moment(seconds: float) -> str:
    """A time as people read it, in UTC; a number that is no time as it is."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (ValueError, OverflowError, OSError):
        return plain(seconds)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode()


def _kept_lines(match: re.Match[str]) -> str:
    return match[0] if match[0] in "\n\t" else _escaped(match)
