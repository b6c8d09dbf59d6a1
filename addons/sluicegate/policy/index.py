"""A policy in force, indexed: by service, dataset and kind first, then by what a person's groups leave of that.

Both are filled when they are first asked for. Of the first there are as many as the policy has services, datasets and
kinds; of the second, which people can make more, only so many are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.exchange import OTHERS, Obligation, Operation, Principal
from sluicegate.policy.compile import Candidate, Compiler, Key, Place
from sluicegate.policy.masks import Mask, strictest
from sluicegate.policy.statement import mentions
from sluicegate.settings import Settings

KEPT = 4096
"""How many standings are kept before all are forgotten."""


class Standing:
    """What can apply to one person in one place of the index."""

    __slots__ = ("_always", "_owed", "_unless", "covering", "deny", "hold")

    def __init__(self, place: Place, principal: Principal) -> None:
        self.deny = _for(place.deny, principal)
        self.hold = _for(place.hold, principal)
        self.covering = _for(place.covering, principal)
        self._owed = tuple(mask for mask in place.masks if not mask.unless.include(principal))
        self._unless = tuple(mask for mask in place.masks if mask.unless.include(principal))
        self._always = strictest(self._owed) if all(mask.test is None for mask in self._owed) else None

    def obligations(self, operation: Operation) -> tuple[Obligation, ...]:
        """What the response owes."""
        return strictest(_applying(self._owed, operation)) if self._always is None else self._always

    def lifted(self, operation: Operation) -> tuple[str, ...]:
        """Masks that this person is exempt from, where the operation asks for what they mask."""
        if not self._unless:
            return ()
        return tuple(mask.id for mask in _applying(self._unless, operation) if mask.concerns(operation))

    def guarded(self, operation: Operation, statement: str) -> list[Mask]:
        """Masks whose columns the statement could be reading."""
        return [mask for mask in _applying(self._owed, operation) if mentions(statement, mask.folded)]


class Policy:
    """A policy in force. Safe to share between exchanges; `digest` is the SHA-256 of its file, hex."""

    def __init__(self, settings: Settings, digest: str) -> None:
        self.settings = settings
        self.digest = digest
        self._compiler = Compiler(settings)
        self._persons = _persons(settings)
        self._places: dict[Key, Place] = {}
        self._standings: dict[tuple[str, str | None, str, frozenset[str], str | None], Standing] = {}

    def standing(self, principal: Principal, operation: Operation) -> Standing:
        """The rules and masks that may apply; none for a service that the policy does not have."""
        dataset = operation.dataset if operation.declared else None
        # People whom no rule names are told apart by their groups alone.
        subject = principal.subject if principal.subject in self._persons else None
        key = (operation.service, dataset, operation.kind, principal.groups, subject)
        found = self._standings.get(key)
        if found is None:
            if len(self._standings) >= KEPT:
                self._standings.clear()
            found = self._standings[key] = Standing(self._place(key[:3]), principal)
        return found

    def _place(self, key: Key) -> Place:
        service, dataset, _ = key
        known = service in self.settings.services or service == OTHERS
        if not known or (dataset is not None and dataset not in self.settings.datasets):
            return Place()
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._compiler.place(key)
        return found


def _for(candidates: Iterable[Candidate], principal: Principal) -> tuple[Candidate, ...]:
    return tuple(c for c in candidates if c.people is None or c.people.include(principal))


def _applying(masks: Iterable[Mask], operation: Operation) -> list[Mask]:
    return [mask for mask in masks if mask.test is None or mask.test(operation)]


def _persons(settings: Settings) -> frozenset[str]:
    """Every subject that the policy names."""
    texts = [text for rule in settings.rules for text in rule.who or ()]
    texts += [text for mask in settings.masks for text in mask.unless]
    return frozenset(text.removeprefix("person:") for text in texts if text.startswith("person:"))
