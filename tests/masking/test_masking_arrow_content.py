"""Detectors on Arrow and Parquet: whatever the type of a column, a value in it never leaves in clear."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SSN, MAIL, CARD = "536-90-4399", "ada.lovelace@example.org", 4111111111111111
LOOKS = Plan((Obligation("all", "redact", detect=frozenset(("email", "national-id", "card"))),), Methods(b"k" * 32))
TEXT = pa.string()


def written(table: pa.Table, form: str) -> bytes:
    sink = pa.BufferOutputStream()
    if form == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_stream if form == "stream" else pa.ipc.new_file)(sink, table.schema) as writer:
            writer.write_table(table)
    return bytes(sink.getvalue())


MEDIA = {
    "stream": "application/vnd.apache.arrow.stream",
    "file": "application/vnd.apache.arrow.file",
    "parquet": "application/vnd.apache.parquet",
}


def through(table: pa.Table, form: str = "stream") -> tuple[pa.Table, bytes]:
    said = ((b"content-type", MEDIA[form].encode()),)
    found = mask(Reply("GET", 200, said, written(table, form)), LOOKS, (), 1 << 20)
    source = pa.BufferReader(found.body)
    if form == "parquet":
        return pq.read_table(source), found.body
    return (pa.ipc.open_stream if form == "stream" else pa.ipc.open_file)(source).read_all(), found.body


HIDDEN = "[redacted]"
COLUMNS: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "list": (pa.list_(TEXT), [[SSN, "x"], None, ["y"]], [[HIDDEN, "x"], None, ["y"]]),
    "large list": (pa.large_list(TEXT), [["x"], [MAIL]], [["x"], [HIDDEN]]),
    "struct": (
        pa.struct({"a": TEXT, "n": pa.int32(), "b": pa.binary()}),
        [{"a": MAIL, "n": 1, "b": b"q"}, {"a": "x", "n": 2, "b": b"\xff"}],
        [{"a": HIDDEN, "n": 1, "b": b"q"}, {"a": "x", "n": 2, "b": b"\xff"}],
    ),
    "map": (pa.map_(TEXT, TEXT), [[("a", MAIL)], [("b", "c")]], [[("a", HIDDEN)], [("b", "c")]]),
    "number in a list": (pa.list_(pa.int64()), [[CARD], [1, 2]], [None, [1, 2]]),
    "whole number": (pa.int64(), [CARD, 7, None], [None, 7, None]),
    "unsigned": (pa.uint64(), [CARD, 7], [None, 7]),
    "floating": (pa.float64(), [float(CARD), 1.5, float("inf"), 1e300], [None, 1.5, float("inf"), 1e300]),
    "decimal": (pa.decimal128(20, 2), [Decimal(CARD), Decimal("1.50")], [None, Decimal("1.50")]),
    "bytes": (pa.binary(), [MAIL.encode(), b"\xff", None], [HIDDEN.encode(), b"\xff", None]),
    "large bytes": (pa.large_binary(), [b"x", MAIL.encode()], [b"x", HIDDEN.encode()]),
    "bytes that are no UTF-8": (
        pa.binary(),
        [f"Lübeck {SSN}".encode("latin-1"), MAIL.encode("utf-16"), b"\xff\0"],
        [f"beck {HIDDEN}".encode(), HIDDEN.encode(), b"\xff\0"],
    ),
    "bytes in a list": (
        pa.list_(pa.binary()),
        [[b"\xff\0" + MAIL.encode()], [b"\xfe"]],
        [[HIDDEN.encode()], [b"\xfe"]],
    ),
    "bytes of one length": (pa.binary(24), [MAIL.encode(), b"x" * 24], [None, b"x" * 24]),
    "text": (TEXT, [f"my {MAIL}", "x"], [f"my {HIDDEN}", "x"]),
    "moments": (pa.timestamp("us"), [1_700_000_000_000_000], [1_700_000_000_000_000]),
}


@pytest.mark.parametrize("form", MEDIA)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_value_in_a_column_of_any_type(name: str, form: str) -> None:
    kind, values, expected = COLUMNS[name]
    table = pa.table({"x": pa.array(values, kind)})
    got, body = through(table, form)

    assert got["x"].cast(kind).to_pylist() == pa.array(expected, kind).to_pylist()
    assert b"lovelace" not in body and SSN.encode() not in body and CARD.to_bytes(8, "little") not in body


def test_what_may_not_be_null_is_zero_or_empty() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("b", pa.binary(24), nullable=False)])
    got, _ = through(pa.table([[CARD, 5], [MAIL.encode(), b"x" * 24]], schema=schema))
    assert got.to_pylist() == [{"n": 0, "b": bytes(24)}, {"n": 5, "b": b"x" * 24}]


@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([pa.field(MAIL, pa.int8())]),
        pa.schema([pa.field("x", pa.int8())], metadata={"by": MAIL}),
        pa.schema([pa.field("x", pa.int8(), metadata={"by": MAIL})]),
    ],
)
def test_a_value_in_a_schema_is_refused(schema: pa.Schema) -> None:
    with pytest.raises(Refusal, match="is masked"):
        through(pa.table([[1]], schema=schema))


_LEAVES = st.none() | st.sampled_from([SSN, MAIL, "x", "12", "a b"])


@given(st.lists(st.none() | st.lists(st.fixed_dictionaries({"a": _LEAVES, "b": st.lists(_LEAVES)}), max_size=3)))
def test_any_nested_column_leaves_with_its_type_and_without_its_values(values: list[Any]) -> None:
    kind = pa.list_(pa.struct({"a": TEXT, "b": pa.list_(TEXT)}))
    got, body = through(pa.table({"x": pa.array(values, kind)}))
    assert got["x"].type == kind and SSN.encode() not in body and b"lovelace" not in body

    def hide(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: hide(value) for key, value in node.items()}
        if isinstance(node, list):
            return [hide(value) for value in node]
        return HIDDEN if node in (SSN, MAIL) else node

    assert got["x"].to_pylist() == hide(values)
