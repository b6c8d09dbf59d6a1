"""Paths: what is accepted selects exactly what an independent evaluation selects; everything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.jsonpath import parse, select

DOCUMENT = {"a": [{"ssn": 1, "b": {"ssn": [2, {"ssn": 3}]}}, {"c": 4}], "ssn": {"x": 5}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", [DOCUMENT]),
        ("$.ssn", [{"x": 5}]),
        ("$.a[0].ssn", [1]),
        ("$.a[*].c", [4]),
        ("$.a[1:].c", [4]),
        ("$['a'][0]['ssn']", [1]),
        ("$..ssn", [{"x": 5}, 1, [2, {"ssn": 3}], 3]),
        ("$.ssn.*", [5]),
        ("$.a[7]", []),
        ("$.ssn[0]", []),
        ("$.a.ssn", []),
    ],
)
def test_selection(path, expected):
    assert select(DOCUMENT, parse(path)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "a.b", "$.", "$..", "$[", "$.a|$.b", "$.a & $.b", "$.a where $.b", "$.a.`len`", "$.a.`parent`", "$.a[-1]",
        "$.a[::-1]", "$.a[0,1]", "$[?(@.x > 1)]", '$["\\u0061"]', "$.a.`sub(/x/, y)`", "$.a[?@.b]", "$.a + 1", "@.a",
    ],
)  # fmt: skip
def test_what_we_do_not_vouch_for_is_refused(path):
    with pytest.raises(ValueError):
        parse(path)


@given(st.text(max_size=30))
def test_hostile_paths_are_refused_or_understood(text):
    try:
        steps = parse(text)
    except ValueError:
        return
    select(DOCUMENT, steps)
