"""Our typed netstrings are mitmproxy's, in both directions, and the parser survives what it is given."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import tnetstring as theirs

from sluicegate.recording import tnetstring as ours

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_mitmproxy_reads_what_we_write_and_the_other_way_round(value):
    assert theirs.loads(ours.encode(value)) == value
    assert ours.parse(theirs.dumps(value)) == value


def test_text_that_is_no_unicode_is_written_readably():
    assert ours.parse(ours.encode("a\udc80b")) == "a\\udc80b"


def test_what_has_no_place_in_a_file_is_refused():
    with pytest.raises(TypeError):
        ours.encode({"a": object()})


@given(st.binary(max_size=60))
def test_garbage_raises_value_error_and_nothing_else(data):
    try:
        ours.parse(data)
    except ValueError:
        pass


@given(PLAIN, st.data())
def test_a_damaged_value_raises_value_error_and_nothing_else(value, data):
    whole = ours.encode(value)
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:place] + data.draw(st.binary(max_size=2)) + whole[place + 1 :]
    try:
        ours.parse(broken)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"999999999999:x,",
        b"99999999999999999999:x,",
        b"-1:x,",
        b"01:x,",
        b"1_0:0123456789,",
        b" 1:x,",
        b"1:x",
        b"1:x,y",
        b"4:nope!",
        b"1:x~",
        b"3:1.x^",
        b"5:12345?",
        b"4:1:a,}",
        b"8:0:]1:a;}",
        b"",
        b"5000:" + b"9" * 5000 + b"#",
    ],
)
def test_hostile_values_are_refused(data):
    with pytest.raises(ValueError):
        ours.parse(data)


def test_depth_and_number_of_parts_are_bounded():
    deep = b""
    for _ in range(5000):
        deep = b"%d:%b]" % (len(deep), deep)
    wide = b"0:]" * 2_000_000
    tracemalloc.start()
    for data in (deep, b"%d:%b]" % (len(wide), wide)):
        with pytest.raises(ValueError):
            ours.parse(data)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
