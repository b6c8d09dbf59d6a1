"""The normal form in which names of columns are compared, so that `SSN` and its fullwidth twin are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from sluicegate.column_names import fits, is_glob
from sluicegate.confusables import LOOK_ALIKES

UNSEEN = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10))))
"""Characters outside Cf that show nothing either (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties)."""

_AROUND = re.compile(r"[./:$@|>]")
_INDEX = re.compile(r"(?:\[\d*\])++\Z")
"""Which element of a list it is: `phones[0]`, `phones[]`."""
_STEPS = re.compile(r"[.\[\]]+")
_MARKS = "\"'` "
_QUOTES = f"{_MARKS}[]()"
_LONG = 256


def normal(name: str) -> str:
    """NFKC and case folding after everything invisible is taken out; what looks like an ASCII letter becomes it.

    A name that is all ASCII is only compared without regard to case: `id1` and `idl` are two columns.
    """
    # Long names would fill memory if they were kept, and a service chooses how many there are.
    return _cached(name) if len(name) <= _LONG else _normal(name)


def _normal(name: str) -> str:
    # What services write before and around a column's name (`customers.ssn`, `$ssn`, `"ssn"`), and which element of
    # it is meant (`ssn[0]`), is not the name.
    found = _folded(name)
    while True:
        bare = _INDEX.sub("", found.strip(_MARKS)) or found
        inner = _AROUND.split(bare.strip(_QUOTES))[-1].strip(_QUOTES) or found
        if inner == found:
            return found
        found = inner


def levels(name: str) -> tuple[str, ...]:
    """The normal form of a name, and behind it those of what it is in, where it is a way (`address.home[0].street`)."""
    return _levels(name) if len(name) <= _LONG else _ways(name)


def _ways(name: str) -> tuple[str, ...]:
    if name.isascii() and "." not in name and "[" not in name:
        return (normal(name),)
    steps = [step for step in _STEPS.split(_INDEX.sub("", _folded(name).strip(_MARKS))) if step.strip(_QUOTES)]
    around = (normal(step) for step in steps[:-1] if not step.isdecimal())
    return tuple(dict.fromkeys((normal(name), *around)))


def _folded(name: str) -> str:
    if name.isascii() and name.isprintable():
        return name.strip().lower()
    seen = "".join(c for c in name if c not in UNSEEN and unicodedata.category(c) not in ("Cf", "Cc"))
    folded = unicodedata.normalize("NFKC", seen).casefold()
    return unicodedata.normalize("NFKC", folded).translate(LOOK_ALIKES).strip()


class Named[V](dict[str, V]):
    """What names in normal form stand for, where some of them have wildcards: of several the smallest."""

    @classmethod
    def of(cls, names: Iterable[str]) -> dict[str, Any]:
        """A plain dict where none of the names will have wildcards."""
        return cls() if any(map(is_glob, names)) else {}

    def get(self, name: str, default: Any = None) -> Any:
        """What a name stands for."""
        found = [value for own, value in self.items() if own == name or (is_glob(own) and fits(name, own))]
        return min(found) if found else default  # type: ignore[type-var]

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __getitem__(self, name: str) -> V:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return cast(V, found)


_cached = lru_cache(maxsize=4096)(_normal)
_levels = lru_cache(maxsize=4096)(_ways)
