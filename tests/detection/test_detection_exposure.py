"""What really left, where no masks were owed: read as far as it can be, never refused, never changed."""

from __future__ import annotations

import gzip
import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow, tutils

from sluicegate.detection.bodies import row_keys
from sluicegate.detection.exposing import ExposureAddon
from sluicegate.detection.exposure import HEAD, LIMIT, Told, passed, read
from sluicegate.exchange import Delivery, Exchange, Exposure, Output, Rows
from sluicegate.settings import Settings
from tests.detection.test_detection_taint_shapes import JSON, NAMES, OTHERS

SETTINGS = Settings.model_validate({"identity": {"issuer": "https://idp.example"}})
OFF = SimpleNamespace(mode="off")
"""Detection that is switched off: exposure is read all the same."""
ROWS = {"dataset": "customers", "rows": [{"id": 1, "ssn": "123-45-6789"}, {"id": 2, "name": "Ada"}]}
BODY = json.dumps(ROWS).encode()
FOUND = Exposure({"id": "clear", "ssn": "clear", "name": "clear"}, 2)


def flow_of(body: bytes | None, kind: str = "application/json", coding: str = "") -> http.HTTPFlow:
    headers = http.Headers(content_type=kind)
    if coding:
        headers["content-encoding"] = coding
    flow = tflow.tflow(resp=tutils.tresp(headers=headers, content=body or b""))
    assert flow.response is not None
    flow.response.raw_content = body
    return flow


async def expose(flow: http.HTTPFlow, *named: tuple[str, ...]) -> Exposure | None:
    exchange = Exchange("id", 0.0)
    if named:
        exchange.delivery = Delivery(tuple(Rows(columns=tuple(map(Output, names))) for names in named))
    before = flow.get_state()
    result = ExposureAddon(SETTINGS, OFF).response(flow, exchange)
    if inspect.isawaitable(result):
        await result
    assert flow.get_state() == before
    return exchange.exposure


async def test_rows_are_counted() -> None:
    assert await expose(flow_of(BODY)) == FOUND
    assert await expose(flow_of(gzip.compress(BODY), coding="gzip")) == FOUND


@pytest.mark.parametrize(
    ("body", "kind", "coding"),
    [
        (None, "application/json", ""),
        (b"", "application/json", ""),
        (BODY, "application/json", "gzip"),
        (BODY, "application/json", "hex"),
        (b"[" * 100_000, "application/json", ""),
        (b" " * LIMIT + BODY, "application/json", ""),
        (gzip.compress(b"[" + b"1," * LIMIT + b"1]"), "application/json", "gzip"),
    ],
)
async def test_what_cannot_be_read_has_no_columns_and_is_no_trouble(body: Any, kind: str, coding: str) -> None:
    assert await expose(flow_of(body, kind, coding)) == Exposure()


async def test_larger_bodies_are_read_beside_the_loop() -> None:
    body = json.dumps([{"id": i, "x": "y" * 20} for i in range(15_000)]).encode()
    exchange = Exchange("id", 0.0)
    result = ExposureAddon(SETTINGS, OFF).response(flow_of(body), exchange)
    assert inspect.isawaitable(result)
    await result
    assert exchange.exposure == Exposure({"id": "clear", "x": "clear"}, 15_000)


def test_what_masking_wrote_stays() -> None:
    exchange = Exchange("id", 0.0, exposure=Exposure({"ssn": "masked"}, 1, {"m": 1}))
    assert ExposureAddon(SETTINGS, OFF).response(flow_of(BODY), exchange) is None
    assert exchange.exposure == Exposure({"ssn": "masked"}, 1, {"m": 1})


@given(st.binary(max_size=200), st.sampled_from(["", "gzip", "br", "zstd", "x"]))
def test_reading_never_raises(body: bytes, coding: str) -> None:
    read(body, coding, "application/json")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_exposure_has_no_values(document: Any) -> None:
    found = read(json.dumps({"rows": [{"planted": "VALUE"}], "x": document}).encode(), "", "application/json")
    assert "VALUE" not in repr(found)
    assert found.columns["planted"] == "clear"


INSIDE = {"lists in rows": 10}


@pytest.mark.parametrize("shape", [shape for shape, document in JSON.items() if document is not None])
async def test_columns_and_rows_are_known_wherever_a_service_puts_them(shape: str) -> None:
    found = await expose(flow_of(json.dumps(JSON[shape]).encode()))
    assert found is not None
    if shape in ("snowflake's connectors with arrow", "JSON in a text"):
        assert not {"email", "ssn"} & found.columns.keys()  # it is not looked into on the way
    elif shape == "arrays that nobody names":
        assert found.rows == INSIDE.get(shape, 40) and "email" not in found.columns
    else:
        assert found.rows == INSIDE.get(shape, 40) and {"ssn"} <= found.columns.keys()
        assert "f" not in found.columns and not {"_index", "cursor"} & found.columns.keys()


@pytest.mark.parametrize(
    ("shape", "rows"),
    [("lines", 40), ("a sequence", 40), ("events", 40), ("csv", 40), ("csv with semicolons", 40), ("xml", 40), ("attributes", 40),
     ("documents behind each other", 40), ("pages of lines", 4), ("csv in UTF-16", 40)],
)  # fmt: skip
def test_columns_and_rows_of_other_formats(shape: str, rows: int) -> None:
    body, kind = OTHERS[shape]
    data = body if isinstance(body, bytes) else body.encode()
    found = read(data, "", kind, told=Told(declared=frozenset(("ssn",))))
    assert found.rows == rows and "ssn" in found.columns
    assert read(gzip.compress(data), "gzip", kind, told=Told(declared=frozenset(("ssn",)))) == found


def test_the_first_line_of_a_table_is_believed_only_where_a_column_in_it_is_known() -> None:
    body = b"Ada,Lovelace\nGrace,Hopper\nAlan,Turing\n"
    assert read(body, "", "text/csv") == Exposure({}, 2)
    assert read(body, "", "text/csv", told=Told(declared=frozenset(("ada",)))).columns == {
        "Ada": "clear",
        "Lovelace": "clear",
    }


def test_what_is_inside_a_row_is_a_column_where_it_is_declared() -> None:
    body = json.dumps({"rows": [{"id": 1, "contact": {"email": "a@b.c", "city": "Y"}}]}).encode()
    assert read(body, "", "application/json").columns.keys() == {"id", "contact", "email", "city"}
    assert read(body, "", "application/json", told=Told(declared=frozenset(("email",)))).columns.keys() == {
        "id", "contact", "email",
    }  # fmt: skip


def test_one_object_is_a_row_where_a_column_in_it_is_declared() -> None:
    for body in (b'{"id":5,"ssn":"1"}', b'{"data":{"customer":{"id":5,"ssn":"1","orders":[{"no":1}]}}}'):
        told = Told(declared=frozenset(("ssn",)))
        assert {"id", "ssn"} <= read(body, "", "application/json", told=told).columns.keys()
        assert "ssn" not in read(body, "", "application/json").columns
    assert read(b'{"ok":true,"took":{"ms":3}}', "", "application/json", told=told) == Exposure()


async def test_columns_that_a_dialect_knows_name_what_is_in_arrays() -> None:
    for shape in ("athena", "arrays that nobody names"):
        found = await expose(flow_of(json.dumps(JSON[shape]).encode()), tuple(NAMES))
        assert found is not None and list(found.columns)[:4] == NAMES


def test_values_that_are_keys_are_no_columns() -> None:
    body = json.dumps({"rows": [{"id": 1, "by": {"ann@example.org": 3, "4111 1111": 2, "x": {"city": "Y"}}}]}).encode()
    assert read(body, "", "application/json").columns.keys() == {"id", "by", "city"}


@given(
    st.binary(max_size=400), st.sampled_from(["application/json", "text/csv", "application/xml", "text/event-stream"])
)
def test_whatever_passes_is_no_trouble(data: bytes, kind: str) -> None:
    known = Exposure({"a": "masked"}, 3, {"m": 3})
    for found in (read(data, "", kind), passed(data, len(data) * 3, kind, known)):
        assert found.rows >= 0
    assert found.masks == {"m": 3} and found.rows == 3 and found.columns["a"] == "masked"


def test_of_what_passed_the_beginning_says_how_many_rows_there_were() -> None:
    for kind, body in (
        ("application/json", json.dumps({"data": [{"id": n, "ssn": "123-45-6789", "pad": "x" * 50} for n in range(5000)]})),
        ("text/csv", "id,ssn,pad\n" + "".join(f"{n},123-45-6789,{'x' * 50}\n" for n in range(5000))),
        ("application/xml", "<a>" + "".join(f"<r><id>{n}</id><ssn>1</ssn><pad>{'x' * 50}</pad></r>" for n in range(5000)) + "</a>"),
    ):  # fmt: skip
        found = passed(body.encode()[:HEAD], len(body), kind, Exposure(), Told(declared=frozenset(("ssn",))))
        assert 4700 < found.rows < 5300 and set(found.columns) == {"id", "ssn", "pad"}, kind


async def test_what_masking_did_not_see_as_rows_is_found_in_what_left() -> None:
    body = json.dumps({"hits": {"hits": [{"_source": {"id": 1, "ssn": None, "mail": "a"}}] * 4}}).encode()
    for data in (body, body.replace(b'"a"', b'"' + b"a" * 200_000 + b'"')):
        flow, exchange = flow_of(data), Exchange("id", 0.0)
        exchange.exposure = Exposure({"SSN": "masked"}, 0, {"ids": 4})
        result = ExposureAddon(SETTINGS, OFF).response(flow, exchange)
        if inspect.isawaitable(result):
            await result
        assert exchange.exposure == Exposure(
            {"SSN": "masked", "id": "clear", "ssn": "masked", "mail": "clear"}, 4, {"ids": 4}
        )


@pytest.mark.parametrize("shape", [shape for shape, document in JSON.items() if document is not None])
def test_rows_are_told_apart_wherever_they_are(shape: str) -> None:
    body = json.dumps(JSON[shape]).encode()
    found = list(row_keys(body, "", "application/json", "customers", 1 << 20))
    if shape in ("snowflake's connectors with arrow", "JSON in a text"):
        assert len(found) <= 4  # it is not looked into
    else:
        rows = INSIDE.get(shape, 41 if shape == "athena" else 40)
        assert len(found) == rows and (len(set(found)) == rows or shape == "lists in rows")
