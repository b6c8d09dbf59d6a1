"""Arrow IPC: every type keeps its type, no byte of a masked value stays anywhere, and broken input never leaves."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Method, Obligation, Output, Rows
from sluicegate.masking.arrow_columns import mask_column
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

SECRET = "123-45-6789"
METHODS = Methods(b"k" * 32)
STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"


def plan(method: Method = "redact", *, dataset: str | None = None) -> Plan:
    return Plan((Obligation("ids", method, frozenset({"ssn"}), dataset=dataset),), METHODS)


def stream(table: pa.Table | pa.RecordBatch, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


def file(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


def read(body: bytes) -> pa.Table:
    opened = pa.ipc.open_file(body) if body[:6] == b"ARROW1" else pa.ipc.open_stream(body)
    table = opened.read_all()
    table.validate(full=True)
    return table


def send(body: bytes, owed: Plan, delivery: Delivery | None = None, kind: str = "", limit: int = 1 << 22) -> Masked:
    kind = kind or (FILE if body[:6] == b"ARROW1" else STREAM)
    return mask(Reply("GET", 200, ((b"content-type", kind.encode()),), body), owed, (), limit, delivery)


def refused(body: bytes, owed: Plan, delivery: Delivery | None = None, kind: str = "", limit: int = 1 << 22) -> str:
    with pytest.raises(Refusal) as caught:
        send(body, owed, delivery, kind, limit)
    assert SECRET not in caught.value.detail
    return caught.value.detail


# -- types --------------------------------------------------------------------------------------------------------

TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
BYTES = [pa.binary(), pa.large_binary()]
DAY = dt.date(2001, 2, 3)
OTHERS: list[tuple[pa.DataType, Any]] = [
    (pa.int8(), 77),
    (pa.uint64(), 77777777777),
    (pa.float32(), 7.5),
    (pa.float64(), 777.25),
    (pa.bool_(), True),
    (pa.decimal128(12, 2), decimal.Decimal("7777.77")),
    (pa.decimal256(50, 2), decimal.Decimal("7777.77")),
    (pa.date32(), DAY),
    (pa.date64(), DAY),
    (pa.timestamp("us", "UTC"), dt.datetime(2001, 2, 3, tzinfo=dt.UTC)),
    (pa.time64("us"), dt.time(1, 2, 3)),
    (pa.duration("s"), dt.timedelta(7)),
    (pa.binary(11), SECRET.encode()),
    (pa.binary_view(), SECRET.encode()),
    (pa.list_(pa.string()), [SECRET]),
    (pa.list_(pa.float32(), 2), [1.0, 2.0]),
    (pa.struct([("a", pa.string())]), {"a": SECRET}),
    (pa.map_(pa.string(), pa.string()), [("a", SECRET)]),
    (pa.dictionary(pa.int8(), pa.int64()), 77),
    (pa.uuid(), b"0123456789abcdef"),
    (pa.json_(), json.dumps(SECRET)),
]


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("kind", TEXTS, ids=str)
@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("redact", ["[redacted]", "[redacted]", "[redacted]"]),
        ("null", [None, None, None]),
        ("last4", ["****6789", None, "****bc"]),
    ],
)
def test_texts_get_the_text_of_the_method(write: Any, kind: pa.DataType, method: Method, wanted: Any) -> None:
    table = pa.table({"ssn": pa.array([SECRET, None, "abcd"], kind), "id": [1, 2, 3]})
    wanted = [w if w != "****bc" else "****cd" for w in wanted]
    for kept in (table, table.set_column(0, "ssn", table.column(0).cast(pa.string()).dictionary_encode())):
        body = send(write(kept), plan(method)).body
        assert SECRET.encode() not in body
        masked = read(body)
        assert masked.schema == kept.schema
        assert masked.column("ssn").to_pylist() == wanted
        assert masked.column("id").to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("method", ["redact", "null", "last4", "hmac"])
@pytest.mark.parametrize("kind", BYTES, ids=str)
@pytest.mark.parametrize("value", [SECRET.encode(), b"\xff" + SECRET.encode()])
def test_bytes_stay_bytes(kind: pa.DataType, method: Method, value: bytes) -> None:
    table = pa.table({"ssn": pa.array([value], kind)})
    body = send(stream(table), plan(method)).body
    assert SECRET.encode() not in body
    assert read(body).schema == table.schema


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("method", ["redact", "null", "last4", "hmac"])
@pytest.mark.parametrize(("kind", "value"), OTHERS, ids=[str(kind) for kind, _ in OTHERS])
def test_other_types_become_null(write: Any, method: Method, kind: pa.DataType, value: Any) -> None:
    array = pa.array([value, value], kind)
    table = pa.table({"ssn": array, "id": [1, 2], "same": pa.array([SECRET, "x"])})
    masked = read(send(write(table.drop_columns("same")), plan(method)).body)
    assert masked.schema == table.drop_columns("same").schema
    assert masked.column("ssn").to_pylist() == [None, None]
    assert masked.column("id").to_pylist() == [1, 2]
    # The same values in a column that owes nothing are as they were.
    clear = table.rename_columns(["other", "id", "same"])
    assert read(send(write(clear), plan(method)).body).equals(clear)


@pytest.mark.parametrize("method", ["redact", "null", "last4", "hmac"])
@pytest.mark.parametrize(
    ("kind", "value"), [*((kind, SECRET) for kind in TEXTS), *((k, v) for k, v in OTHERS if not pa.types.is_nested(k))]
)
def test_columns_that_may_not_be_null_are_zero_or_empty(method: Method, kind: pa.DataType, value: Any) -> None:
    schema = pa.schema([pa.field("ssn", kind, nullable=False)])
    table = pa.table([pa.array([value], kind)], schema=schema)
    if kind == pa.json_():
        return  # an empty text is no JSON, and there is no other that says nothing for certain
    masked = read(send(stream(table), plan(method)).body)
    assert masked.schema == schema
    assert masked.column(0).null_count == 0
    assert str(masked.column(0)[0].as_py()) != str(value)


def test_a_nested_column_that_may_not_be_null_is_refused() -> None:
    schema = pa.schema([pa.field("ssn", pa.list_(pa.string()), nullable=False)])
    refused(stream(pa.table([[[SECRET]]], schema=schema)), plan())


def test_run_ends_stay_run_ends() -> None:
    array = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([SECRET, None]))
    batch = pa.record_batch({"ssn": array, "x": array})
    body = send(stream(batch), Plan((Obligation("i", "last4", frozenset({"ssn", "x"})),), METHODS)).body
    assert SECRET.encode() not in body
    assert read(body).schema == batch.schema
    assert read(body).column("ssn").to_pylist() == ["****6789", "****6789", None]


# -- names, positions, what is inside -----------------------------------------------------------------------------


def test_positions_and_origins() -> None:
    columns = (
        Output("ID", frozenset({("emp", "id")})),
        Output("X", frozenset({("emp", "ssn")}), copied=True),
        Output("Y", frozenset({("emp", "ssn")})),
        Output("Z", None),
    )
    table = pa.table({"ID": [1], "X": [SECRET], "Y": [SECRET], "Z": [SECRET]})
    told = Delivery((Rows("arrow", columns=columns),))
    masked = read(send(stream(table), plan("last4", dataset="emp"), told, kind="text/html").body)
    assert masked.to_pylist() == [{"ID": 1, "X": "****6789", "Y": "[redacted]", "Z": "[redacted]"}]
    refused(stream(table.drop_columns("Z")), plan(), told)
    # The service's name is a second line.
    told = Delivery((Rows("arrow", columns=(Output("x", frozenset()),)),))
    assert read(send(stream(pa.table({"ssn": [SECRET]})), plan("last4"), told).body)["ssn"].to_pylist() == [
        "[redacted]"
    ]


def test_in_base64_in_json() -> None:
    columns = (Output("ID"), Output("X", frozenset({("emp", "ssn")}), copied=True))
    told = Delivery((Rows("arrow", "$.data.rowsetBase64", base64=True, columns=columns),))
    text = base64.b64encode(stream(pa.table({"ID": [1], "X": [SECRET]}))).decode()
    body = {"data": {"rowtype": [{"name": "ID"}, {"name": "X"}], "rowsetBase64": text, "total": 1}, "success": True}
    masked = json.loads(send(json.dumps(body).encode(), plan("last4"), told, "application/json").body)
    assert read(base64.b64decode(masked["data"]["rowsetBase64"])).to_pylist() == [{"ID": 1, "X": "****6789"}]
    assert {**masked["data"], "rowsetBase64": text} == body["data"]
    for wrong in ("!", text[:-8], text + "AAAA", 5, [text], base64.b64encode(b"{}").decode()):
        refused(json.dumps({"data": {"rowsetBase64": wrong}}).encode(), plan(), told, "application/json")
    empty = b'{"data":{"rowsetBase64":"","total":0}}'
    assert send(empty, plan(), told, "application/json").body == empty


@pytest.mark.parametrize(
    "array",
    [
        pa.array([{"id": 1, "ssn": SECRET}]),
        pa.array([[{"ssn": SECRET}]]),
        pa.array([{"a": {"SSN": [SECRET]}}]),
        pa.array([[("ssn", SECRET)]], pa.map_(pa.string(), pa.string())),
        pa.array([[json.dumps({"ssn": SECRET})]]),
        pa.array([json.dumps({"ssn": SECRET}), "x"]),
        pa.array([" \ufeff" + json.dumps([{"ssn": SECRET}])], pa.large_string()),
        pa.array([json.dumps({"ssn": SECRET})], pa.string_view()),
        pa.array([json.dumps({"ssn": SECRET}), "x"]).dictionary_encode(),
        pa.array([json.dumps({"ssn": SECRET}).encode()]),
        pa.array([[json.dumps({"ssn": SECRET}).encode()]]),
        pa.array([json.dumps({"ssn": SECRET})], pa.json_()),
    ],
    ids=lambda array: str(array.type),
)
def test_what_is_inside_a_column_is_masked(array: pa.Array) -> None:
    table = pa.table({"note": array, "id": pa.array(range(len(array)))})
    for body in (send(stream(table), plan()).body, send(file(table), plan()).body):
        assert SECRET.encode() not in body
        assert read(body).schema == table.schema
        assert read(body).column("id").equals(table.column("id"))


def test_broken_json_in_a_text_that_holds_a_masked_column_is_refused() -> None:
    refused(stream(pa.table({"note": ['{"ssn": "' + SECRET + '"} {']})), plan())


@pytest.mark.parametrize("path", ["$..ssn", "$.rows[*].ssn", "$[*].ssn"])
def test_paths_that_mean_a_column(path: str) -> None:
    owed = Plan((Obligation("p", "redact", path=path),), METHODS)
    assert read(send(stream(pa.table({"ssn": [SECRET], "id": [1]})), owed).body).to_pylist() == [
        {"ssn": "[redacted]", "id": 1}
    ]


@pytest.mark.parametrize("path", ["$", "$.rows", "$.rows[0].ssn", "$.rows[*].a.ssn", "$.ssn", "$.rows[*][1]", "$..*"])
def test_paths_that_mean_nothing_in_a_table_are_refused(path: str) -> None:
    refused(stream(pa.table({"ssn": [SECRET]})), Plan((Obligation("p", "redact", path=path),), METHODS))


# -- the format ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
@pytest.mark.parametrize("write", [stream, file])
def test_metadata_batches_and_compressed_buffers(write: Any, codec: str | None) -> None:
    schema = pa.schema(
        [pa.field("ssn", pa.string(), metadata={"logicalType": "TEXT"}), pa.field("n", pa.int64())],
        metadata={"pandas": "{}", "k": "v"},
    )
    table = pa.table([pa.chunked_array([[SECRET] * 500, [SECRET]]), pa.chunked_array([range(500), [7]])], schema=schema)
    masked = read(send(write(table, compression=codec), plan()).body)
    assert masked.schema.equals(schema, check_metadata=True)
    assert [len(chunk) for chunk in masked.column(0).chunks] == [500, 1]
    assert masked.column("n").equals(table.column("n"))


@pytest.mark.parametrize("write", [stream, file])
def test_dictionaries_that_change_between_batches(write: Any) -> None:
    first, second = pa.array([SECRET, "a"]).dictionary_encode(), pa.array(["b", SECRET]).dictionary_encode()
    table = pa.table({"ssn": pa.chunked_array([first, second]), "d": pa.chunked_array([first, second])})
    owed = Plan((Obligation("i", "hmac", frozenset({"ssn"})),), METHODS)
    body = write(table.drop_columns("d"), unify_dictionaries=True)
    masked = read(send(body, owed).body).column("ssn").to_pylist()
    assert masked[0] == masked[3] != masked[1]
    assert SECRET.encode() not in send(body, owed).body


def test_nothing_hides_behind_nulls_or_in_unused_dictionary_entries() -> None:
    hidden = pa.Array.from_buffers(
        pa.string(),
        1,
        [pa.py_buffer(b"\0"), pa.py_buffer(b"\0\0\0\0\x0b\0\0\0"), pa.py_buffer(SECRET.encode())],
        null_count=1,
    )
    unused = pa.DictionaryArray.from_arrays(pa.array([1], pa.int8()), pa.array([SECRET, "x"]))
    for array in (hidden, unused):
        for method in ("redact", "null", "last4", "hmac"):
            assert SECRET.encode() not in send(stream(pa.table({"ssn": array})), plan(method)).body  # type: ignore[arg-type]


def test_no_batches_and_no_columns() -> None:
    for write in (stream, file):
        assert read(send(write(pa.table({"ssn": pa.array([], pa.string())})), plan()).body).num_rows == 0
        assert read(send(write(pa.table({})), plan()).body).num_columns == 0


GOOD = stream(pa.table({"ssn": [SECRET, "x"], "id": [1, 2]}))


@pytest.mark.parametrize(
    "body",
    [
        GOOD + GOOD,
        GOOD + b"x",
        GOOD[5:],
        GOOD[:-9],
        GOOD[: len(GOOD) // 2],
        b"[]",
        b"ARROW1",
        b"ARROW1\0\0ARROW1",
        b"PAR1",
    ],
)
@pytest.mark.parametrize("kind", [STREAM, FILE])
def test_what_is_not_one_whole_body_is_refused(body: bytes, kind: str) -> None:
    refused(body, plan(), kind=kind)


def test_one_format_is_not_taken_for_the_other() -> None:
    refused(GOOD, plan(), kind=FILE)
    refused(file(pa.table({"ssn": [SECRET]})), plan(), kind=STREAM)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("encode", [True, False])
def test_bombs_are_refused_before_they_go_off(write: Any, codec: str, encode: bool) -> None:
    array = pa.array(["0" * (1 << 22), "1"])
    body = write(pa.table({"note": array.dictionary_encode() if encode else array}), compression=codec)
    before = pa.total_allocated_bytes()
    with (
        patch("pyarrow.ipc.open_stream", side_effect=AssertionError),
        patch("pyarrow.ipc.open_file", side_effect=AssertionError),
    ):
        assert "too large" in refused(body, plan(), limit=1 << 20)
    assert pa.total_allocated_bytes() - before < 1 << 20
    assert send(body, plan(), limit=1 << 25).body


def test_bombs_are_refused() -> None:
    big = stream(pa.table({"ssn": ["0" * (1 << 20)]}), compression="zstd")
    assert len(big) < 1 << 12
    assert "too large" in refused(big, plan(), limit=1 << 16)
    rows = stream(pa.table({"ssn": pa.nulls(1 << 22)}))
    assert "too large" in refused(rows, plan(), limit=1 << 16)


@given(st.binary(max_size=8), st.integers(0, len(GOOD) - 1))
def test_damaged_bytes_are_masked_or_refused(junk: bytes, at: int) -> None:
    body = GOOD[:at] + junk + GOOD[at + len(junk) :]
    try:
        masked = send(body, plan())
    except Refusal:
        return
    read(masked.body)


# -- compared with a naive implementation -------------------------------------------------------------------------

COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), st.text("abé1 ", max_size=5)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=4, max_size=4),
)


@given(st.lists(COLUMN, min_size=1, max_size=5), st.data(), st.sampled_from([None, "lz4", "zstd"]))
def test_as_a_naive_masking_would(columns: list[list[Any]], data: st.DataObject, codec: str | None) -> None:
    owes = [data.draw(st.booleans()) for _ in columns]
    table = pa.table({f"c{i}": pa.array(column) for i, column in enumerate(columns)})
    outputs = tuple(Output(f"c{i}", frozenset({("emp", "ssn" if o else "id")})) for i, o in enumerate(owes))
    wanted = [
        (["[redacted]"] * 4 if pa.types.is_string(table.schema.field(i).type) else [None] * 4) if owes[i] else column
        for i, column in enumerate(columns)
    ]
    for name, write in (("arrow", stream), ("arrow-file", file)):
        told = Delivery((Rows(name, columns=outputs),))  # type: ignore[arg-type]
        masked = read(send(write(table, compression=codec), plan(), told).body)
        assert masked.schema == table.schema
        assert [masked.column(i).to_pylist() for i in range(len(columns))] == wanted


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view()])
@pytest.mark.parametrize("where", [0, 3, 5])
def test_json_is_found_in_a_part_of_a_column(kind: pa.DataType, where: int) -> None:
    """Whether a column can hold JSON is told from its bytes, of which a part of a longer column has its own."""
    texts = ["plain", None, "", "x", "ü", "end"]
    texts[where] = json.dumps({"ssn": SECRET})
    values = ["[before]", *texts, '{"behind": 1}']
    column = pa.array([v if v is None else v.encode() for v in values], pa.binary()).cast(kind)
    for begin, length in ((1, 6), (1 + where, 1), (0, 8)):
        part, tally = column.slice(begin, length), Tally()
        got = mask_column(part, pa.field("note", kind), None, plan(), tally).cast(pa.large_binary()).to_pylist()
        assert len(got) == length and sum(b'"ssn"' in (value or b"") for value in got) == 1
        assert SECRET.encode() not in b"".join(value or b"" for value in got)
        assert sum(tally.counts.values()) == 1
    for begin, length in ((2 + where, 0), (1, where)):
        part = column.slice(begin, length)
        assert mask_column(part, pa.field("note", kind), None, plan(), Tally()).equals(part)
