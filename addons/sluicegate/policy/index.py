"""A policy in force, indexed: by service, dataset and kind first, then by what a person's groups leave of that.

Both are filled when they are first asked for. Of the first there are as many as the policy has services, datasets and
kinds; of the second, which people can make more, only so many are kept. What an operation then leaves of the rules is
kept as well: the same statement comes again and again, and only its circumstances have to be looked at anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sluicegate.exchange import OTHERS, Obligation, Operation, Principal, Verdict
from sluicegate.policy.compile import Candidate, Compiler, Key, Place
from sluicegate.policy.context import Context
from sluicegate.policy.jobs import Jobs
from sluicegate.policy.lineage import Leak, leak
from sluicegate.policy.masks import Mask, strictest
from sluicegate.settings import Settings

KEPT = 4096
"""How many standings are kept before all are forgotten."""


class Owed(NamedTuple):
    """What a response owes, which masks the person is exempt from, and which the statement would get round, and how."""

    obligations: tuple[Obligation, ...]
    lifted: tuple[str, ...]
    leaks: tuple[tuple[Mask, Leak], ...]


class Settled:
    """What can still apply to one operation of one person: only the circumstances are left to look at."""

    __slots__ = (
        "_at_risk", "_owed", "_risky", "_standing", "covering", "deny", "fixed", "hold", "reported", "verdict",
    )  # fmt: skip

    def __init__(self, standing: Standing, operation: Operation) -> None:
        self.deny = _matching(standing.deny, operation)
        self.hold = _matching(standing.hold, operation)
        self.covering = _for_owner(_matching(standing.covering, operation), operation)
        self.reported = _for_owner(_matching(standing.reported, operation), operation)
        self._standing = standing
        self._owed = standing.owed(operation)
        self._risky = standing.risky(operation)
        self._at_risk: dict[tuple[str, ...], Owed] = {}
        candidates = (*self.deny, *self.hold, *self.covering, *self.reported)
        self.fixed = not self._risky and not any(c.circumstances for c in candidates)
        """Whether the verdict is the same in all circumstances."""
        self.verdict: Verdict | None = None
        """That verdict, once there was one."""

    def owed(self, operation: Operation, context: Context) -> Owed:
        """What the response owes in these circumstances."""
        if not self._risky:
            return self._owed
        met = tuple([mask for mask in self._risky if mask.met(operation, context)])
        if not met:
            return self._owed
        ids = tuple([mask.id for mask in met])
        found = self._at_risk.get(ids)
        if found is None:
            found = self._at_risk[ids] = self._standing.owed(operation, met)
        return found


class Standing:
    """What can apply to one person in one place of the index."""

    __slots__ = (
        "_always", "_owed", "_plain", "_risky", "_settled", "_unless", "covering", "deny", "hold", "reported",
    )  # fmt: skip

    def __init__(self, place: Place, principal: Principal) -> None:
        self.deny = _for(place.deny, principal)
        self.hold = _for(place.hold, principal)
        self.covering = _for(place.covering, principal)
        self.reported = _for(place.reported, principal)
        self._owed = tuple([mask for mask in place.masks if mask.always(principal)])
        self._risky = tuple([mask for mask in place.masks if mask.circumstances and not mask.always(principal)])
        self._unless = tuple([mask for mask in place.masks if mask.unless.include(principal)])
        self._always = strictest(self._owed) if all(mask.test is None for mask in self._owed) else None
        candidates = (*self.deny, *self.hold, *self.covering, *self.reported)
        self._plain = self._always is not None and not self._unless and not any(c.tests for c in candidates)
        """Whether every operation without a statement is settled alike here."""
        self._settled: Settled | None = None

    def plain(self, operation: Operation) -> Settled | None:
        """What is left, where the place in the index says all of it; else None."""
        if (
            not self._plain
            or operation.statement is not None
            or operation.outputs is not None
            or operation.predicates
            or operation.statements
            or operation.opaque
            or operation.into
            or operation.owner
            or operation.kind == "unknown"  # the reason says why
        ):
            return None
        if self._settled is None:
            self._settled = Settled(self, operation)
        return self._settled

    def owed(self, operation: Operation, further: tuple[Mask, ...] = ()) -> Owed:
        """What the response owes, with masks that are owed only in the circumstances that there are."""
        owed = sorted((*_applying(self._owed, operation), *further), key=lambda mask: mask.id)
        found = [(mask, leak(mask, operation)) for mask in owed if mask.guards]
        exempt = [mask for mask in _applying(self._unless, operation) if mask not in further]
        return Owed(
            strictest(owed) if self._always is None or further else self._always,
            tuple([mask.id for mask in exempt if mask.concerns(operation)]),
            tuple([(mask, how) for mask, how in found if how is not None]),
        )

    def risky(self, operation: Operation) -> tuple[Mask, ...]:
        """Masks that are owed in some circumstances, and not in all."""
        return tuple(_applying(self._risky, operation))


class Policy:
    """A policy in force. Safe to share between exchanges; `digest` is the SHA-256 of its file, hex.

    Raises ValueError where `problems` would have found something.
    """

    def __init__(self, settings: Settings, digest: str) -> None:
        self.settings = settings
        self.digest = digest
        self.jobs = Jobs(settings)
        self.has_jobs = bool(settings.jobs)
        self.counts_use = any(rule.budget is not None for rule in settings.rules)
        """Whether there are budgets."""
        told = [(rule.risk_above, rule.finding) for rule in settings.rules]
        told += [(mask.risk_above, mask.finding) for mask in settings.masks]
        self.looks_at_risk = any(risk is not None or finding is not None for risk, finding in told)
        """Whether what is found about a person can change an answer."""
        self._compiler = Compiler(settings)
        self._persons = _persons(settings)
        self._places: dict[Key, Place] = {}
        self._settled: dict[tuple[object, ...], Settled] = {}
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
                self._settled.clear()
            found = self._standings[key] = Standing(
                self._place((operation.service, dataset, operation.kind)), principal
            )
        return found

    def settled(self, standing: Standing, operation: Operation) -> Settled:
        """What the operation leaves of the rules and masks."""
        found = standing.plain(operation)
        if found is not None:
            return found
        key = _key(standing, operation)
        if key is None:
            return Settled(standing, operation)
        found = self._settled.get(key)
        if found is None:
            if len(self._settled) >= KEPT:
                self._settled.clear()
            found = self._settled[key] = Settled(standing, operation)
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


def _key(standing: Standing, operation: Operation) -> tuple[object, ...] | None:
    """Everything that tests of operations look at; None where that is too long to be kept, or told in the reason."""
    statement = operation.statement
    if (
        (statement is not None and len(statement) > _LONG)
        or len(operation.columns) + len(operation.predicates) + len(operation.outputs or ()) > _MANY
        or operation.script is not None
        or operation.kind == "unknown"
    ):
        return None
    return (
        standing,
        operation.dataset,
        operation.columns,
        operation.column_scope,
        operation.destination,
        operation.destination_side,
        statement,
        operation.script_digest,
        operation.predicates,
        operation.outputs,
        operation.rows,
        operation.statements,
        operation.opaque,
        operation.into,
        operation.owner != "",
    )


_LONG, _MANY = 2048, 100


def _matching(candidates: tuple[Candidate, ...], operation: Operation) -> tuple[Candidate, ...]:
    return tuple([candidate for candidate in candidates if candidate.matches(operation)])


def _for_owner(candidates: tuple[Candidate, ...], operation: Operation) -> tuple[Candidate, ...]:
    """Those that may let pass what is somebody else's, where it is; denies, and holds in doubt, mean everybody's."""
    if not operation.owner:
        return candidates
    return tuple([c for c in candidates if c.rule.effect == "deny" or c.rule.results_of_others])


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
