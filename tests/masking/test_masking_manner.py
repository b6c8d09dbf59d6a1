"""Globs, aliases, what is taken out, refused or only reported: through whole bodies."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mitmproxy.test import tflow, tutils

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Exchange, Obligation, Output, Rows, Verdict
from sluicegate.mask_method import Manner
from sluicegate.masking.addon import MaskingAddon
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import REDACTED, Methods
from sluicegate.masking.rules import Plan
from sluicegate.settings import Settings

METHODS = Methods(b"k" * 32)
SSN = "123-45-6789"


def owe(method: Any, *columns: str, id: str = "m", path: str | None = None, **manner: Any) -> Obligation:
    return Obligation(id, method, frozenset(columns), path, manner=Manner(**manner))


def masked(body: bytes, media: str, *owed: Obligation, delivery: Delivery | None = None) -> bytes:
    reply = Reply("GET", 200, ((b"content-type", media.encode()),), body)
    return mask(reply, Plan(owed, METHODS), (), 1 << 20, delivery).body


def document(value: Any, *owed: Obligation) -> Any:
    return json.loads(masked(json.dumps(value).encode(), "application/json", *owed))


@pytest.mark.parametrize("name", ["home_ssn", "HOME_SSN", "home_ѕsn", "my\u200bhome_ssn", "_ssn"])
def test_globs_mask_every_name_that_fits(name: str) -> None:
    assert document({"rows": [{"id": 1, name: SSN}]}, owe("redact", "*_ssn"))["rows"][0][name] == REDACTED
    assert document([{name: SSN}] * 3, owe("redact", "*_ssn"))[2][name] == REDACTED


def test_globs_leave_other_names_and_never_loosen_a_mask() -> None:
    found = document({"ssn": SSN, "city": "x"}, owe("redact", "*_ssn"))
    assert found == {"ssn": SSN, "city": "x"}
    both = (owe("last4", "tax_id", id="a"), owe("redact", "tax_*", id="b"))
    assert document({"tax_id": SSN}, *both) == document({"tax_id": SSN}, *reversed(both)) == {"tax_id": REDACTED}
    assert document({"tax_id": SSN}, owe("redact", "tax_id", id="a"), owe("last4", "t*", id="b")) == {
        "tax_id": REDACTED
    }
    assert document({"[ssn]": SSN}, owe("redact", "ss?")) == {"[ssn]": REDACTED}


def test_globs_reach_tables_and_origins() -> None:
    assert masked(b"id,home_ssn\n1,123-45-6789\n", "text/csv", owe("redact", "*_ssn")) == b"id,home_ssn\n1,[redacted]\n"
    columns = (Output("x", frozenset({("people", "home_ssn")}), copied=True),)
    told = Delivery((Rows(path="$.rows", shape="arrays", columns=columns),))
    owed = Obligation("m", "redact", frozenset({"*_ssn"}), dataset="people")
    body = json.dumps({"rows": [[SSN]]}).encode()
    assert json.loads(masked(body, "application/json", owed, delivery=told)) == {"rows": [[REDACTED]]}


def test_dropped_members_are_gone_and_positions_are_null() -> None:
    owed = owe("drop", "ssn")
    rows = [{"id": n, "ssn": SSN, "x": [{"ssn": SSN}]} for n in range(3)]
    assert document({"rows": rows}, owed) == {"rows": [{"id": n, "x": [{}]} for n in range(3)]}
    assert document([{"id": n, "ssn": SSN} for n in range(300)], owed) == [{"id": n} for n in range(300)]
    assert document({"t": json.dumps({"ssn": SSN, "a": 1})}, owed) == {"t": '{"a":1}'}
    assert document({"columns": ["id", "ssn"], "rows": [[1, SSN]]}, owed)["rows"] == [[1, None]]
    assert document({"a": [SSN, 1]}, owe("drop", path="$.a[0]")) == {"a": [None, 1]}
    assert masked(b"id,ssn\n1,123\n", "text/csv", owed) == b"id,ssn\n1,\n"


@pytest.mark.parametrize("where", ["rows", "deep", "string", "path"])
def test_a_mask_that_refuses_refuses_the_whole_response_by_its_own_id(where: str) -> None:
    body: Any = {"rows": [{"id": 1, "ssn": SSN}] * 2}
    if where == "deep":
        body = {"a": {"b": [{"c": {"ssn": SSN}}]}}
    elif where == "string":
        body = {"a": json.dumps({"ssn": SSN})}
    owed = owe("last4", path="$..ssn", id="never", on_match="refuse") if where == "path" else None
    owed = owed or owe("last4", "ssn", id="never", on_match="refuse")
    with pytest.raises(Refusal) as caught:
        document(body, owe("redact", "ssn", id="other"), owed)
    assert (caught.value.status, caught.value.code, caught.value.rules) == (403, "withheld", ("never",))
    assert SSN not in repr(caught.value)
    assert document({"rows": [{"id": 1}]}, owed) == {"rows": [{"id": 1}]}


@pytest.mark.parametrize("kind", ["csv", "arrow", "arrow-int", "parquet"])
def test_a_mask_that_refuses_refuses_tables(kind: str) -> None:
    owed = owe("last4", "ssn", id="never", on_match="refuse")
    table = pa.table({"ssn": pa.array([123456789] if kind == "arrow-int" else [SSN])})
    sink = pa.BufferOutputStream()
    if kind == "csv":
        body, media = b"ssn\n123-45-6789\n", "text/csv"
    elif kind == "parquet":
        pq.write_table(table, sink)
        body, media = bytes(sink.getvalue()), "application/vnd.apache.parquet"
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        body, media = bytes(sink.getvalue()), "application/vnd.apache.arrow.stream"
    with pytest.raises(Refusal) as caught:
        masked(body, media, owed)
    assert caught.value.rules == ("never",)


@pytest.mark.parametrize(
    ("kind", "values", "method", "manner", "shown"),
    [
        (pa.int32(), [1234, None, -1], "number", {"step": "100"}, [1200, None, -100]),
        (pa.uint64(), [1 << 60], "number", {"step": "4"}, [1 << 60]),
        (pa.float64(), [12.75], "number", {"step": "0.5"}, [12.5]),
        (pa.decimal128(10, 2), ["12.75"], "number", {"step": "0.5"}, ["12.50"]),
        (pa.date32(), [20000], "date", {"grain": "year"}, ["2024-01-01"]),
        (pa.timestamp("us"), [1_700_000_000_000_000], "date", {"grain": "day"}, ["2023-11-14 00:00:00"]),
        (pa.int64(), [5, None], "redact", {"typed": True}, [0, None]),
        (pa.bool_(), [True], "redact", {}, [None]),
        (pa.int64(), [5], "last4", {}, [None]),
        (pa.timestamp("us"), [1], "redact", {}, [None]),
    ],
)
def test_columns_of_arrow_keep_their_type(kind: Any, values: Any, method: Any, manner: Any, shown: Any) -> None:
    plain = pa.array(values, kind) if not pa.types.is_decimal(kind) else pa.array(values).cast(kind)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([pa.field("c", kind)])) as writer:
        writer.write_batch(pa.record_batch([plain], names=["c"]))
    body = masked(bytes(sink.getvalue()), "application/vnd.apache.arrow.stream", owe(method, "c", **manner))
    column = pa.ipc.open_stream(body).read_all()["c"]
    assert column.type == kind
    said = column.to_pylist()
    assert [v if v is None or isinstance(v, int | float) else str(v) for v in said] == shown


def test_typed_pseudonyms_of_numbers_join_in_arrow() -> None:
    array = pa.array([7, 8, 7, None], pa.int64())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([pa.field("c", pa.int64())])) as writer:
        writer.write_batch(pa.record_batch([array], names=["c"]))
    body = masked(bytes(sink.getvalue()), "application/vnd.apache.arrow.stream", owe("hmac", "c", typed=True))
    one, two, three, none = pa.ipc.open_stream(body).read_all()["c"].to_pylist()
    assert one == three != two and none is None and {one, two}.isdisjoint({7, 8})
    assert document({"c": 7}, owe("hmac", "c", typed=True)) == {"c": one}


def test_domains_join_columns_of_other_names() -> None:
    found = document({"ssn": SSN, "tax": SSN}, owe("hmac", "ssn", "tax", domain="person"))
    assert found["ssn"] == found["tax"]
    found = document({"ssn": SSN, "tax": SSN}, owe("hmac", "ssn", "tax"))
    assert found["ssn"] != found["tax"]


# -- report -------------------------------------------------------------------------------------------------------

SETTINGS = Settings.model_validate({"identity": {"issuer": "https://idp.example"}})


async def through(body: bytes, media: bytes, *owed: Obligation) -> tuple[Any, Exchange]:
    addon = MaskingAddon(SETTINGS, b"k" * 32)
    exchange = Exchange("id", 0.0, verdict=Verdict("allow", obligations=owed))
    headers = ((b"content-type", media), (b"etag", b'"x"'))
    flow = tflow.tflow(req=tutils.treq(), resp=tutils.tresp(headers=headers, content=body))
    try:
        addon.request(flow, exchange)
        done = addon.response(flow, exchange)
        if done is not None:
            await done
    finally:
        await addon.close()
    return flow.response, exchange


async def test_a_mask_that_only_reports_changes_nothing() -> None:
    body = json.dumps({"rows": [{"ssn": SSN}, {"ssn": SSN}]}).encode()
    response, exchange = await through(body, b"application/json", owe("drop", "ssn", on_match="report"))
    assert response.raw_content == body and response.headers["etag"] == '"x"'
    (finding,) = exchange.findings
    assert (finding.indicator, finding.evidence) == ("mask-report", {"mask": "m", "values": "2", "columns": "ssn"})
    assert SSN not in repr(finding)


async def test_what_is_masked_stays_masked_beside_a_report() -> None:
    body = json.dumps({"person": {"ssn": SSN, "name": "Ada"}}).encode()
    owed = (owe("redact", "ssn", id="a"), owe("redact", "person", id="b", on_match="report"))
    response, exchange = await through(body, b"application/json", *owed)
    assert json.loads(response.raw_content) == {"person": {"ssn": REDACTED, "name": "Ada"}}
    assert [f.evidence["mask"] for f in exchange.findings] == ["b"]


async def test_a_response_that_cannot_be_looked_at_is_reported_as_such() -> None:
    response, exchange = await through(b"\x89PNG", b"image/png", owe("redact", "ssn", on_match="report"))
    assert response.raw_content == b"\x89PNG"
    assert exchange.findings[0].evidence == {"masks": "m"}
