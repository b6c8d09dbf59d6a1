"""A column of Arrow, masked: it keeps its type and its length.

Texts get the text of the method; all other types become null, or zero where the schema forbids nulls. Columns that owe
nothing are passed as they are, unless JSON in their texts, or a field inside them, owes a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sluicegate.masking import arrow_content, nested
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import REDACTED
from sluicegate.masking.names import normal
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

types = pa.types

_MAYBE_JSON = r'^[ \t\r\n\f\v\x{feff}\x{200b}\x{2060}]*[{\["]'
_MAYBE_JSON_BYTES = r'^(?:[ \t\r\n\f\v]|\x{ef}\x{bb}\x{bf}|\x{e2}\x{80}\x{8b}|\x{e2}\x{81}\x{a0})*[{\["]'


def mask_column(array: pa.Array, field: pa.Field, hit: Hit | None, plan: Plan, tally: Tally) -> pa.Array:
    """The column as it may leave. Raises Unfit where its type has no masked form."""
    if hit is not None:
        return masked(array, field.nullable, hit)
    return guarded(array, field, plan, tally)


def masked(array: pa.Array, nullable: bool, hit: Hit) -> pa.Array:
    """An array of the same type and length, in which nothing of the values is left."""
    kind = array.type
    if hit.manner.on_match == "refuse":
        hit.apply([None] * len(array))  # whatever the method is, and the type
    if hit.method == "null":
        return empty(kind, len(array), nullable)
    if _is_text(kind):
        return _texts(array, nullable, hit)
    if types.is_binary(kind) or types.is_large_binary(kind):
        return _bytes(array, nullable, hit)
    if types.is_dictionary(kind) and (_is_text(kind.value_type) or types.is_binary(kind.value_type)):
        return _encoded(masked(array.dictionary_decode(), nullable, hit), kind)
    if types.is_run_end_encoded(kind) and _is_text(kind.value_type):
        plain = masked(pc.run_end_decode(array), nullable, hit)
        return pc.run_end_encode(plain, run_end_type=kind.run_end_type)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_temporal(kind):
        return _plain_values(array, nullable, hit)
    return empty(kind, len(array), nullable)


def _plain_values(array: pa.Array, nullable: bool, hit: Hit) -> pa.Array:
    """Numbers and moments: as the method leaves them where that is of their type, else null or zero."""
    kind = array.type
    if types.is_date(kind) or types.is_timestamp(kind):
        if hit.method == "date":
            return pc.floor_temporal(array, unit=hit.manner.grain).cast(kind)
        return empty(kind, len(array), nullable)
    if types.is_temporal(kind) or (hit.method != "number" and not (hit.manner.typed and hit.method in ("hmac", "fpe"))):
        if hit.manner.typed:
            zeros = empty(kind, len(array), False)
            return pc.if_else(array.is_valid(), zeros, pa.scalar(None, kind)) if nullable else zeros
        return empty(kind, len(array), nullable)
    wide = array.cast(pa.float64()) if types.is_floating(kind) else array
    found = wide.dictionary_encode()
    names = [_of_kind(new, kind) for new in hit.apply([_json_number(v) for v in found.dictionary.to_pylist()])]
    try:
        made = pa.array(names, wide.type).take(found.indices).cast(kind)
    except (pa.ArrowInvalid, OverflowError):
        return empty(kind, len(array), nullable)  # the type has no place for what came out
    return made if nullable else pc.fill_null(made, pa.scalar(0).cast(kind))


def _json_number(value: Any) -> Any:
    """A number of Arrow as it would be decoded from JSON."""
    if value is None or isinstance(value, int):
        return value
    return msgspec.Raw((f"{value:f}" if isinstance(value, Decimal) else repr(value)).encode())


def _of_kind(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, msgspec.Raw):
        value = Decimal(bytes(value).decode())
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        return None
    if types.is_decimal(kind):
        return Decimal(value)
    if types.is_integer(kind):
        width = kind.bit_width - (not types.is_unsigned_integer(kind))
        return int(value) if value < 0 else int(value) % (1 << width)
    return float(value)


def empty(kind: pa.DataType, length: int, nullable: bool) -> pa.Array:
    """Nulls, or where there may be none, zeros and empty texts. Raises Unfit for nested types without nulls."""
    if nullable or types.is_null(kind):
        return pa.nulls(length, kind)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, empty(kind.storage_type, length, nullable))
    if types.is_dictionary(kind):
        return _encoded(empty(kind.value_type, length, nullable), kind)
    if _is_text(kind) or types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.repeat(pa.scalar("", pa.string()), length).cast(kind)
    try:
        size = (length * kind.bit_width + 7) // 8
    except ValueError:
        raise Unfit("a masked column is of a nested type and may not be null") from None
    return pa.Array.from_buffers(kind, length, [None, pa.py_buffer(bytes(size))])


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _texts(array: pa.Array, nullable: bool, hit: Hit) -> pa.Array:
    kind = array.type
    if hit.method == "redact":
        return pa.repeat(pa.scalar(REDACTED, pa.string()), len(array)).cast(kind)
    large = array if types.is_large_string(kind) else array.cast(pa.large_string())
    # Values repeat: each is masked once.
    found = large.dictionary_encode()
    names = pa.array(hit.apply(found.dictionary.to_pylist()), pa.large_string())
    made = names.take(found.indices)
    if not nullable:
        made = pc.fill_null(made, "")
    return made.cast(kind)


def _bytes(array: pa.Array, nullable: bool, hit: Hit) -> pa.Array:
    # Some services call their texts binary.
    try:
        texts = array.cast(pa.large_string())
    except pa.ArrowInvalid:
        if hit.method != "redact":
            return empty(array.type, len(array), nullable)
        texts = pa.nulls(len(array), pa.large_string())
    return _texts(texts, nullable, hit).cast(array.type)


def _encoded(plain: pa.Array, kind: pa.DictionaryType) -> pa.Array:
    found = plain.dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        found.indices.cast(kind.index_type), found.dictionary.cast(kind.value_type), ordered=kind.ordered
    )


def guarded(array: pa.Array, field: pa.Field, plan: Plan, tally: Tally) -> pa.Array:
    """A column that owes nothing itself: JSON in its texts, and fields inside it, may."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        inside = guarded(array.storage, field.with_type(kind.storage_type), plan, tally)
        return array if inside is array.storage else pa.ExtensionArray.from_storage(kind, inside)
    if types.is_dictionary(kind):
        values = guarded(array.dictionary, field.with_type(kind.value_type), plan, tally)
        return array if values is array.dictionary else _encoded(values.take(array.indices), kind)
    if types.is_run_end_encoded(kind):
        plain = pc.run_end_decode(array)
        found = guarded(plain, field.with_type(kind.value_type), plan, tally)
        return array if found is plain else pc.run_end_encode(found, run_end_type=kind.run_end_type)
    if _is_text(kind):
        if plan.content is not None:
            array = arrow_content.texts(array, field, plan.content, tally)
        return in_texts(array, plan, tally)
    if _is_bytes(kind):
        if plan.content is not None:
            array = arrow_content.in_bytes(array, field, plan.content, tally, empty)
        return array if types.is_fixed_size_binary(kind) else _json_texts(array, plan, tally, _decoded)
    if plan.content is not None and not types.is_nested(kind):
        return arrow_content.numbers(array, field, plan.content, tally, empty)
    if types.is_nested(kind) and _speaks(kind, plan):
        walk = Walk(plan, 0)
        for value in _objects(array, kind):
            walk.value(value, plan.start, 0, "")
        if walk.counts:
            # What is inside cannot be taken out of every type, so nothing of it leaves.
            tally.add(walk.counts)
            return empty(kind, len(array), field.nullable)
    if types.is_nested(kind) and plan.content is not None:
        return arrow_content.nested(array, field, plan.content, tally, empty)
    return array


def in_texts(array: pa.Array, plan: Plan, tally: Tally) -> pa.Array:
    """Texts in which JSON is masked."""
    return _json_texts(array, plan, tally, lambda text: text)


def _is_bytes(kind: pa.DataType) -> bool:
    plain = types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    return bool(plain or types.is_fixed_size_binary(kind))


def _json_texts(array: pa.Array, plan: Plan, tally: Tally, text_of: Callable[[Any], str | None]) -> pa.Array:
    kind = array.type
    if _no_json(array):
        return array
    large = pa.large_string() if _is_text(kind) else pa.large_binary()
    plain = array if kind == large else array.cast(large)
    suspects = pc.match_substring_regex(plain, _MAYBE_JSON if _is_text(kind) else _MAYBE_JSON_BYTES)
    if not pc.any(suspects).as_py():
        return array
    places = pc.indices_nonzero(pc.fill_null(suspects, False))
    walk = Walk(plan, 0)
    found = []
    for value in plain.take(places).to_pylist():
        text = text_of(value)
        new = value if text is None else walk.value(text, plan.start, 0, "")
        found.append(new.encode() if isinstance(new, str) and isinstance(value, bytes) else new)
    if not walk.counts:
        return array
    tally.add(walk.counts)
    made = pc.replace_with_mask(plain, pc.fill_null(suspects, False), pa.array(found, large))
    return made.cast(kind)


def _no_json(array: pa.Array) -> bool:
    """Whether none of the values can be JSON, since no sign that it begins with is in any of them."""
    wide = types.is_large_string(array.type) or types.is_large_binary(array.type)
    if not (wide or types.is_string(array.type) or types.is_binary(array.type)):
        return False
    _, offsets, data = array.buffers()
    if data is None or offsets is None or not len(array):
        return len(array) == int(array.null_count)
    places = memoryview(offsets).cast("b").cast("q" if wide else "i")
    first, last = places[array.offset], places[array.offset + len(array)]
    values = bytes(data.slice(first, last - first))
    return not any(sign in values for sign in _SIGNS)


_SIGNS = tuple(sign.encode() for sign in nested.BEGINNINGS)


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _speaks(kind: pa.DataType, plan: Plan) -> bool:
    """Whether a nested type holds texts, which may be names or JSON, or a field whose name owes a mask."""
    if types.is_map(kind):
        return True
    if types.is_struct(kind) or types.is_union(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return any(_owes(field.name, plan) or _speaks(field.type, plan) for field in fields)
    if types.is_nested(kind):
        return _speaks(kind.value_type, plan)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _speaks(kind.value_type, plan)
    if isinstance(kind, pa.BaseExtensionType):
        return _speaks(kind.storage_type, plan)
    return _is_text(kind) or bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _owes(name: str, plan: Plan) -> bool:
    return normal(name) in plan.columns or plan.start.move(name)[1] is not None


def _objects(array: pa.Array, kind: pa.DataType) -> list[Any]:
    return [_plain(value) for value in array.to_pylist()]


def _plain(value: Any) -> Any:
    """The value with maps as objects, and bytes as the texts that they may be."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(entry, tuple) and len(entry) == 2 for entry in value):
            # Of a key that comes twice both values count; which one a client takes is not known.
            return [{key if isinstance(key, str) else str(key): _plain(inner)} for key, inner in value]
        return [_plain(inner) for inner in value]
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return _decoded(value)
    return value
