"""JSON whose rows a dialect has found: masked by position and origin, and by name and path like every other.

The rows are taken out of the document, masked by themselves, and put back; what is left is walked as usual, with the
rule that arrays of arrays which nothing describes never leave.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sluicegate.exchange import Delivery, Rows
from sluicegate.jsonpath import parse as steps_of
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.flat import flat
from sluicegate.masking.json_body import Unfit, parse
from sluicegate.masking.located import Place, locate
from sluicegate.masking.methods import REDACTED
from sluicegate.masking.rules import Plan
from sluicegate.masking.table import Table
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

Inner = Callable[[str, Rows, Tally], str]
"""Masks the text of rows that are in another format, in base64, inside a JSON document."""


def mask_delivered(document: Any, original: bytes, plan: Plan, delivery: Delivery, inner: Inner) -> tuple[Any, Tally]:
    """The masked document (the same objects) and what was done. Raises Unfit.

    `original` is what the document was parsed from, as in walk.mask_document.
    """
    tally = Tally()
    if plan.root is not None:
        tally.hit(plan.root, 1)
        return plan.root.apply([document])[0], tally
    document = _told(document, original, plan, delivery, inner, tally)
    if plan.content is not None:
        document = mask_content_of(document, plan.content, tally.counts)
    return document, tally


def _told(document: Any, original: bytes, plan: Plan, delivery: Delivery, inner: Inner, tally: Tally) -> Any:
    for path in delivery.leaks:
        for leak in locate(document, _steps(path), plan.start):
            if leak.holder is None:
                document = emptied(leak.node)
            leak.put(emptied(leak.node))
    tables = [(Table(plan, rows, tally), rows, _places(document, rows, plan)) for rows in delivery.rows]
    masked: list[tuple[Place, Any]] = []
    for table, rows, places in tables:
        for number, place in enumerate(places):
            if rows.base64 or rows.format != "json":
                masked.append((place, _coded(place, rows, tally, inner)))
            elif table.generic:
                table.count(place)
            else:
                plain = type(place.node) is list and not rows.cell and flat(document, original, place.node)
                masked.append((place, table.mask(place, first=number == 0, flat=plain)))
    for place, value in masked:
        if place.holder is None:  # the rows are all there is
            return value
    # A mask with a path may want the rows themselves: then what stands in their place is gone, and they stay away.
    stand_ins: list[tuple[Place, Any, dict[str, Any]]] = [(place, value, {}) for place, value in masked]
    for place, _, stand_in in stand_ins:
        place.put(stand_in)
    found = any(places for _, _, places in tables)
    walk = Walk(plan, 0)
    walk.taken = {id(stand_in) for _, _, stand_in in stand_ins}
    document = walk.value(document, plan.start, 0, "")
    tally.add(walk.counts)
    # Where a column has another name than what it is made from, names say nothing of arrays elsewhere.
    strange = bool(delivery.rows) and (not found or any(rows.columns is not None for rows in delivery.rows))
    if walk.loose and plan.columns and (strange or walk.headers.mentions(parse(original))):
        raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
    for place, value, stand_in in reversed(stand_ins):
        if place.holder is not None and place.holder[place.key] is stand_in:
            place.put(value)
    return document


def emptied(value: Any) -> Any:
    """A value of the same type that says nothing."""
    match value:
        case str():
            return REDACTED
        case dict():
            return {}
        case list():
            return []
        case _:
            return None


_steps = lru_cache(maxsize=512)(steps_of)  # dialects have few paths, and reading one takes long


def _places(document: Any, rows: Rows, plan: Plan) -> list[Place]:
    # null in the place of rows is how services say that there are none
    return [place for place in locate(document, _steps(rows.path), plan.start) if place.node is not None]


def _coded(place: Place, rows: Rows, tally: Tally, inner: Inner) -> str:
    if not isinstance(place.node, str):
        raise Unfit("its rows are not where its service puts them")
    return inner(place.node, rows, tally) if place.node else ""
