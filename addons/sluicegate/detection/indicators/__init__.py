"""The indicators, one file each: pure functions from what is seen and known to bits of surprise with their evidence."""

from __future__ import annotations

from sluicegate.detection.indicators import (
    amounts,
    columns,
    coverage,
    destinations,
    night,
    probing,
    sequence,
    told,
    walk,
)

ALL = (
    told.look,
    columns.look,
    night.look,
    walk.look,
    coverage.look,
    amounts.look,
    destinations.look,
    sequence.look,
    probing.look,
)
"""In this order: what is certain first; a sequence looks at what the others saw on the same day."""

NAMES = {
    "night-repeat": "the same chunk again, at hours at which this person does not work",
    "walk": "chunk after chunk, in the order of their numbers: many in a day, or a few each day",
    "coverage": "a large part of a dataset in 30 days",
    "complement": "two people who take a dataset in parts that do not overlap",
    "beyond-job": "columns that the declared job does not name were received",
    "unusual-columns": "columns that this person's group does not receive",
    "first-class": "a class of data that this person never received before",
    "volume": "more rows or bytes in a day than is usual",
    "breadth": "more different chunks or subjects in a day than is usual",
    "new-destination": "an export to a destination outside that nobody, or none of the group, used before",
    "often-outside": "exports outside on more days than is usual",
    "copy-out": "an upload to another host that was not used before",
    "outflow": "more bytes to other hosts than is usual",
    "unexplained-bytes": "more bytes to other hosts that cannot be read than is usual",
    "sequence": "collected, packed, sent, removed: within a day",
    "probing": "more refusals than is usual, or refusals of new things day after day",
    "others-result": "asked for a result that belongs to somebody else",
    "taint": "values that this person received, found in what they sent elsewhere",
    "canary": "a value that nobody has a reason to send, found in what was sent",
}
"""What each indicator means."""

PROOF = frozenset({"taint", "canary", "beyond-job"})
"""Indicators that need no habit and are held against no budget."""
