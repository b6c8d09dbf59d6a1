"""What two policies differ in: rules, masks and tables by name, and the verdicts that come out otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sluicegate.exchange import Verdict
from sluicegate.policy.expect import owed
from sluicegate.settings import Loaded
from sluicegate.settings.loading import BESIDE

Change = Literal["newly denied", "newly held", "newly allowed", "masks changed", "approvers changed"]
ORDER: tuple[Change, ...] = ("newly allowed", "newly held", "newly denied", "masks changed", "approvers changed")
"""What opens something stands first: it is what nobody complains about."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry of the file that was added, removed or changed."""

    table: str
    name: str
    change: Literal["added", "removed", "changed"]
    keys: tuple[tuple[str, Any, Any], ...] = ()
    """Key, old value, new value; None where it is left out."""


def structural(old: Loaded, new: Loaded) -> Iterator[Difference]:
    """Entries that differ: rules and masks by id, whatever their order; other tables by name."""
    before, after = _written(old), _written(new)
    for table in after:
        one, other = _entries(before[table]), _entries(after[table])
        for name in sorted(one.keys() | other.keys()):
            if name not in other:
                yield Difference(table, name, "removed")
            elif name not in one:
                yield Difference(table, name, "added", _keys({}, other[name]))
            elif keys := _keys(one[name], other[name]):
                yield Difference(table, name, "changed", keys)


def _written(loaded: Loaded) -> dict[str, Any]:
    """The tables as they stand in the file: files that are named beside it are the same, wherever it is."""
    tables = loaded.settings.model_dump()
    folder = loaded.path.absolute().parent
    for table, key in BESIDE:
        named = tables[table].get(key)
        if named is not None and Path(named).is_relative_to(folder):
            tables[table][key] = str(Path(named).relative_to(folder))
    return tables


def _entries(value: Any) -> dict[str, dict[str, Any]]:
    if isinstance(value, list):
        return {entry["id"]: entry for entry in value}
    if value and all(isinstance(entry, dict) for entry in value.values()):
        return dict(value)
    return {"": value} if value else {}


def _keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    names = sorted(one.keys() | other.keys())
    return tuple((n, one.get(n), other.get(n)) for n in names if one.get(n) != other.get(n) and n != "id")


def changed(old: Verdict | None, new: Verdict | None) -> Change | None:
    """How a verdict differs; None where the person would not notice. No verdict is a refusal before any rule."""
    before, after = old.effect if old else "deny", new.effect if new else "deny"
    if before != after:
        return {"allow": "newly allowed", "hold": "newly held", "deny": "newly denied"}[after]  # type: ignore[return-value]
    if old is None or new is None or after == "deny":
        return None
    if owed(old.obligations) != owed(new.obligations):
        return "masks changed"
    alike = set(old.approvers) == set(new.approvers) and old.terms == new.terms
    return "approvers changed" if after == "hold" and not alike else None


def masks_changed(old: Verdict | None, new: Verdict | None) -> dict[str, tuple[str, str]]:
    """Column or path to its method before and after, where they differ; `clear` where it is not masked."""
    one = owed(old.obligations) if old else {}
    other = owed(new.obligations) if new else {}
    names = sorted(one.keys() | other.keys())
    return {n: (one.get(n, "clear"), other.get(n, "clear")) for n in names if one.get(n) != other.get(n)}
