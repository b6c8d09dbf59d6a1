"""What of MessagePack nobody can look into: bytes that may hold a value, extension types, keys that are no texts.

A document with any of these is refused, but for what a mask replaces as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from sluicegate.masking.detectors.among import among
from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.names import normal
from sluicegate.masking.nested import BEGINNINGS, forgiving, strip
from sluicegate.masking.rules import Plan, State
from sluicegate.masking.walk import Walk

_PLAIN = frozenset((str, int, float, bool, type(None)))
"""Kinds of values that need no look."""
_INNER = frozenset((dict, list))
_LONGEST_NAME = 1024
_HELD = "its bytes may hold a value that is masked"


def check(node: Any, plan: Plan, state: State, depth: int, name: str = "", first: int = 0) -> None:
    """Raises Unfit for what nobody can look into. `state` and `depth` are those of the node, `name` the key that it
    stands under, and `first` the place of its first element.
    """
    if depth > MAX_DEPTH:
        raise Unfit("it is nested too deeply")
    kind = type(node)
    if kind is dict:
        if not {str}.issuperset(map(type, node)):
            raise Unfit("its keys are not all texts")
        for key, value in node.items():
            below, apply, _ = state.move(key)
            _inside(value, plan, below, depth, key, owed=apply is not None)
    elif kind is list:
        if _PLAIN.issuperset(map(type, node)) or _are_plain_rows(node):
            return
        for index, value in enumerate(node, first):
            below, apply, _ = state.element(index, name)
            _inside(value, plan, below, depth, name, owed=apply is not None)
    elif kind is bytes:
        _check_bytes(node, plan, state, depth, name)
    elif kind is msgspec.msgpack.Ext:
        raise Unfit("it has extension types, into which nobody can look")


def _inside(value: Any, plan: Plan, state: State, depth: int, name: str, *, owed: bool) -> None:
    # What a mask replaces whole may hold anything; of objects and arrays it makes a text first.
    kind = type(value)
    if kind not in _PLAIN and (kind in _INNER or not owed):
        check(value, plan, state, depth + 1, name)


def _are_plain_rows(node: list[Any]) -> bool:
    return (
        {dict}.issuperset(map(type, node))
        and {str}.issuperset(map(type, chain.from_iterable(node)))
        and _PLAIN.issuperset(map(type, chain.from_iterable(map(dict.values, node))))
    )


def _check_bytes(node: bytes, plan: Plan, state: State, depth: int, name: str) -> None:
    try:
        text: str | None = strip(node.decode())
    except UnicodeDecodeError:
        text = None
    if text is not None and "\0" not in text[:4]:
        if text[:1] in BEGINNINGS:
            raise Unfit(_HELD)
        if len(text) <= _LONGEST_NAME and text and normal(text) in plan.columns:
            raise Unfit("its bytes may be the name of a masked column")  # in a list of columns beside rows
    elif any(any(map(_is_document, forgiving(strip(form)))) for form in _forms(node)):
        raise Unfit(_HELD)
    if (plan.columns or plan.paths) and _holds_owed(node, plan, state, depth, name):
        raise Unfit(_HELD)
    if plan.content is not None:
        shown = among(node) if text is None else text  # the plain form of a text knows zero bytes between its signs
        if shown and plan.content.found(shown) is not None:
            raise Unfit(_HELD)


def _is_document(found: Any) -> bool:
    return isinstance(found, dict | list) and bool(found)


def _forms(node: bytes) -> Iterator[str]:
    """What bytes may say that are not in UTF-8."""
    yield node.decode("latin-1")
    if b"\0" in node[:4] or node[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield node.removeprefix(b"\xff\xfe").decode("utf-16-le", "replace")
        yield node.removeprefix(b"\xfe\xff").decode("utf-16-be", "replace")


def _holds_owed(node: bytes, plan: Plan, state: State, depth: int, name: str) -> bool:
    """Whether they are a document of MessagePack themselves, with something in it that is masked."""
    try:
        found = msgspec.msgpack.decode(node)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    if type(found) not in _INNER:
        return False
    walk = Walk(plan, 0)
    walk.value(found, state, depth + 1, name)
    return bool(walk.counts) or (walk.loose and walk.headers.mentions(found))
