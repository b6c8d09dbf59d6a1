"""MessagePack: documents like those of JSON, with bytes and extension types, into which nobody can look.

One document is masked as one of JSON is; several, one behind the other, as lines of JSON are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from sluicegate import rows
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.msgpack_check import check
from sluicegate.masking.msgpack_ends import Ends, array_of
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

_CHANGED = frozenset((dict, list, msgspec.Raw))
_INNER = frozenset((dict, list))


def mask_msgpack(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked documents. Raises Unfit; also for bytes that may hold a value, and for keys that are no texts."""
    count = _count(plain)
    if count == 1:
        return packed(_one(plain, plan, tally))
    return b"".join(map(packed, mask_documents(several(plain, count, plan), plan, tally)))


def several(raw: bytes, count: int, plan: Plan) -> list[Any]:
    """So many documents, one behind the other. Raises Unfit, also where one of them is neither an array nor a map."""
    found = unpacked(array_of(count) + raw)
    if not _INNER.issuperset(map(type, found)):
        raise Unfit("it has several values, which are not all maps and arrays")
    for document in found:
        check(document, plan, plan.start, 0)
    return list(found)


def _count(plain: bytes) -> int:
    ends, position, count = Ends(), 0, 0
    while position < len(plain):
        end = ends.end(plain, position)
        if end is None:
            break
        position, count = end, count + 1
    if position < len(plain) or not count:
        raise Unfit("its body is not valid MessagePack")
    return count


def _one(plain: bytes, plan: Plan, tally: Tally) -> Any:
    document = unpacked(plain)
    check(document, plan, plan.start, 0)
    if plan.root is not None:
        tally.hit(plan.root, 1)
        return plan.root.apply([document])[0]
    walk = Walk(plan, 0)
    document = walk.value(document, plan.start, 0, "")
    if walk.loose and plan.columns and walk.headers.mentions(unpacked(plain)):
        raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
    tally.add(walk.counts)
    if plan.content is not None:
        document = mask_content_of(document, plan.content, tally.counts)
    for table in rows.tables(document):
        tally.rows += table.count
        for name, word in plan.covered(table.where, table.columns, table.positional).items():
            tally.column(name, word == "masked")
    return document


def unpacked(raw: bytes) -> Any:
    """The value that is written there. Raises Unfit."""
    try:
        return msgspec.msgpack.decode(raw)
    except RecursionError:
        raise Unfit("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError):
        raise Unfit("its body is not valid MessagePack") from None


def packed(value: Any) -> bytes:
    """How a masked value is written."""
    return msgspec.msgpack.encode(_numbers(value))


def _cells(rows_of: list[dict[str, Any]]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, rows_of))


def _numbers(node: Any) -> Any:
    """The document with numbers that a method wrote as text of JSON (`msgspec.Raw`) as numbers."""
    if isinstance(node, dict):
        if _CHANGED.isdisjoint(map(type, node.values())):
            return node
        return {key: _numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        if {dict}.issuperset(map(type, node)) and _CHANGED.isdisjoint(map(type, _cells(node))):
            return node
        return [_numbers(value) for value in node]
    return float(bytes(node)) if isinstance(node, msgspec.Raw) else node
