"""What a statement would tell of masked columns in ways that masking the response does not reach.

Where the statement was read exactly, only that counts: a masked column that chooses, joins or orders rows, and one that
goes elsewhere than into the response. Where it was not, the answer is no, unless rows can be found by their names.
"""

from __future__ import annotations

import re
from typing import Literal

from sluicegate.exchange import Operation
from sluicegate.policy.masks import Mask
from sluicegate.policy.match import asked_columns
from sluicegate.policy.statement import MAX_LENGTH, exact, fold, mentions

Leak = Literal["chooses", "elsewhere", "coarse", "words"]
"""A masked column chooses rows; goes elsewhere; cannot be told from the others; or stands somewhere in a text."""

_WORD = re.compile(r"\w+")


def leak(mask: Mask, operation: Operation) -> Leak | None:
    """How the statement of an operation gets round a mask; None where it does not."""
    if _chooses(mask, operation):
        return "chooses"
    if operation.into:
        return "elsewhere" if _takes(mask, operation) else None
    if operation.statement is None and not operation.statements and operation.outputs is None:
        return None
    if exact(operation):
        return "elsewhere" if operation.kind != "read" and _returns(mask, operation) else None
    if operation.statements or operation.opaque:
        return _inexact(mask, operation)
    if operation.statement is None or mask.guesses or not mentions(operation.statement, mask.folded):
        return None
    return "words"


def _chooses(mask: Mask, operation: Operation) -> bool:
    chosen = operation.predicates
    return bool(chosen) and not mask.guesses and not mask.folded.isdisjoint(asked_columns(chosen))


def _takes(mask: Mask, operation: Operation) -> bool:
    if operation.column_scope == "listed" and not operation.opaque:
        return not mask.folded.isdisjoint(asked_columns(operation.columns))
    return operation.column_scope != "none" and mask.wide


def _returns(mask: Mask, operation: Operation) -> bool:
    if not mask.folded.isdisjoint(asked_columns(operation.columns)):
        return True
    for output in operation.outputs or ():
        if output.origins is None:
            return True
        if any(fold(column) in mask.folded for _, column in output.origins):
            return True
    return False


def _inexact(mask: Mask, operation: Operation) -> Leak | None:
    if operation.column_scope == "none":
        return None if not operation.opaque else "coarse"
    if operation.column_scope == "listed" and not operation.opaque and operation.kind == "read":
        return None  # the rows carry the columns under their own names, and choose by nothing that is masked
    return "coarse" if mask.wide or _says(mask, operation) else None


def _says(mask: Mask, operation: Operation) -> bool:
    text = operation.statement
    if text is None or len(text) > MAX_LENGTH or "\\" in text or "/*" in text:
        return True
    return not mask.folded.isdisjoint(map(fold, _WORD.findall(text)))
