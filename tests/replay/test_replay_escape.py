"""No text, whatever is in it, gets a control character onto the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate_replay.escape import label, moment, plain
from sluicegate_replay.rows import since


@given(st.text())
def test_no_unsafe_character_is_left(text):
    for shown in (plain(text), label(text).plain):
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(plain(text, lines=True)) - set(plain(text)) <= {"\n", "\t"}


@pytest.mark.parametrize("text", ["Zoë Müller", "日本語", "a — b", "[bold]x[/bold]", "👍", "\\x1b"])
def test_ordinary_text_stays(text):
    assert plain(text) == text
    assert label(text).plain == text


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300, -1e300, 0.0])
def test_any_number_is_a_moment(seconds):
    assert moment(seconds)


def test_since():
    assert since("2h", 10_000.0) == 2800.0
    assert since("1970-01-02", 0.0) == 86_400.0
    assert since("1970-01-01T01:00:00+01:00", 5.0) == 0.0
    for text in ("", "2x", "-1h", "99999999d", "2026-13-01", "now"):
        with pytest.raises(ValueError):
            since(text, 0.0)
