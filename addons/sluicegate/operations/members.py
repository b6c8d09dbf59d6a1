"""The members of a JSON object that a client or a service sent, each of the type that it has to have.

A member that is read as another type here than there would mean something else there: it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from sluicegate.operations.view import ReplyView, Unreadable


def only(document: Mapping[str, Any], known: Collection[str], what: str = "the body") -> None:
    """Raise Unreadable for a member that is not known: it could change what the rest means."""
    for name in document:
        if name not in known:
            raise Unreadable(f"{what} has a member {name[:40]!r} that is not known")


def text_of(document: Mapping[str, Any], name: str) -> str | None:
    """A text, or None where the member is absent, null or empty. Raises Unreadable for anything else."""
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return value or None


def needed(document: Mapping[str, Any], name: str) -> str:
    """A text that has to be there. Raises Unreadable."""
    value = text_of(document, name)
    if value is None:
        raise Unreadable(f"the request has no {name}")
    return value


def table_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, empty where it is absent or null. Raises Unreadable for anything else."""
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object")
    return value or {}


def list_of(document: Mapping[str, Any], name: str) -> list[Any]:
    """A list, empty where it is absent or null. Raises Unreadable for anything else."""
    value = document.get(name)
    if value is not None and not isinstance(value, list):
        raise Unreadable(f"{name} is not a list")
    return value or []


def count_of(document: Mapping[str, Any], name: str) -> int | None:
    """A count, or None where it is absent or null. Raises Unreadable for anything else."""
    value = document.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise Unreadable(f"{name} is not a count")
    return value


def flag_of(document: Mapping[str, Any], name: str) -> bool:
    """A truth value, false where it is absent. Raises Unreadable for anything else: services read words differently."""
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise Unreadable(f"{name} is neither true nor false")
    return bool(value)


def object_in(reply: ReplyView) -> dict[str, Any] | None:
    """The JSON object in a response; None where there is none."""
    if not reply.decoded or not reply.body:
        return None
    try:
        document = orjson.loads(reply.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
