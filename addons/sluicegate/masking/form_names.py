"""What the names of a form owe: each is a column, and may be the way to one (`user[ssn]`, `rows[0].ssn`, `ssn[]`), as
many frameworks read it. The way is followed as it is in a document.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_STEP = re.compile(r"\[\]|[^\[\].]+")
_OTHERS = re.compile(r"[;\r\n]")
"""What stands between pairs where a form is not written as WHATWG has it; `&amp;` ends with one of them."""
_DIGITS = 9


def hit_of(plan: Plan, name: str) -> Hit | None:
    """The mask on the value with this name; None where it owes none. Raises Unfit where that cannot be told."""
    return plan.start.move(name)[2] or _on_the_way(plan, name)


def _on_the_way(plan: Plan, name: str) -> Hit | None:
    if "[" not in name and "." not in name:
        return None
    state, last = plan.start, ""
    for place, step in enumerate(_STEP.findall(name)):
        numbered = step.isascii() and step.isdecimal() and len(step) <= _DIGITS
        below, _, hit = state.move(step)
        if hit is None and place and (numbered or step == "[]"):
            if not numbered and not state.uniform:
                raise Unfit("one of the masks counts elements, and a name in it does not say which one it is")
            below, _, hit = state.element(int(step) if numbered else 0, last)
        if hit is not None:
            return hit
        state, last = below, step
    return None


def mask_pairs(pairs: list[tuple[str, str]], plan: Plan, tally: Tally) -> list[Any]:
    """A document of one member for each pair, masked by its name. Detectors have not looked at it. Raises Unfit."""
    if plan.root is not None:
        raise Unfit("one of them masks the whole, and names would be left of it")
    ways = [_on_the_way(plan, name) if plan.start.move(name)[2] is None else None for name, _ in pairs]
    others = [{name: value} for (name, value), hit in zip(pairs, ways, strict=True) if hit is None]
    left = iter(mask_documents(others, plan, tally, looked=False))
    documents = []
    for (name, value), hit in zip(pairs, ways, strict=True):
        if hit is None:
            documents.append(next(left))
            continue
        tally.rows += 1
        tally.column(name, True)
        tally.hit(hit, 1)
        documents.append({name: hit.apply([value])[0]})
    return documents


def check_separators(written: str, plan: Plan) -> None:
    """Raises Unfit for a pair that is several to readers that know other separators, where one of those owes a mask."""
    for piece in _OTHERS.split(written)[1:]:
        name, sign, _ = piece.partition("=")
        if sign and hit_of(plan, unquote_plus(name)) is not None:
            raise Unfit("some readers would find a masked column in one of its values")
