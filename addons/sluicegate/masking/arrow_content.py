"""Detectors on a column of Arrow: texts, bytes that are texts, long whole numbers, and all of them inside other types.

Only what was found is replaced. A number, or a value of a type that cannot be put together anew, becomes null, or zero
where the schema forbids nulls.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.detectors.among import among
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.tally import Tally

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

types = pa.types

_LONG = 9
"""Digits that a number has at least which may be a value, as in JSON."""
_LARGEST = 2.0**63

Empty = Callable[[pa.DataType, int, bool], pa.Array]
"""Makes values of a type that say nothing."""


def check_schema(schema: pa.Schema, content: Content) -> None:
    """Raises Unfit where a name or the metadata of a schema is, or holds, a value: neither can be replaced."""
    for field in schema:
        if content.found(field.name) is not None:
            raise Unfit("the name of one of its columns is a value that is masked")
    said = [schema.metadata, *(field.metadata for field in schema)]
    for key, value in (pair for metadata in said if metadata for pair in metadata.items()):
        for text in (key.decode("utf-8", "replace"), value.decode("utf-8", "replace")):
            # What the library writes itself, its schema in base64 and the like, says no more than the schema.
            if key != b"ARROW:schema" and content.found(text) is not None:
                raise Unfit("its metadata holds a value that is masked")


def texts(array: pa.Array, field: pa.Field, content: Content, tally: Tally, *, neighbours: bool = True) -> pa.Array:
    """Texts with what the detectors find in them masked. Each value is looked at once.

    `neighbours`: those that follow each other are read as one at their ends; else somebody has done so.
    """
    large = array if types.is_large_string(array.type) else array.cast(pa.large_string())
    found = large.dictionary_encode()
    values = [text if text is not None else "" for text in found.dictionary.to_pylist()]
    name = field.name or ""
    box: list[Any] = [{name: [text]} for text in values]  # in lists, since these are no neighbours
    before = sum(tally.counts.values())
    names = mask_content_of(box, content, tally.counts)
    rows = large.to_pylist() if neighbours and any(" " in text for text in values[:64]) else []
    borders = content.cut(rows)
    if sum(tally.counts.values()) == before and not borders:
        return array
    masked = pa.array([next(iter(row.values()))[0] for row in names], pa.large_string()).take(found.indices)
    if borders:
        shown = masked.to_pylist()
        for place in borders:
            shown[place], shown[place + 1] = content.across(shown[place], shown[place + 1], tally.counts)
        masked = pa.array(shown, pa.large_string())
    return (masked if field.nullable else pc.fill_null(masked, "")).cast(array.type)


def in_bytes(array: pa.Array, field: pa.Field, content: Content, tally: Tally, empty: Empty) -> pa.Array:
    """Bytes that are texts, looked at as texts; of others the texts among them, which are what is left where a value is
    found there.
    """
    plain = array.cast(pa.large_binary())
    values = [_decoded(value) for value in plain.to_pylist()]
    came = pa.array(values, pa.large_string())
    looked = texts(came, pa.field(field.name, pa.large_string()), content, tally)
    if looked.equals(came):
        return array
    gone = pc.and_(pc.is_valid(came), pc.fill_null(pc.not_equal(looked, came), True))
    if types.is_fixed_size_binary(array.type):
        return pc.if_else(gone, empty(array.type, len(array), field.nullable), array)
    new = looked if field.nullable else pc.fill_null(looked, "")
    return pc.if_else(gone, new.cast(pa.large_binary()), plain).cast(array.type)


def numbers(array: pa.Array, field: pa.Field, content: Content, tally: Tally, empty: Empty) -> pa.Array:
    """Whole numbers that are long enough to be a value: as in JSON, they are looked at as they would be written."""
    written = _whole(array)
    if written is None:
        return array
    long = pc.fill_null(pc.greater_equal(pc.utf8_length(written), _LONG), False)
    suspects = pc.unique(written.filter(long)).to_pylist()
    if not suspects:
        return array
    box: list[Any] = [{field.name or "": [text]} for text in suspects]
    before = sum(tally.counts.values())
    masked = mask_content_of(box, content, tally.counts)
    if sum(tally.counts.values()) == before:
        return array
    gone = [text for text, row in zip(suspects, masked, strict=True) if next(iter(row.values()))[0] != text]
    hidden = pc.fill_null(pc.is_in(written, pa.array(gone, pa.string())), False)
    return pc.if_else(hidden, empty(array.type, len(array), field.nullable), array)


def nested(array: pa.Array, field: pa.Field, content: Content, tally: Tally, empty: Empty) -> pa.Array:
    """Lists, structs and maps: each value is looked at as the JSON that it would be."""
    before = sum(tally.counts.values())
    came = [_plain(value) for value in array.to_pylist()]
    box: list[Any] = [[_plain(value)] for value in array.to_pylist()]
    shown = [held[0] for held in mask_content_of(box, content, tally.counts, field.name or "", apart=True)]
    if sum(tally.counts.values()) == before:
        return array
    places = list(range(len(came)))
    made: list[pa.Array] = [array]
    count = len(came)
    for place, (old, new) in enumerate(zip(came, shown, strict=True)):
        if old != new:
            made.append(_again(new, array.type, empty, nullable=field.nullable))
            places[place] = count
            count += 1
    try:
        return pa.concat_arrays(made).take(pa.array(places, pa.int64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return empty(array.type, len(array), field.nullable)


def _again(value: Any, kind: pa.DataType, empty: Empty, *, nullable: bool) -> pa.Array:
    """One masked value of a type, where it can be put together from what is left."""
    if types.is_map(kind) and isinstance(value, list):
        value = [tuple(pair) for pair in value]
    try:
        return pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError, OverflowError):
        return empty(kind, 1, nullable)


def _whole(array: pa.Array) -> pa.Array | None:
    """Whole numbers as texts; null for those that are none. None where the type has none."""
    kind = array.type
    if types.is_integer(kind):
        return array.cast(pa.string()) if kind.bit_width > 16 and _any_long(array) else None
    if types.is_decimal(kind):
        if kind.scale < 0:
            return None
        text = array.cast(pa.string())
        return pc.replace_substring_regex(text, r"\.0+$", "") if kind.scale else text
    if types.is_floating(kind) and kind.bit_width > 16:
        wide = array.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), _LARGEST))
        return pc.if_else(pc.fill_null(whole, False), wide, None).cast(pa.int64()).cast(pa.string())
    return None


def _any_long(array: pa.Array) -> bool:
    """Whether any of these whole numbers is long: most columns hold none, and need not be written out."""
    ends = pc.min_max(array).as_py()
    return ends["max"] is not None and (ends["max"] >= 10**8 or ends["min"] <= -(10**8))


def _plain(value: Any) -> Any:
    """The value in containers of its own, as JSON would have it: maps as pairs, bytes as the texts that they are."""
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case bytes():
            return _decoded(value)
        case float() if value.is_integer() and abs(value) < _LARGEST:
            return int(value)
        case Decimal() if value.is_finite() and value == value.to_integral_value():
            return int(value)
        case _:
            return value


def _decoded(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return among(value)
