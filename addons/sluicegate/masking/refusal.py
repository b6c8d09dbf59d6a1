"""The refusals of this room: masks are owed, and the response cannot be masked, or could not be."""

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
        next_step="Ask for the data as JSON, CSV, Arrow or Parquet, in UTF-8, or without the masked columns.",
        rules=masks,
    )


def withheld(mask: str) -> Refusal:
    """403: a value was met that a mask with `on_match = "refuse"` does not let out, masked or not."""
    return Refusal(
        403,
        "withheld",
        "The response holds values that do not leave",
        f"The response holds values that the mask {mask} does not let out. Nothing of it was passed on.",
        next_step="Ask without these columns.",
        rules=(mask,),
    )


def unaskable(masks: tuple[str, ...], reason: str) -> Refusal:
    """403, before the request goes out: its response could not be masked. `reason` goes on after `and`."""
    owed = ", ".join(masks)
    return Refusal(
        403,
        "unmaskable",
        "The response could not be masked",
        f"The response would owe the masks {owed}, and {reason}. Nothing was asked.",
        next_step="Ask for the whole object, without a byte range, or without the masked columns.",
        rules=masks,
    )
