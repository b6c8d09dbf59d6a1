"""One glob within another: exact for stars and question marks, never wrong, never slow."""

import fnmatch
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.policy.globs import literal, pattern, within

TEXTS = ["".join(chars) for length in range(6) for chars in itertools.product("abc", repeat=length)]
globs = st.text("ab*?", max_size=5)


@settings(max_examples=300)
@given(globs, globs)
def test_it_is_what_matching_every_text_says(narrow, wide):
    found = {text for text in TEXTS if fnmatch.fnmatchcase(text, narrow)}
    # `c` is in neither, so it stands for every other character; five are enough for patterns of up to five tokens
    # without stars, and a text that tells two with stars apart is no longer than both of them.
    truth = all(fnmatch.fnmatchcase(text, wide) for text in found)
    said = within(pattern(narrow), pattern(wide))
    assert not said or truth
    if len(narrow) + len(wide) <= 5:
        assert said == truth


@pytest.mark.parametrize(
    ("narrow", "wide", "said"),
    [
        ("abc", "a*", True),
        ("a*", "abc", False),
        ("a*c", "a*", True),
        ("a*b*c", "a*c", True),
        ("a*c", "a*b*c", False),
        ("a?", "a*", True),
        ("a*", "a?", False),
        ("**", "*", True),
        ("*", "**?**", False),
        ("?*", "*?", True),
        ("", "*", True),
        ("*", "", False),
    ],
)
def test_by_hand(narrow, wide, said):
    assert within(pattern(narrow), pattern(wide)) is said


def test_character_classes_say_nothing_and_literals_mean_themselves():
    assert pattern("a[bc]") is None
    assert within(literal("a*"), pattern("a*")) and not within(pattern("a*"), literal("a*"))


def test_hostile_patterns_end_with_no():
    stars = "*a" * 120
    assert within(pattern("b" + stars), pattern(stars)) in (True, False)
    assert not within(pattern("*a" * 60 + "*"), pattern("*a" * 61))
