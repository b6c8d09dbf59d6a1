"""Several documents of one response, each masked from its own root, and looked at by the detectors as neighbours."""

from __future__ import annotations

from itertools import chain
from typing import Any

from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk


def mask_documents(documents: list[Any], plan: Plan, tally: Tally, *, looked: bool = True) -> list[Any]:
    """The masked documents, in their order. Raises Unfit, also for arrays of arrays, which nothing here describes.

    `looked`: whether detectors look at them too; else somebody does who has their neighbours.
    """
    if plan.root is not None:
        tally.hit(plan.root, len(documents))
        return plan.root.apply(documents)
    walk = Walk(plan, 0)
    walk.documents(documents)
    tally.add(walk.counts)
    # Rows have the same keys again and again; asking for each key of each row took most of the time.
    for key in dict.fromkeys(chain.from_iterable(row for row in documents if isinstance(row, dict))):
        tally.column(key, plan.start.move(key)[1] is not None)
    tally.rows += len(documents)
    if walk.loose and plan.columns:
        raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
    if plan.content is not None and looked:
        return list(mask_content_of(documents, plan.content, tally.counts))
    return documents
