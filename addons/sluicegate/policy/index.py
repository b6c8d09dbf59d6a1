"""A policy in force, indexed: by service, dataset and kind first, then by what a person's groups leave of that.

Both are filled when they are first asked for. Of the first there are as many as the policy has services, datasets and
kinds; of the second, which people can make more, only so many are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.exchange import OTHERS, Obligation, Operation, Principal, Verdict
from sluicegate.policy.compile import Candidate, Compiler, Key, Place
from sluicegate.policy.jobs import Jobs
from sluicegate.policy.lineage import Leak, leak
from sluicegate.policy.masks import Mask, strictest
from sluicegate.settings import Settings

KEPT = 4096
"""How many standings are kept before all are forgotten."""


class Standing:
    """What can apply to one person in one place of the index."""

    __slots__ = ("_always", "_owed", "_unless", "always_same", "covering", "deny", "hold", "reported", "verdict")

    def __init__(self, place: Place, principal: Principal) -> None:
        self.deny = _for(place.deny, principal)
        self.hold = _for(place.hold, principal)
        self.covering = _for(place.covering, principal)
        self.reported = _for(place.reported, principal)
        self._owed = tuple([mask for mask in place.masks if not mask.unless.include(principal)])
        self._unless = tuple([mask for mask in place.masks if mask.unless.include(principal)])
        self._always = strictest(self._owed) if all(mask.test is None for mask in self._owed) else None
        candidates = (*self.deny, *self.hold, *self.covering, *self.reported)
        self.always_same = self._always is not None and not self._unless and not any(c.tests for c in candidates)
        """Whether every operation without a statement has the same verdict here."""
        self.verdict: Verdict | None = None
        """That verdict, once there was one."""

    def obligations(self, operation: Operation) -> tuple[Obligation, ...]:
        """What the response owes."""
        return strictest(_applying(self._owed, operation)) if self._always is None else self._always

    def lifted(self, operation: Operation) -> tuple[str, ...]:
        """Masks that this person is exempt from, where the operation asks for what they mask."""
        if not self._unless:
            return ()
        return tuple([mask.id for mask in _applying(self._unless, operation) if mask.concerns(operation)])

    def leaks(self, operation: Operation) -> list[tuple[Mask, Leak]]:
        """Masks that the statement would get round, and how."""
        found = [(mask, leak(mask, operation)) for mask in _applying(self._owed, operation)]
        return [(mask, how) for mask, how in found if how is not None]


class Policy:
    """A policy in force. Safe to share between exchanges; `digest` is the SHA-256 of its file, hex.

    Raises ValueError where `problems` would have found something.
    """

    def __init__(self, settings: Settings, digest: str) -> None:
        self.settings = settings
        self.digest = digest
        self.jobs = Jobs(settings)
        self.zones = frozenset(rule.budget.zone for rule in settings.rules if rule.budget is not None)
        """The time zones whose days budgets count."""
        self._compiler = Compiler(settings)
        self._persons = _persons(settings)
        self._places: dict[Key, Place] = {}
        self._standings: dict[tuple[str | frozenset[str] | None, ...], Standing] = {}

    def standing(self, principal: Principal, operation: Operation) -> Standing:
        """The rules and masks that may apply; none for a service that the policy does not have."""
        dataset = operation.dataset if operation.declared else None
        # People whom no rule names are told apart by their groups alone.
        subject = principal.subject if principal.subject in self._persons else None
        key = (
            operation.service,
            dataset,
            operation.kind,
            principal.groups,
            subject,
            principal.kind,
            principal.assurance,
        )
        found = self._standings.get(key)
        if found is None:
            if len(self._standings) >= KEPT:
                self._standings.clear()
            found = self._standings[key] = Standing(
                self._place((operation.service, dataset, operation.kind)), principal
            )
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
    return tuple([candidate for candidate in candidates if candidate.concerns(principal)])


def _applying(masks: Iterable[Mask], operation: Operation) -> list[Mask]:
    return [mask for mask in masks if mask.test is None or mask.test(operation)]


def _persons(settings: Settings) -> frozenset[str]:
    """Every subject that the policy names."""
    texts = [text for rule in settings.rules for text in rule.who or ()]
    texts += [text for mask in settings.masks for text in mask.unless]
    pairs = [text.partition(":") for text in texts]
    return frozenset(name for word, _, name in pairs if word in ("person", "machine"))
