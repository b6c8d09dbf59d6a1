"""What is remembered is what would have been encoded anew, and never more than a bounded amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Exposure
from sluicegate.recording.flow_parts import METADATA, metadata
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.redact import Redactor
from sluicegate.recording.remembered import Remembered
from sluicegate.recording.tnetstring import encode, parse
from tests.recording.recorders import live

NAMES = st.text(max_size=5)


def test_each_value_is_encoded_once_and_large_ones_are_not_kept():
    asked: list[str] = []
    remembered = Remembered[str](lambda key: asked.append(key) or key.encode())
    for key in ("small", "small", "x" * 5000, "x" * 5000):
        assert remembered(key) == key.encode()
    assert asked == ["small", "x" * 5000, "x" * 5000]


def test_the_oldest_makes_room():
    asked: list[int] = []
    remembered = Remembered[int](lambda key: asked.append(key) or b"%d" % key, 3)
    for key in (1, 2, 3, 4, 4, 1):
        assert remembered(key) == b"%d" % key
    assert asked == [1, 2, 3, 4, 1]
    assert len(remembered._known) == 3


def test_what_could_not_be_encoded_is_not_remembered():
    remembered = Remembered[object](encode)
    for _ in range(2):
        with pytest.raises(TypeError):
            remembered(object())


@given(
    st.dictionaries(NAMES, st.sampled_from(["clear", "masked"]), max_size=4),
    st.integers(0, 2),
    st.dictionaries(NAMES, st.integers(0, 2), max_size=4),
    st.lists(NAMES, max_size=3),
    st.sampled_from([None, "a-1"]),
)
def test_no_two_summaries_are_taken_for_each_other(columns, rows, masks, reasons, approval):
    flow, exchange = live()
    exchange.exposure = Exposure(columns, rows, masks)
    exchange.verdict = type(exchange.verdict)("hold", ("r",), tuple(reasons))
    exchange.approval = approval
    summary = FlowWriter(Redactor(), "run").summary(flow, exchange, 2.0, intent=True)
    anew = parse(encode({METADATA: {**summary, "crc32": "00000000"}}))
    assert parse(metadata(summary)) == anew


def test_a_request_that_differs_in_one_thing_is_written_so():
    writer = FlowWriter(Redactor(), "run")
    flow, exchange = live("/plain")
    for name, value in (
        ("method", "PUT"),
        ("port", 1),
        ("http_version", "HTTP/2.0"),
        ("host", "other"),
        ("path", "/x"),
    ):
        setattr(flow.request, name, value)
        state = parse(writer.encode(flow, exchange, writer.summary(flow, exchange, 2.0, intent=True)))
        assert state["request"][name] in (value, str(value).encode())
    flow.response.status_code, flow.response.reason = 404, "Gone"
    state = parse(writer.encode(flow, exchange, writer.summary(flow, exchange, 2.0, intent=True)))
    assert (state["response"]["status_code"], state["response"]["reason"]) == (404, b"Gone")
