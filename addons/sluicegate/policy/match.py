"""The tests that a rule's keys become. Each comes in two readings of the same key.

The strict reading is for allowing: everything that is asked must be covered for certain. The broad reading is for
denying and holding: it is enough that something of what is asked could be meant.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from functools import lru_cache

from sluicegate.exchange import Operation
from sluicegate.policy.context import Context
from sluicegate.policy.statement import exact, fold, words

Test = Callable[[Operation, Context], bool]

DOUBTFUL_KINDS = frozenset({"unknown", "script"})
"""Kinds of which the request does not say what they do, and where to."""


NAMED_KINDS = frozenset({"unknown", "message"})
"""Kinds that only a rule which names them can allow: nobody has read what they say."""


def is_glob(text: str) -> bool:
    """Whether a name is a glob."""
    return any(c in text for c in "*?[")


def named(name: str, globs: Iterable[str], *, broad: bool) -> bool:
    """Whether a dataset's name is one of the names or globs; without regard to case in the broad reading."""
    if broad:
        folded = fold(name)
        return any(fnmatch.fnmatchcase(folded, fold(glob)) or fnmatch.fnmatchcase(name, glob) for glob in globs)
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def dataset_test(globs: tuple[str, ...], declared: frozenset[str], *, broad: bool) -> Test:
    """For operations whose dataset is not declared, or not said."""

    def test(operation: Operation, context: Context) -> bool:
        name = operation.dataset
        if name is None:
            return broad and operation.column_scope != "none"
        # A name that the policy declares elsewhere is another dataset here, so allowing it was never meant.
        return named(name, globs, broad=broad) and (broad or name not in declared)

    return test


def columns_broad(names: frozenset[str], *, wide: bool) -> Test:
    """Any of the columns is asked for, or could be. `wide`: asking for all columns includes one of them."""
    folded = frozenset(map(fold, names))

    def test(operation: Operation, context: Context) -> bool:
        if not folded.isdisjoint(asked_columns(operation.columns)):
            return True
        if operation.predicates and not folded.isdisjoint(asked_columns(operation.predicates)):
            return True
        if exact(operation) and operation.column_scope in ("listed", "none"):
            return False
        if operation.column_scope in ("all", "unknown") and wide:
            return True
        if operation.statement is None:
            return False
        said = words(operation.statement)
        return wide if said is None else not folded.isdisjoint(said)

    return test


def columns_strict(names: frozenset[str]) -> Test:
    """Nothing but these columns is asked for. What a statement reads besides is covered only where it is known."""

    def test(operation: Operation, context: Context) -> bool:
        return (
            operation.column_scope == "listed"
            and bool(operation.columns)
            and (operation.statement is None or exact(operation))
            and names.issuperset(operation.columns)
            and names.issuperset(operation.predicates)
        )

    return test


def asked_columns(columns: tuple[str, ...]) -> frozenset[str]:
    """The listed columns, folded, and the parts of those that are qualified."""
    # Long lists would fill memory if they were kept, and the client chooses how many there are.
    return _cached(columns) if len(columns) <= _LONG else _asked(columns)


_LONG = 64


def _asked(columns: tuple[str, ...]) -> frozenset[str]:
    asked = set()
    for column in columns:
        asked.add(fold(column))
        if "." in column:
            asked.update(map(fold, column.split(".")))  # `customers.ssn` is `ssn` to many services
    return frozenset(asked)


_cached = lru_cache(maxsize=1024)(_asked)


def destination_test(wanted: str | tuple[str, ...], *, broad: bool) -> Test:
    """`internal`, `external`, or globs of destinations in their normal form, which has no space in it."""
    if isinstance(wanted, str):
        return _side_test(wanted, broad=broad)

    def test(operation: Operation, context: Context) -> bool:
        text = operation.destination
        if text is None or " " in text:
            # Without a normal form no glob covers it for certain, and each may mean it.
            return broad and (text is not None or _doubtful(operation))
        return any(_meant(text, glob) if broad else _covered(text, glob) for glob in wanted)

    return test


def _side_test(wanted: str, *, broad: bool) -> Test:
    def test(operation: Operation, context: Context) -> bool:
        side = operation.destination_side
        return side == wanted or (side is None and broad and operation.kind in DOUBTFUL_KINDS)

    return test


def _doubtful(operation: Operation) -> bool:
    return operation.kind in DOUBTFUL_KINDS or operation.destination_side is not None


def _covered(text: str, glob: str) -> bool:
    """Part by part, so that no `*` of the bucket or host reaches into the path. Without a path, all paths are meant."""
    scheme, separator, rest = glob.partition("://")
    if not separator:
        return glob == "*"
    authority, slash, path = rest.partition("/")
    its_scheme, _, its_rest = text.partition("://")
    its_authority, _, its_path = its_rest.partition("/")
    return (
        its_scheme == scheme
        and fnmatch.fnmatchcase(its_authority, authority)
        and (not slash or fnmatch.fnmatchcase(its_path.partition("?")[0], path))
    )


def _meant(text: str, glob: str) -> bool:
    if _covered(text, glob):  # whatever an allow takes for it, a deny does too
        return True
    text, glob = text.lower(), glob.lower()
    below = glob.rstrip("/") + "/*"
    return any(fnmatch.fnmatchcase(one, pattern) for one in (text, text.partition("?")[0]) for pattern in (glob, below))
