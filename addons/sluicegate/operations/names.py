"""Names that a request may use for datasets, chunks and columns, and how lists of them are written.

A service may read a name as an expression (`ssn as id`), a list or a pattern. So a name has to be plain, or be one
that the policy declares letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sluicegate.operations.view import Unreadable

if TYPE_CHECKING:
    from sluicegate.operations.dialect import Known

MAX_NAMES = 10_000
MAX_NAME = 256
_PLAIN = re.compile(r"[\w$@:-]+(?:[./][\w$@:-]+)*")
_PLAIN_COLUMN = re.compile(r"\w+(?:\.\w+)*")
"""Columns are written more narrowly: `x:ssn`, `ssn::text`, `-ssn` and `$ssn` are `ssn` to one service or another."""
_MAX_DIGITS = 30


def plain(name: str, declared: Collection[str] = (), form: re.Pattern[str] = _PLAIN) -> str:
    """The name itself. Raises Unreadable when it is neither plain nor declared."""
    if name not in declared and (len(name) > MAX_NAME or not form.fullmatch(name)):
        raise Unreadable(f"{name[:40]!r} is not a plain name")
    return name


def columns(values: Iterable[Any], declared: Collection[str]) -> tuple[str, ...]:
    """The same for columns, and the fields inside of them that are declared by their paths."""
    return with_inner(names(values, declared, _PLAIN_COLUMN), declared)


def with_inner(found: Iterable[str], declared: Collection[str]) -> tuple[str, ...]:
    """Columns, and behind them what the policy declares inside of them: who reads `info` reads `info.ssn`."""
    found = tuple(found)
    inner = [one for one in declared if "." in one and any(one.startswith(f"{name}.") for name in found)]
    return tuple(dict.fromkeys((*found, *sorted(inner)))) if inner else found


def names(values: Iterable[Any], declared: Collection[str] = (), form: re.Pattern[str] = _PLAIN) -> tuple[str, ...]:
    """The names in selected values: strings (comma separated), numbers, lists of those. null counts as absent.

    Each name is kept once, in its first place. Raises Unreadable for anything else.
    """
    found: dict[str, None] = {}
    read = 0
    for value in values:
        for name in _split(value):
            read += 1
            found[name if name == "*" else plain(name, declared, form)] = None
            if read > MAX_NAMES:
                raise Unreadable("too many names are listed")
    return tuple(found)


def inside(path: Sequence[str], known: Known) -> tuple[str | None, bool, tuple[str, ...]]:
    """The dataset that a path names or leads into: its key, whether it is declared, and what is left of the path.

    A service that shows a table's columns below the table reads `emp/ssn` as a part of `emp`; so the longest declared
    beginning of the path is the dataset. Without one it is the whole path. Letter by letter, as such services do.
    Raises Unreadable for a name that is neither plain nor declared.
    """
    for length in range(len(path), 0, -1):
        key = known.datasets.get("/".join(path[:length]))
        if key is not None:
            return key, True, tuple(path[length:])
    return (plain("/".join(path)) if path else None), False, ()


def below(path: Sequence[str], known: Known) -> tuple[str, ...]:
    """The declared datasets that lie below a path."""
    start = "".join(f"{segment}/" for segment in path)
    return tuple(key for wire, key in known.datasets.items() if wire.startswith(start))


def table(path: Sequence[str], known: Known) -> tuple[str, bool]:
    """The dataset that a qualified table name means: its key, and whether it is declared.

    The policy may name it with fewer qualifiers (`emp` for `hr.emp`); the longest name that fits is meant. Without
    regard to case, as SQL reads names. Raises Unreadable when two datasets are named alike.
    """
    asked = tuple(part.casefold() for part in path)
    found: dict[int, set[str]] = {}
    for wire, key in known.datasets.items():
        parts = tuple(wire.casefold().split("."))
        if asked[-len(parts) :] == parts:
            found.setdefault(len(parts), set()).add(key)
    if not found:
        return ".".join(path), False
    keys = found[max(found)]
    if len(keys) > 1:
        raise Unreadable(f"{'.'.join(path)[:80]!r} may be several datasets: {', '.join(sorted(keys))}")
    return keys.pop(), True


def one(values: Iterable[Any], what: str) -> str | None:
    """The one text that was selected, or None when there is none. Raises Unreadable for several, or for no text."""
    present = [value for value in values if value is not None]
    if len(present) > 1:
        raise Unreadable(f"the request names more than one {what}")
    if not present:
        return None
    if not isinstance(present[0], str):
        raise Unreadable(f"the {what} is not a text")
    return present[0]


def _split(value: Any) -> Iterator[str]:
    if value is None or value == "":
        return
    if isinstance(value, str):
        yield from (part.strip(" ") for part in value.split(","))
    elif isinstance(value, list):
        for item in value:
            # In a list each string is one name: whether a comma in it separates is the service's secret.
            yield item if isinstance(item, str) else _digits(item)
    else:
        yield _digits(value)


def _digits(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"a {_WORDS.get(type(value), 'value')} stands where a name is expected")
    number = Decimal(value)
    if abs(number.adjusted()) > _MAX_DIGITS or len(number.as_tuple().digits) > _MAX_DIGITS:
        raise Unreadable("a number that stands for a name is out of range")
    return format(number, "f")


_WORDS = {bool: "true or false", dict: "object", list: "list", type(None): "null"}
