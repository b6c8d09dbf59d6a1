"""What others are certain of: findings of other rooms, and results of somebody else."""

from __future__ import annotations

from sluicegate.detection.look import Look

BITS = 14.0
"""What such a thing weighs: once in sixteen thousand."""


def look(look: Look) -> None:
    """Findings of other rooms count as they are; asking for another's result is no mistake that clients make."""
    event = look.event
    for indicator, detail in event.told:
        look.on |= {indicator}
        look.say(indicator, "", BITS, lambda detail=detail: detail, dict, weight=2.0, certain=True)  # type: ignore[misc]
    if event.others:
        look.say(
            "others-result",
            event.service,
            BITS,
            lambda: f"asked {event.service} for a result that belongs to somebody else",
            lambda: {"service": event.service, "why": event.others},
            weight=2.0,
            certain=True,
        )
