"""Whom a rule means: groups, persons, machines, and how surely it must be known who asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluicegate.exchange import Assurance, Principal

WORDS = ("group", "person", "machine", "kind")
KINDS = ("person", "machine")
STRENGTH: dict[Assurance, int] = {"network": 0, "account": 1, "bearer": 2, "bound": 3}
"""From weak to strong."""


@dataclass(frozen=True, slots=True)
class People:
    """Whom a list of `group:NAME`, `person:SUBJECT`, `machine:SUBJECT` and `kind:KIND` means."""

    groups: frozenset[str]
    persons: frozenset[str]
    machines: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> People:
        """Entries of any other form mean nobody; `problems` reports them."""
        names: dict[str, set[str]] = {word: set() for word in WORDS}
        for text in texts:
            word, _, name = text.partition(":")
            names.get(word, set()).add(name)
        return cls(*(frozenset(names[word]) for word in WORDS))

    def include(self, principal: Principal, *, broad: bool = False) -> bool:
        """Whether the principal is one of them. A machine that is called like a person is one in the broad reading."""
        if not self.groups.isdisjoint(principal.groups) or principal.kind in self.kinds:
            return True
        if principal.subject in (self.machines if principal.kind == "machine" else self.persons):
            return True
        return broad and (principal.subject in self.persons or principal.subject in self.machines)


@dataclass(frozen=True, slots=True)
class Concerned:
    """What a rule asks of the person alone: it holds or fails for all their requests."""

    people: People | None = None
    """None is everybody."""
    at_least: int = 0
    below: int = 4
    broad: bool = False

    @classmethod
    def of(
        cls, who: Iterable[str] | None, assurance: Assurance | None, below: Assurance | None, *, broad: bool
    ) -> Concerned:
        """From the keys of a rule."""
        return cls(
            None if who is None else People.parse(who),
            0 if assurance is None else STRENGTH[assurance],
            4 if below is None else STRENGTH[below],
            broad,
        )

    def hold(self, principal: Principal) -> bool:
        """Whether the principal is meant."""
        strength = STRENGTH[principal.assurance]
        if not self.at_least <= strength < self.below:
            return False
        return self.people is None or self.people.include(principal, broad=self.broad)
