"""What a result column owes: by the columns that its values are made from, and by its name as a second line.

`SELECT ssn AS x` owes what `ssn` owes. A part of a value (`last4`) or a pseudonym (`hmac`) is only given of a value
that is copied whole. Of `'abcd' || substr(ssn, 1, 4)` the last four characters would be the first four of the number,
and the pseudonym of a text that the client chose is an answer to a guess. Everything else is redacted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluicegate.exchange import Obligation, Output
from sluicegate.masking.methods import Action
from sluicegate.masking.names import Named, normal
from sluicegate.masking.owed import action_of, hidden


class Origins:
    """What is owed by origin. `named` is column name in normal form to the strictest mask of any dataset."""

    def __init__(self, obligations: Iterable[Obligation], named: Mapping[str, Action]) -> None:
        self._named = named
        self._owed: dict[str | None, dict[str, Action]] = {}
        for owed in obligations:
            columns = self._owed.setdefault(_folded(owed.dataset), Named())
            action = Action.of(owed.mask, owed.method, owed.manner)
            for name in map(normal, owed.columns):
                columns[name] = min(action, dict.get(columns, name, action))
        every = [action for columns in self._owed.values() for action in columns.values()]
        self.everything = min(map(hidden, every), default=None)
        """What a column owes of which nobody knows what it is made from."""

    def owes(self, output: Output) -> Action | None:
        """The strictest mask on a result column; None when it owes none."""
        if output.origins is None:
            return self.everything
        name = normal(output.name)
        named = self._named.get(name)
        copied = output.copied and len(output.origins) == 1
        found = [] if named is None else [named]
        for dataset, column in output.origins:
            base = normal(column)
            if named is not None and copied and base != name:
                found = [hidden(named)]  # another column under this name
            found += [
                a for d in (_folded(dataset), None) if (a := action_of(self._owed.get(d, _NONE), column)) is not None
            ]
        if not found:
            return None
        return min(found) if copied else min(map(hidden, found))

    def domain(self, output: Output) -> str:
        """The name within which pseudonyms of the column join: that of the column that it is copied from."""
        if output.copied and output.origins is not None and len(output.origins) == 1:
            return next(iter(output.origins))[1]
        return output.name


_NONE: dict[str, Action] = {}


def _folded(dataset: str | None) -> str | None:
    return None if dataset is None else dataset.casefold()
