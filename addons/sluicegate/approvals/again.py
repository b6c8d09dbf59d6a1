"""A request without what its client sets anew each time: sent again, it is the one that was approved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sluicegate import codings

LARGEST = 4 << 20
"""Bytes of a body that is looked into; a larger one counts as it was sent."""


class Lasting(NamedTuple):
    """What lasts of a request: its target, headers and body."""

    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def lasting(target: str, headers: tuple[tuple[str, str], ...], body: bytes, once: Sequence[str]) -> Lasting:
    """The request without the headers, parameters and top-level members of a JSON object that `once` selects.

    What cannot be looked into with certainty stays as it was sent, and then every difference counts.
    """
    if not once:
        return Lasting(target, headers, body)
    path, mark, query = target.partition("?")
    kept = "&".join(pair for pair in query.split("&") if f"query:{pair.partition('=')[0]}" not in once)
    target = f"{path}{mark}{kept}"
    headers = tuple((name, value) for name, value in headers if f"header:{name.lower()}" not in once)
    inside = any(selector.startswith("$.") for selector in once)
    document = _object(headers, body) if inside else None
    if document is None:
        return Lasting(target, headers, body)
    # One that is sent again may be packed anew, which says the time; what was in it is what counts.
    headers = tuple((name, value) for name, value in headers if name.lower() != "content-encoding")
    members = {name: value for name, value in document.items() if f"$.{name}" not in once}
    return Lasting(target, headers, json.dumps(members, sort_keys=True).encode())


def members_of(headers: tuple[tuple[str, str], ...], body: bytes) -> dict[str, Any] | None:
    """The top-level members of a body that is a JSON object; None where it is not, or cannot be read for certain."""
    return _object(headers, body)


def _object(headers: tuple[tuple[str, str], ...], body: bytes) -> dict[str, Any] | None:
    said = [value for name, value in headers if name.lower() == "content-type"]
    if len(said) != 1 or "json" not in said[0].lower():
        return None
    coding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
    try:
        plain = codings.decode(body, coding, LARGEST).decode()
        # Numbers stay as they are written: two that a float takes for one are two.
        found = json.loads(
            plain, object_pairs_hook=_members, parse_float=_number, parse_int=_number, parse_constant=_number
        )
    except (codings.CodingError, ValueError, RecursionError):
        return None
    return found.get("members") if isinstance(found, dict) else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return {"members": members}  # objects and numbers are told apart by this one name


def _number(text: str) -> dict[str, str]:
    return {"number": text}
