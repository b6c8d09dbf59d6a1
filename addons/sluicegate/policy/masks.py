"""What masks owe together: for each column and each path the strictest method, whatever the order of the masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sluicegate.exchange import Obligation, Operation, Principal
from sluicegate.mask_method import USUAL, Detector, Manner, Method, Strictness, strictness
from sluicegate.policy.context import Context
from sluicegate.policy.match import Test, asked_columns
from sluicegate.policy.people import People

MaskTest = Callable[[Operation], bool]


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask, resolved for one place of the index."""

    id: str
    method: Method
    columns: frozenset[str]
    path: str | None
    unless: People
    test: MaskTest | None
    """What is left to test of the operation; None when the mask always applies."""
    guarded: frozenset[str]
    """The columns that a statement may not choose rows by."""
    folded: frozenset[str]
    """The words by which a statement would read them."""
    dataset: str | None = None
    """The declared dataset that the columns are of; None where it is not declared, or not said."""
    wide: bool = True
    """Whether the dataset has one of the columns, or could have."""
    guesses: bool = False
    """Whether statements may choose rows by what is masked."""
    manner: Manner = USUAL
    detect: frozenset[Detector] = frozenset()
    """What is masked by its looks."""
    circumstances: tuple[Test, ...] = ()
    """When even those owe it who do not always; none where it does not depend on that."""
    exempts: bool = False
    """Whether it names people who do not always owe it; all others do. A mask with circumstances alone, nobody does."""

    def always(self, principal: Principal) -> bool:
        """Whether the person owes it in all circumstances."""
        return (self.exempts or not self.circumstances) and not self.unless.include(principal)

    def met(self, operation: Operation, context: Context) -> bool:
        """Whether the circumstances are such that everybody owes it."""
        return all(test(operation, context) for test in self.circumstances)

    @property
    def guards(self) -> bool:
        """Whether a statement may not get round it: what is found by its looks is found wherever it comes from."""
        return self.manner.on_match != "report" and not self.detect

    def concerns(self, operation: Operation) -> bool:
        """Whether the operation asks for something that this masks, as far as the request says."""
        if operation.column_scope != "listed" or not self.columns:
            return True
        return not (
            self.folded.isdisjoint(asked_columns(operation.columns))
            and self.folded.isdisjoint(asked_columns(operation.predicates))
        )


def strictest(masks: Sequence[Mask]) -> tuple[Obligation, ...]:
    """One method for each column and each path. Of two that are as strict, the first id has it."""
    columns: dict[str, Mask] = {}
    paths: dict[str, Mask] = {}
    looks: dict[Detector, Mask] = {}
    for mask in sorted(masks, key=_order):
        for column in mask.columns:
            columns.setdefault(column, mask)
        if mask.path is not None:
            paths.setdefault(mask.path, mask)
        for name in mask.detect:
            looks.setdefault(name, mask)
    owed = []
    for mask in masks:
        kept = frozenset(column for column in mask.columns if columns[column] is mask)
        if kept:
            owed.append(Obligation(mask.id, mask.method, kept, dataset=mask.dataset, manner=mask.manner))
        if mask.path is not None and paths[mask.path] is mask:
            owed.append(Obligation(mask.id, mask.method, path=mask.path, manner=mask.manner))
        found = frozenset(name for name in mask.detect if looks[name] is mask)
        if found:
            owed.append(Obligation(mask.id, mask.method, manner=mask.manner, detect=found))
    return tuple(owed)


def together(owed: Iterable[tuple[Obligation, ...]]) -> tuple[Obligation, ...]:
    """What several operations of one request owe: columns for each dataset, and for each path the strictest."""
    columns: list[Obligation] = []
    paths: dict[str, Obligation] = {}
    for obligation in dict.fromkeys(one for several in owed for one in several):
        if obligation.path is None:  # columns, or what is found by its looks
            columns.append(obligation)
            continue
        other = paths.get(obligation.path)
        if other is None or _rank(obligation) < _rank(other):
            paths[obligation.path] = obligation
    return tuple(sorted(columns, key=lambda o: (o.mask, o.dataset or ""))) + tuple(
        sorted(paths.values(), key=lambda o: (o.mask, o.path or ""))
    )


def _order(mask: Mask) -> tuple[Strictness, str]:
    return strictness(mask.method, mask.manner), mask.id


def _rank(obligation: Obligation) -> tuple[Strictness, str]:
    return strictness(obligation.method, obligation.manner), obligation.mask
