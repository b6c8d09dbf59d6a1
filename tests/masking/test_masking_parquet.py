"""Parquet: nothing of a masked column stays in pages, dictionaries or statistics, and the file opens as before."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Method, Obligation, Output, Rows
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-6789"
METHODS = Methods(b"k" * 32)
KIND = "application/vnd.apache.parquet"


def plan(method: Method = "redact") -> Plan:
    return Plan((Obligation("ids", method, frozenset({"ssn"})),), METHODS)


def write(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(body: bytes) -> pa.Table:
    table = pq.read_table(io.BytesIO(body))
    table.validate(full=True)
    return table


def send(body: bytes, owed: Plan, told: Delivery | None = None, kind: str = KIND, limit: int = 1 << 22) -> Masked:
    return mask(Reply("GET", 200, ((b"content-type", kind.encode()),), body), owed, (), limit, told)


def refused(*args: Any, **how: Any) -> str:
    with pytest.raises(Refusal) as caught:
        send(*args, **how)
    assert SECRET not in caught.value.detail
    return caught.value.detail


TABLE = pa.table(
    {
        "id": [1, 2, 3],
        "ssn": [SECRET, None, "abc"],
        "when": pa.array([dt.datetime(2001, 2, 3)] * 3, pa.timestamp("ms")),
        "tags": [["a"], [], None],
        "who": [{"a": 1}, None, {"a": 2}],
    }
)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"write_page_index": True}, {"version": "1.0"}])
@pytest.mark.parametrize("method", ["redact", "null", "last4", "hmac"])
def test_nothing_of_a_masked_column_stays(codec: str, options: Any, method: Method) -> None:
    table = TABLE.replace_schema_metadata({"k": "v"})
    body = write(table, compression=codec, row_group_size=2, **options)
    assert SECRET.encode() in write(table, compression="none", **options)
    masked = send(body, plan(method)).body
    file = pq.ParquetFile(io.BytesIO(masked))
    assert SECRET not in str([file.metadata.row_group(0).column(1).statistics, read(masked).column("ssn")])
    if codec == "none":
        assert SECRET.encode() not in masked
    assert file.schema_arrow.equals(pq.ParquetFile(io.BytesIO(body)).schema_arrow, check_metadata=True)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2, 1]
    assert file.metadata.row_group(0).column(0).compression == ("UNCOMPRESSED" if codec == "none" else codec.upper())
    assert read(masked).drop_columns("ssn").equals(read(body).drop_columns("ssn"))


@pytest.mark.parametrize("kind", ["application/octet-stream", "binary/octet-stream", "application/x-parquet"])
def test_bytes_that_say_what_they_are(kind: str) -> None:
    assert SECRET.encode() not in send(write(TABLE), plan(), kind=kind).body
    refused(b"PAR1" + SECRET.encode(), plan(), kind=kind)


def test_by_position_and_in_base64() -> None:
    columns = (Output("id"), Output("x", frozenset({("emp", "ssn")}), True))
    table = TABLE.select(["id", "ssn"]).rename_columns(["id", "x"])
    told = Delivery((Rows("parquet", columns=columns),))
    assert read(send(write(table), plan("last4"), told, "text/html").body)["x"].to_pylist() == [
        "****6789",
        None,
        "****c",
    ]
    told = Delivery((Rows("parquet", "$.d", base64=True, columns=columns),))
    body = json.dumps({"d": base64.b64encode(write(table)).decode()}).encode()
    masked = json.loads(send(body, plan(), told, "application/json").body)
    assert read(base64.b64decode(masked["d"]))["x"].to_pylist() == ["[redacted]"] * 3
    refused(write(TABLE), plan(), Delivery((Rows("parquet", columns=columns),)))
    refused(write(table), plan(), Delivery((Rows("arrow", columns=columns),)))


def test_old_timestamps_stay_old_timestamps() -> None:
    body = write(TABLE, use_deprecated_int96_timestamps=True)
    masked = send(body, plan()).body
    assert pq.ParquetFile(io.BytesIO(masked)).schema.column(2).physical_type == "INT96"
    assert read(masked)["when"].equals(read(body)["when"])


def test_no_rows_and_nested_columns() -> None:
    assert read(send(write(TABLE.slice(0, 0)), plan()).body).num_rows == 0
    nested = pa.table({"a": [{"ssn": SECRET, "n": 1}], "b": [[json.dumps({"ssn": SECRET})]], "c": [1]})
    masked = read(send(write(nested, compression="none"), plan()).body)
    assert SECRET not in str(masked.to_pylist())
    assert masked.schema == nested.schema
    assert masked["c"].to_pylist() == [1]


GOOD = write(TABLE)


@pytest.mark.parametrize("body", [GOOD[:-1], GOOD[1:], GOOD + b"x", b"PAR1PAR1PAR1", GOOD[:50] + GOOD[-50:], b"{}"])
def test_broken_files_are_refused(body: bytes) -> None:
    refused(body, plan())


def test_bombs_are_refused() -> None:
    bomb = write(pa.table({"ssn": ["0" * (1 << 20)] * 8}), use_dictionary=False, compression="zstd")
    assert len(bomb) < 1 << 14
    assert "too large" in refused(bomb, plan(), limit=1 << 20)
    repeated = write(pa.table({"ssn": ["0" * (1 << 10)] * (1 << 12)}), compression="zstd")
    assert "too large" in refused(repeated, plan(), limit=1 << 20)


@given(st.binary(min_size=1, max_size=8), st.integers(0, len(GOOD) - 1))
def test_damaged_bytes_are_masked_or_refused(junk: bytes, at: int) -> None:
    body = GOOD[:at] + junk + GOOD[at + len(junk) :]
    try:
        masked = send(body, plan(), limit=1 << 16)
    except Refusal:
        return
    if "ssn" in pq.ParquetFile(pa.BufferReader(body)).schema_arrow.names:  # else it is another column now
        assert SECRET.encode() not in masked.body
