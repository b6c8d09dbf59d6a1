"""Masks that only report: what they would have replaced, as findings. The response stays as it is."""

from __future__ import annotations

from sluicegate.codings import CodingError
from sluicegate.exchange import Delivery, Finding
from sluicegate.masking.body import Reply, look
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan

INDICATOR = "mask-report"


def findings(reply: Reply, reported: Plan, limit: int, delivery: Delivery | None) -> list[Finding]:
    """One for each mask that met a value, in names and counts; or one that says why nobody could look."""
    try:
        seen = look(reply, reported, limit, delivery)
    except (Unfit, CodingError, RecursionError) as error:
        why = "its JSON is nested too deeply" if isinstance(error, RecursionError) else str(error)
        masks = ", ".join(reported.masks)
        return [Finding(INDICATOR, f"The response could not be looked at: {why}.", {"masks": masks})]
    columns = ", ".join(sorted(name for name, word in seen.columns.items() if word == "masked"))
    return [
        Finding(
            INDICATOR,
            f"The mask {mask} would have replaced {count} values.",
            {"mask": mask, "values": str(count), "columns": columns},
        )
        for mask, count in sorted(seen.masks.items())
    ]
