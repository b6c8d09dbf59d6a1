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

from sluicegate.detection.addon import ExposureAddon
from sluicegate.detection.exposure import LIMIT, read
from sluicegate.exchange import Exchange, Exposure
from sluicegate.settings import Settings

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


async def expose(flow: http.HTTPFlow) -> Exposure | None:
    exchange = Exchange("id", 0.0)
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
        (BODY, "text/csv", ""),
        (BODY[:-1], "application/json", ""),
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
