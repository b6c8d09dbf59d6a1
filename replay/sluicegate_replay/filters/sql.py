"""A filter expression as SQL over the catalog: exact where the catalog knows enough, else what could fit at most."""

from __future__ import annotations

import re
from collections.abc import Callable

from sluicegate_replay.filters.tree import Atom, Every, Node, Not, Some, atoms

Test = Callable[[str], bool]
_CONSTANT = {"http": "1", "all": "1"}
_CONSTANT |= dict.fromkeys(("marked", "replay", "replayq", "replays", "tcp", "udp", "dns", "websocket"), "0")
_PLAIN = {"q": "NOT {answered}", "s": "{answered}", "e": "{broken}"}
_COLUMNS = {"m": ("{method}",), "u": ("{url}",), "d": ("{host}", "{shown_host}")}
_LITERAL = re.compile(r"[A-Za-z0-9/_:=,% -]+\Z")
"""A pattern that means itself, and is the same in SQLite's LIKE but for `_` and `%`, which are escaped."""


def known(node: Node) -> bool:
    """Whether the catalog alone can answer."""
    return all(atom.code in (*_CONSTANT, *_PLAIN, *_COLUMNS, "c") for atom in atoms(node))


def where(node: Node, tests: list[Test]) -> str:
    """A condition that holds for every row that fits, with columns in braces. Tests are added to the list; the SQL
    function `fits(place, text)` calls them by their place."""
    return _bound(node, tests, upper=True)


def _bound(node: Node, tests: list[Test], *, upper: bool) -> str:
    match node:
        case Every(parts):
            return "(" + " AND ".join(_bound(part, tests, upper=upper) for part in parts) + ")"
        case Some(parts):
            return "(" + " OR ".join(_bound(part, tests, upper=upper) for part in parts) + ")"
        case Not(part):
            # What cannot be said to be false may be true, and the other way round.
            return f"NOT {_bound(part, tests, upper=not upper)}"
        case Atom():
            return _atom(node, tests) or ("1" if upper else "0")


def _atom(atom: Atom, tests: list[Test]) -> str | None:
    if atom.code in _CONSTANT:
        return _CONSTANT[atom.code]
    if atom.code in _PLAIN:
        return f"({_PLAIN[atom.code]})"
    if atom.code == "c":
        return f"({{answered}} AND coalesce({{status}}, 0) = {atom.number})"
    if atom.code not in _COLUMNS or atom.pattern is None:
        return None
    raw = atom.pattern.pattern
    pattern = raw if isinstance(raw, str) else raw.decode()
    return "(" + " OR ".join(_column(column, pattern, tests) for column in _COLUMNS[atom.code]) + ")"


def _column(column: str, pattern: str, tests: list[Test]) -> str:
    if _LITERAL.match(pattern):
        escaped = pattern.replace("_", "\\_").replace("%", "\\%")
        return f"{column} LIKE '%{escaped}%' ESCAPE '\\'"
    search = re.compile(pattern, re.IGNORECASE).search
    tests.append(lambda text: search(text) is not None)
    return f"fits({len(tests) - 1}, {column})"
