"""Masking of a cell in a row whose columns are known by position: what is left there must still be read by a client.

Such results have types that the client knows, so a masked number or truth value is null and no text. Cells that name
their type (`{"S": ...}`, `{"stringValue": ...}`) get the name of what is put in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sluicegate.masking.methods import Masker

_DYNAMODB = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
"""AttributeValue of the DynamoDB API reference."""

_DATA_API = frozenset(
    ("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue", "arrayValue", "isNull", "structValue")
)
"""Field of the Redshift Data and RDS Data API references."""

_TYPED = frozenset((bool, int, float, msgspec.Raw))


def masker(apply: Masker, cell: str, typed: bool) -> Masker:
    """Masks the cells of a column. `cell` is as in Rows; `typed`: numbers and truth values become null."""
    inner = _typed(apply) if typed else apply
    if not cell:
        return inner
    return lambda cells: [_cell(each, inner, apply) for each in cells]


def _typed(apply: Masker) -> Masker:
    def mask(values: list[Any]) -> list[Any]:
        masked = apply(values)
        return [
            None if type(value) in _TYPED and type(new) not in _TYPED else new
            for value, new in zip(values, masked, strict=True)
        ]

    return mask


def _cell(cell: Any, inner: Masker, apply: Masker) -> Any:
    if not isinstance(cell, dict):
        return inner([cell])[0]
    if not cell:
        return cell  # an empty cell is how Athena says null
    keys = cell.keys()
    if keys <= _DYNAMODB:
        return _named(cell, "NULL", apply, "S", "NULL")
    if keys <= _DATA_API:
        return _named(cell, "isNull", apply, "stringValue", "isNull")
    masked = {key: inner([value])[0] for key, value in cell.items()}
    # `{"VarCharValue": null}` is no cell that a client knows; an absent value is.
    return {} if keys == {"VarCharValue"} and masked["VarCharValue"] is None else masked


def _named(cell: dict[str, Any], null: str, apply: Masker, text: str, absent: str) -> dict[str, Any]:
    value = None if null in cell else next(iter(cell.values())) if len(cell) == 1 else cell
    masked = apply([value])[0]
    return {absent: True} if masked is None else {text: masked}
