"""Which names a statement or filter could be reading: its words, without understanding its language.

A mask replaces values in the response; a filter on the same column would give them away one guess at a time. So a
word counts as a column wherever it stands, and a statement that can reach columns without naming them counts as
reading all of them.
"""

from __future__ import annotations

import re
import unicodedata

from sluicegate.exchange import Operation

_WORD = re.compile(r"\w+")
_OPAQUE = frozenset(
    {"select", "table", "from", "with", "join", "natural", "columns", "execute", "prepare", "call", "uescape"}
)
"""Words that reach columns without naming them, or hide their names."""
MAX_LENGTH = 64 << 10


def fold(name: str) -> str:
    """A name in the form in which columns are compared when in doubt: compatibility forms and case folded."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()


def words(statement: str) -> frozenset[str] | None:
    """The folded words of a statement; None when it may read columns that it does not name."""
    if len(statement) > MAX_LENGTH or "\\" in statement or "/*" in statement:
        return None  # escapes and comments hide words
    found = frozenset(map(fold, _WORD.findall(statement)))
    return None if found & _OPAQUE else found


def mentions(statement: str, folded: frozenset[str]) -> bool:
    """Whether a statement could be reading one of the names, which are given folded."""
    found = words(statement)
    return found is None or not folded.isdisjoint(found)


def exact(operation: Operation) -> bool:
    """Whether a statement was read to the last column: what it returns, and what it chooses rows by."""
    return operation.outputs is not None and not operation.opaque
