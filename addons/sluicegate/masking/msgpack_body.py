"""MessagePack: a document like one of JSON, with bytes and extension types, into which nobody can look."""

from __future__ import annotations

from typing import Any

import msgspec

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.nested import BEGINNINGS, strip
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally


def mask_msgpack(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked document. Raises Unfit; also for bytes that may hold a value, and for keys that are no texts."""
    try:
        document = msgspec.msgpack.decode(plain)
    except RecursionError:
        raise Unfit("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError):
        raise Unfit("its body is not valid MessagePack") from None
    _check(document, plan, 0)
    (masked,) = mask_documents([document], plan, tally)
    return msgspec.msgpack.encode(_numbers(masked))


def _check(node: Any, plan: Plan, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Unfit("it is nested too deeply")
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str):
                raise Unfit("its keys are not all texts")
            # What a mask replaces whole may hold anything.
            if plan.start.move(key)[1] is None or isinstance(value, dict | list):
                _check(value, plan, depth + 1)
    elif isinstance(node, list):
        for value in node:
            _check(value, plan, depth + 1)
    elif isinstance(node, bytes):
        try:
            text = node.decode()
        except UnicodeDecodeError:
            return
        if strip(text)[:1] in BEGINNINGS or (plan.content is not None and plan.content.found(text) is not None):
            raise Unfit("its bytes may hold a value that is masked")
    elif isinstance(node, msgspec.msgpack.Ext):
        raise Unfit("it has extension types, into which nobody can look")


def _numbers(node: Any) -> Any:
    """The document with numbers that a method wrote as text of JSON (`msgspec.Raw`) as numbers."""
    if isinstance(node, dict):
        return {key: _numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_numbers(value) for value in node]
    return float(bytes(node)) if isinstance(node, msgspec.Raw) else node
