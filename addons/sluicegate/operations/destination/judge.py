"""Where an export goes: one normal form for a destination, and whether it is ours.

What cannot be brought into the normal form is external: nobody gets inside by writing unreadably.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sluicegate.exchange import Side
from sluicegate.operations.destination.form import place
from sluicegate.operations.destination.ours import Ours
from sluicegate.operations.destination.secrets import redacted

UNREADABLE = "unreadable: "
"""Stands before a destination that has no normal form. A normal form has no space, so the two cannot be mixed up."""
SEVERAL = "several: "
"""Stands before a list of destinations."""

_SHOWN = 200


def judge(text: str, ours: Sequence[Ours]) -> tuple[str, Side]:
    """The destination in its normal form, and its side. What has no normal form is shown as unreadable, external."""
    try:
        destination = str(place(text))
    except (ValueError, RecursionError):
        shown = "".join(c if c.isprintable() else "\ufffd" for c in redacted(text[: _SHOWN * 4])[:_SHOWN])
        return UNREADABLE + shown, "external"
    return destination, "internal" if any(glob.covers(destination) for glob in ours) else "external"


def judge_all(texts: Iterable[str], ours: Sequence[Ours]) -> tuple[str | None, Side | None]:
    """The same for several destinations of one request: it is internal when every one of them is."""
    judged = list(dict.fromkeys(judge(text, ours) for text in texts))
    if not judged:
        return None, None
    if len(judged) == 1:
        return judged[0]
    shown = ", ".join(destination for destination, _ in judged)
    return SEVERAL + shown, "internal" if all(side == "internal" for _, side in judged) else "external"
