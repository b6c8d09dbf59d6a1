"""The one refusal of this room: masks are owed, and the response cannot be masked."""

from __future__ import annotations

from sluicegate.errors import Refusal


def unmaskable(masks: tuple[str, ...], reason: str) -> Refusal:
    """502 with the mask ids as rules. `reason` goes on after `and`, and holds nothing of the response's content."""
    owed = ", ".join(masks)
    return Refusal(
        502,
        "unmaskable",
        "The response cannot be masked",
        f"The response owes the masks {owed}, and {reason}. Nothing of it was passed on.",
        next_step="Ask for the data as JSON in UTF-8, or without the masked columns.",
        rules=masks,
    )
