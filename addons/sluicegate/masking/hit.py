"""A mask on a column, as the masking counts it."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate.mask_method import USUAL, Manner, Method
from sluicegate.masking.methods import Masker


@dataclass(slots=True, eq=False)
class Hit:
    """A mask on a column: counted by identity, since there is one for each pair."""

    mask: str
    column: str
    """In normal form; empty for the whole document."""
    apply: Masker
    method: Method = "redact"
    manner: Manner = USUAL
