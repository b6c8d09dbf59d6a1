"""Rules and masks resolved against datasets and classes, for each place where they can apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluicegate import column_names, jsonpath
from sluicegate.column_names import Folded
from sluicegate.exchange import OTHERS, Operation, Principal
from sluicegate.policy import circumstances, commands
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.jobs import job_test
from sluicegate.policy.masks import Mask, MaskTest
from sluicegate.policy.match import (
    NAMED_KINDS,
    Test,
    columns_broad,
    columns_strict,
    dataset_test,
    destination_test,
    named,
)
from sluicegate.policy.people import Concerned, People
from sluicegate.policy.statement import fold
from sluicegate.settings import Settings, model

Key = tuple[str, str | None, str]
"""Service, declared dataset (None for one that is not declared, or not said), and kind."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that may match in one place, with the tests that are left: of the operation, and of its circumstances."""

    rule: model.Rule
    concerned: Concerned
    tests: tuple[Test, ...]
    circumstances: tuple[Test, ...] = ()

    def concerns(self, principal: Principal) -> bool:
        """Whether the rule means this person at all."""
        return self.concerned.hold(principal)

    def matches(self, operation: Operation) -> bool:
        """Whether every test of the operation holds; the person is looked at before."""
        for test in self.tests:  # noqa: SIM110 - a loop takes half the time of all()
            if not test(operation, NOTHING):
                return False
        return True

    def holds(self, operation: Operation, context: Context) -> bool:
        """Whether every test of the circumstances holds."""
        for test in self.circumstances:  # noqa: SIM110
            if not test(operation, context):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Place:
    """What can apply in one place. `covering` are allows and holds, read strictly; the others are read broadly."""

    deny: tuple[Candidate, ...] = ()
    hold: tuple[Candidate, ...] = ()
    covering: tuple[Candidate, ...] = ()
    reported: tuple[Candidate, ...] = ()
    """Rules of mode `report`: denies and holds read broadly, allows strictly."""
    masks: tuple[Mask, ...] = ()


class Compiler:
    """Knows the rules and masks in one order, whatever their order in the file.

    Raises ValueError when the patterns of the rules are too many.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._commands = commands.Commands(settings)
        self._rules = sorted(settings.rules, key=lambda rule: rule.id)
        self._masks = sorted(settings.masks, key=lambda mask: mask.id)
        self._classes = {key: _by_class(dataset) for key, dataset in settings.datasets.items()}
        self._class_names = frozenset(name for classes in self._classes.values() for name in classes)
        self._named = frozenset(c for dataset in settings.datasets.values() for c in dataset.columns)

    def place(self, key: Key) -> Place:
        """What can apply in a place. Its service and dataset have to be in the policy."""
        near = [rule for rule in self._rules if _reaches(rule, key)]
        broad = [(rule.effect, self._broad(rule, key)) for rule in near if rule.effect != "allow" and _enforced(rule)]
        strict = [self._strict(rule, key) for rule in near if rule.effect != "deny" and _enforced(rule)]
        reported = [
            self._strict(rule, key) if rule.effect == "allow" else self._broad(rule, key)
            for rule in near
            if not _enforced(rule)
        ]
        return Place(
            tuple([c for effect, c in broad if c and effect == "deny"]),
            tuple([c for effect, c in broad if c and effect == "hold"]),
            tuple([c for c in strict if c]),
            tuple([c for c in reported if c]),
            tuple([m for m in (self._mask(mask, key) for mask in self._masks) if m]),
        )

    def _broad(self, rule: model.Rule, key: Key) -> Candidate | None:
        service, dataset, _ = key
        tests: list[Test] = []
        if rule.dataset is not None:
            if service == OTHERS:
                return None  # other hosts have none of our datasets
            if dataset is None:
                tests.append(dataset_test(self._wire_names(rule.dataset), frozenset(), broad=True))
            elif not named(dataset, rule.dataset, broad=True):
                return None
        if rule.columns is not None:
            names, wide = self._columns(rule.columns, key)
            tests.append(columns_broad(names, wide=wide))
        return self._candidate(rule, tests, broad=True)

    def _strict(self, rule: model.Rule, key: Key) -> Candidate | None:
        service, dataset, kind = key
        if (kind in NAMED_KINDS and rule.kind is None) or (service == OTHERS and rule.service is None):
            return None
        tests: list[Test] = []
        if rule.dataset is not None:
            if dataset is None:
                tests.append(dataset_test(tuple(rule.dataset), frozenset(self._settings.datasets), broad=False))
            elif not named(dataset, rule.dataset, broad=False):
                return None
        elif dataset is None:
            tests.append(_names_none)
        if rule.columns is not None:
            tests.append(columns_strict(self._columns(rule.columns, key)[0]))
        return self._candidate(rule, tests, broad=False)

    def _candidate(self, rule: model.Rule, tests: list[Test], *, broad: bool) -> Candidate:
        if rule.destination is not None:
            wanted = rule.destination if isinstance(rule.destination, str) else tuple(rule.destination)
            tests.append(destination_test(wanted, broad=broad))
        if rule.statements is not None:
            tests.append(commands.statements_test(tuple(rule.statements), broad=broad))
        if rule.rows_above is not None:
            tests.append(circumstances.rows_test(rule.rows_above, broad=broad))
        if rule.commands is not None:
            patterns = self._commands
            tests.append(patterns.broad(rule.commands) if broad else patterns.strict(rule.commands))
        concerned = Concerned.of(rule.who, rule.assurance, rule.assurance_below, broad=broad)
        return Candidate(rule, concerned, tuple(tests), tuple(_circumstances(rule, broad=broad)))

    def _columns(self, words: Iterable[str], key: Key) -> tuple[frozenset[str], bool]:
        """The columns that names and classes mean in a dataset, and whether it has any of them.

        Where the dataset is not declared, a class means every column that has it in a dataset of the service; for
        other hosts, in any dataset.
        """
        service, dataset, _ = key
        tables = [dataset] if dataset is not None else self._tables(service)
        chosen = {name for name in words if name in self._named or name not in self._class_names}
        for table in tables:
            for name in words:
                chosen |= self._classes[table].get(name, frozenset())
                if column_names.is_glob(name):
                    columns = self._settings.datasets[table].columns
                    chosen |= {column for column in columns if column_names.fits(fold(column), fold(name))}
        wide = dataset is None or not chosen.isdisjoint(self._settings.datasets[dataset].columns)
        return frozenset(chosen), wide

    def _tables(self, service: str) -> list[str]:
        tables = self._settings.datasets.items()
        return [name for name, table in tables if service in (table.service, OTHERS)]

    def _wire_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, and how the datasets that they mean are called on the wire."""
        tables = self._settings.datasets.items()
        return (*names, *(t.name for key, t in tables if t.name is not None and named(key, names, broad=True)))

    def _mask(self, mask: model.MaskRule, key: Key) -> Mask | None:
        service, dataset, _ = key
        if mask.service is None and service == OTHERS:
            return None
        if mask.service is not None and service not in mask.service:
            return None
        test: MaskTest | None = None
        if mask.dataset is not None:
            if dataset is None:
                test = _mask_dataset_test(self._wire_names(mask.dataset))
            elif not named(dataset, mask.dataset, broad=True):
                return None
        columns, wide = self._columns(mask.words, key) if mask.columns is not None else (frozenset(), True)
        if not columns and mask.path is None and mask.detect is None:
            return None
        guarded = columns if mask.path is None else _names_in(mask.path)
        # A statement that names the dataset where a column belongs may mean the whole row.
        rows = {dataset, self._settings.datasets[dataset].name or dataset} if dataset is not None else set()
        folded = Folded.of(map(fold, guarded | rows))
        unless = People.parse(mask.unless)
        allowed = mask.predicates == "allow" or mask.on_match == "report" or mask.detect is not None
        return Mask(
            mask.id,
            mask.method,
            columns,
            mask.path,
            unless,
            test,
            guarded,
            folded,
            dataset,
            wide=wide,
            guesses=allowed,
            manner=mask.manner,
            detect=frozenset(mask.detect or ()),
            circumstances=tuple(_of_risk(mask, broad=True)),
            exempts=bool(mask.unless),
        )


def _circumstances(rule: model.Rule, *, broad: bool) -> list[Test]:
    tests: list[Test] = []
    if rule.job is not None:
        tests.append(job_test(rule.job))
    if rule.network is not None:
        tests.append(circumstances.network_test(rule.network, broad=broad))
    if rule.when is not None:
        tests.append(circumstances.when_test(rule.when, broad=broad))
    tests += _of_risk(rule, broad=broad)
    if rule.sign_in_age_above is not None:
        tests.append(circumstances.sign_in_test(rule.sign_in_age_above))
    if rule.budget is not None:
        tests.append(circumstances.budget_test(rule.budget))
    return tests


def _of_risk(entry: model.Rule | model.MaskRule, *, broad: bool) -> list[Test]:
    tests: list[Test] = []
    if entry.risk_above is not None:
        tests.append(circumstances.risk_test(entry.risk_above, broad=broad))
    if entry.finding is not None:
        tests.append(circumstances.finding_test(tuple(entry.finding), broad=broad))
    return tests


def _enforced(rule: model.Rule) -> bool:
    return rule.mode == "enforce"


def _reaches(rule: model.Rule, key: Key) -> bool:
    service, _, kind = key
    return (rule.service is None or service in rule.service) and (rule.kind is None or kind in rule.kind)


def _names_none(operation: Operation, context: Context) -> bool:
    # Without a `dataset` key a rule allows only requests that concern no dataset at all.
    return operation.dataset is None


def _mask_dataset_test(globs: tuple[str, ...]) -> MaskTest:
    def test(operation: Operation) -> bool:
        return operation.dataset is None or named(operation.dataset, globs, broad=True)

    return test


def _by_class(dataset: model.Dataset) -> dict[str, frozenset[str]]:
    classes = set(dataset.columns.values())
    return {name: frozenset(c for c, of in dataset.columns.items() if of == name) for name in classes}


def _names_in(path: str) -> frozenset[str]:
    """The member names that a mask path ends with."""
    steps = jsonpath.parse(path)
    last = steps[-1] if steps else None
    return last.names if isinstance(last, jsonpath.Names) else frozenset()
