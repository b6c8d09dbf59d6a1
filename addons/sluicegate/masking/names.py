"""The normal form in which names of columns are compared, so that `SSN` and its fullwidth twin are one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UNSEEN = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10))))
"""Characters outside Cf that show nothing either (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties)."""

_AROUND = re.compile(r"[./:$@|>]")
_QUOTES = "\"'`[]() "
_LONG = 256


def normal(name: str) -> str:
    """NFKC and case folding after everything invisible is taken out; ends are stripped."""
    # Long names would fill memory if they were kept, and a service chooses how many there are.
    return _cached(name) if len(name) <= _LONG else _normal(name)


def _normal(name: str) -> str:
    # What services write before and around a column's name (`customers.ssn`, `$ssn`, `"ssn"`) is not the name.
    found = _folded(name)
    while True:
        inner = _AROUND.split(found.strip(_QUOTES))[-1].strip(_QUOTES) or found
        if inner == found:
            return found
        found = inner


def _folded(name: str) -> str:
    if name.isascii() and name.isprintable():
        return name.strip().lower()
    seen = "".join(c for c in name if c not in _UNSEEN and unicodedata.category(c) not in ("Cf", "Cc"))
    folded = unicodedata.normalize("NFKC", seen).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


_cached = lru_cache(maxsize=4096)(_normal)
