"""Column names with wildcards (`*`, `?`), as masks may have them: one reading for the verdict and for the masking."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any


def is_glob(name: str) -> bool:
    """Whether a column's name has wildcards. A bracket is none: some databases write names in brackets."""
    return "*" in name or "?" in name


def fits(name: str, glob: str) -> bool:
    """Whether a name is one that the glob means. Both have to be in the same normal form."""
    return fnmatch.fnmatchcase(name, glob.replace("[", "[[]"))


class Folded(frozenset[str]):
    """Folded names of which some have wildcards: a name is in it when it is there, or when one of those means it."""

    @classmethod
    def of(cls, names: Iterable[str]) -> frozenset[str]:
        """A plain set where no name has wildcards."""
        plain = frozenset(names)
        return cls(plain) if any(map(is_glob, plain)) else plain

    def __contains__(self, name: object) -> bool:
        if frozenset.__contains__(self, name):
            return True
        return isinstance(name, str) and any(is_glob(own) and fits(name, own) for own in self)

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        """Whether none of the names is meant."""
        return not any(name in self for name in other)
