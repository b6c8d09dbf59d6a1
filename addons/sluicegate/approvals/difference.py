"""What differs between a held request and an earlier one like it: one byte changed is a new request, and is shown."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from sluicegate.approvals.approval import Approval

_FIELDS = ("kind", "dataset", "destination", "rows", "column_scope", "job")
_LISTS = ("rules", "columns", "chunks")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `before` and `after` are empty where only that it differs is known, and no data kept."""

    what: str
    before: str = ""
    after: str = ""
    lines: tuple[str, ...] = ()
    """The changed lines of a text, each with `+`, `-` or a space in front."""


def differences(before: Approval, after: Approval) -> tuple[Difference, ...]:
    """Whatever differs between two requests, most telling first."""
    found = []
    for name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            found.append(Difference(name.replace("_", " "), _text(old), _text(new)))
    for name in _LISTS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            gone, added = [n for n in old if n not in new], [n for n in new if n not in old]
            same = not gone and not added
            found.append(Difference(name, ", ".join(old if same else gone), ", ".join(new if same else added)))
    if before.statement != after.statement:
        old, new = (before.statement or "").splitlines(), (after.statement or "").splitlines()
        # The first two lines name the files that there are not.
        found.append(Difference("statement", lines=tuple(unified_diff(old, new, lineterm="", n=2))[2:]))
    names = [name for name in sorted(before.digests.keys() | after.digests.keys()) if name != "body"]
    changed = [name for name in names if before.digests.get(name) != after.digests.get(name)]
    found += [Difference(name, *_presence(name, before, after)) for name in changed]
    if not changed and before.digests.get("body") != after.digests.get("body"):
        found.append(Difference("body"))
    return tuple(found)


def _presence(name: str, before: Approval, after: Approval) -> tuple[str, str]:
    return (
        "" if name in before.digests else "not there",
        "" if name in after.digests else "not there any more",
    )


def _text(value: object) -> str:
    return "none" if value in (None, "") else str(value)
