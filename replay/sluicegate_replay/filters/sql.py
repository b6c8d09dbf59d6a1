"""A filter expression as SQL over the catalog: exact where the catalog knows enough, else what could fit at most."""

from __future__ import annotations

import re
from collections.abc import Callable

from sluicegate_replay.filters.tree import Atom, Every, Node, Not, Some, atoms

Test = Callable[[str], bool]
_CONSTANT = {"http": "1", "all": "1"}
_CONSTANT |= dict.fromkeys(("marked", "replay", "replayq", "replays", "tcp", "udp", "dns", "websocket"), "0")
_PLAIN = {"q": "NOT {answered}", "s": "{answered}", "e": "{broken}"}
_COLUMNS = {"m": ("method",), "u": (), "d": ("host", "shown_host")}
"""The words that a pattern is for; it looks at those, and not at rows. A URL is no word: nearly each is another."""


def known(node: Node) -> bool:
    """Whether the catalog alone can answer."""
    return all(atom.code in (*_CONSTANT, *_PLAIN, *_COLUMNS, "c") for atom in atoms(node))


def where(node: Node, tests: list[Test], urls: list[Test]) -> str:
    """A condition that holds for every row that fits, with columns in braces. Tests are added to the lists: the SQL
    function `fits(place, text)` calls those of words by their place; `{url0}`, `{url1}` ... stand for those of URLs."""
    return _bound(node, tests, urls, upper=True)


def _bound(node: Node, tests: list[Test], urls: list[Test], *, upper: bool) -> str:
    match node:
        case Every(parts):
            return "(" + " AND ".join(_bound(part, tests, urls, upper=upper) for part in parts) + ")"
        case Some(parts):
            return "(" + " OR ".join(_bound(part, tests, urls, upper=upper) for part in parts) + ")"
        case Not(part):
            # What cannot be said to be false may be true, and the other way round.
            return f"NOT {_bound(part, tests, urls, upper=not upper)}"
        case Atom():
            return _atom(node, tests, urls) or ("1" if upper else "0")


def _atom(atom: Atom, tests: list[Test], urls: list[Test]) -> str | None:
    if atom.code in _CONSTANT:
        return _CONSTANT[atom.code]
    if atom.code in _PLAIN:
        return f"({_PLAIN[atom.code]})"
    if atom.code == "c":
        return f"({{answered}} AND coalesce({{status}}, 0) = {atom.number})"
    if atom.code not in _COLUMNS or atom.pattern is None:
        return None
    raw = atom.pattern.pattern
    search = re.compile(raw if isinstance(raw, str) else raw.decode(), re.IGNORECASE).search

    def test(text: str) -> bool:
        return search(text) is not None

    if atom.code == "u":
        urls.append(test)
        return f"{{url{len(urls) - 1}}}"
    tests.append(test)
    words = f"(SELECT id FROM word WHERE fits({len(tests) - 1}, value))"  # noqa: S608
    # What is empty has no word.
    parts = [f"coalesce({{{column}}} IN {words}, {int(test(''))})" for column in _COLUMNS[atom.code]]
    return "(" + " OR ".join(parts) + ")"
