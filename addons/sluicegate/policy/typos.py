"""Groups that are named once and look like a slip of the pen for another one.

Nothing in the policy says which groups exist, so that a name is wrong cannot be known; that it looks wrong can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from sluicegate.settings import Settings
from sluicegate.settings.positions import Path

_WHOLE, _PART = 0.85, 0.7
"""How alike two names, or the one part of them that differs, have to be."""
_KEYS = ("who", "bound", "approvers", "unless")


def typos(settings: Settings) -> Iterator[tuple[Path, str, str]]:
    """(path, message, suggestion) for each group that looks like a slip."""
    named = list(_groups(settings))
    counts = Counter(name for _, name in named)
    for path, name in named:
        if counts[name] > 1:
            continue
        others = [other for other in counts if other != name and alike(name, other)]
        # Of two names that stand once each, one warning is enough: at the later one.
        earlier = {other for _, other in named[: named.index((path, name))]}
        close = [other for other in others if counts[other] > 1 or other in earlier]
        if close:
            best = max(close, key=lambda other: (counts[other], other))
            yield path, f"`group:{name}` is named nowhere else", f"did you mean `group:{best}`?"


def _groups(settings: Settings) -> Iterator[tuple[Path, str]]:
    tables: tuple[tuple[str, Any], ...] = (
        ("jobs", settings.jobs.items()),
        ("rules", enumerate(settings.rules)),
        ("masks", enumerate(settings.masks)),
    )
    for table, entries in tables:
        for index, entry in entries:
            for key in _KEYS:
                for text in getattr(entry, key, None) or ():
                    if text.startswith("group:"):
                        yield (table, index, key), text.removeprefix("group:")


def alike(one: str, other: str) -> bool:
    """Whether one could be a slip for the other: `enginering`, but not `team-a` for `team-b` or `tier1` for `tier2`."""
    ours, theirs = _parts(one), _parts(other)
    if len(ours) != len(theirs):
        return "".join(ours) == "".join(theirs) or _ratio(one, other) >= _WHOLE
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    if len(pairs) != 1:
        return not pairs
    a, b = pairs[0]
    if any(c.isdigit() for c in a + b) or min(len(a), len(b)) < 4:
        return False
    return _ratio(a, b) >= _PART and a[0] == b[0]


def _parts(name: str) -> list[str]:
    for separator in "_. /":
        name = name.replace(separator, "-")
    return [part for part in name.casefold().split("-") if part]


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
