"""What is sent, searched for known values: the work of a process of its own. Pure: what it needs is handed in."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from sluicegate import codings
from sluicegate.detection.taint.cells import Cell, fingerprint
from sluicegate.detection.taint.peel import MOST, peel
from sluicegate.detection.taint.words import candidates


class Searched(NamedTuple):
    """Fingerprints of what could be a known value, and what could not be read."""

    values: frozenset[int]
    opaque: int
    cut: bool


def firsts(cells: Iterable[Cell]) -> bytes:
    """How the values of cells may begin, packed."""
    return array("I", sorted({one for cell in cells for one in (cell.first, cell.whole)})).tobytes()


def search(parts: tuple[bytes, ...], coding: str, known: bytes, key: bytes) -> Searched:
    """Looks through the body (the first part, with its content coding) and the other parts of a request."""
    begin = frozenset(array("I", known))
    values: set[int] = set()
    opaque, cut = 0, False
    for number, part in enumerate(parts):
        if number == 0 and coding:
            try:
                part = codings.decode(part, coding, MOST + 1)
            except ValueError:
                cut = True
        peeled = peel(part)
        opaque += peeled.opaque
        cut = cut or peeled.cut
        for text in dict.fromkeys(peeled.texts):
            values.update(fingerprint(one, key) for one in dict.fromkeys(candidates(text, begin)))
    return Searched(frozenset(values), opaque, cut)
