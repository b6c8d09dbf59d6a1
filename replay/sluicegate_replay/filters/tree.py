"""A filter expression as a tree: atoms, and `and`, `or`, `not` over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sluicegate.recording.recorded import Recorded

Matcher = Callable[[Recorded], bool]


@dataclass(frozen=True, slots=True)
class Atom:
    """One question to an exchange, such as `~m POST`."""

    code: str
    """What stands behind the tilde."""
    pattern: re.Pattern[str] | re.Pattern[bytes] | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """True where each of the parts is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True where one of the parts is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is not."""

    part: Node


Node = Atom | Every | Some | Not


def holds(node: Node, atom: Callable[[Atom], bool]) -> bool:
    """Whether a tree is true, given what each atom is."""
    match node:
        case Every(parts):
            return all(holds(part, atom) for part in parts)
        case Some(parts):
            return any(holds(part, atom) for part in parts)
        case Not(part):
            return not holds(part, atom)
        case Atom():
            return atom(node)


def atoms(node: Node) -> list[Atom]:
    """Every atom in a tree."""
    match node:
        case Every(parts) | Some(parts):
            return [atom for part in parts for atom in atoms(part)]
        case Not(part):
            return atoms(part)
        case Atom():
            return [node]
