"""Paths against RFC 9535: the compliance suite and a reference implementation. A path masks exactly the nodes that the
reference finds, or it is refused when the policy loads; nothing in between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonpath_rfc9535 as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.jsonpath import parse
from sluicegate.masking.json_body import parse as decode
from sluicegate.masking.json_body import serialise
from sluicegate.masking.methods import REDACTED, Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import mask_document

SUITE = json.loads((Path(__file__).parents[1] / "vectors/jsonpath/cts.json").read_text(encoding="utf-8"))
METHODS = Methods(b"k" * 32)


def understood(selector: str) -> bool:
    try:
        parse(selector)
    except ValueError:
        return False
    return True


def masked(document: Any, selector: str) -> Any:
    data = json.dumps(document).encode()
    plan = Plan((Obligation("m", "redact", path=selector),), METHODS)
    return json.loads(serialise(mask_document(decode(data), plan, data)[0]))


def wanted(document: Any, selector: str) -> Any:
    """The document with a text in the place of every node that the reference finds."""
    places = [node.location for node in reference.find(selector, document)]

    def visit(node: Any, at: Sequence[Any]) -> Any:
        if tuple(at) in places:
            return REDACTED
        if isinstance(node, dict):
            return {key: visit(value, (*at, key)) for key, value in node.items()}
        return [visit(value, (*at, index)) for index, value in enumerate(node)] if isinstance(node, list) else node

    return visit(document, ())


def test_the_suite_is_there() -> None:
    assert len(SUITE) == 703
    taken = [case["selector"] for case in SUITE if understood(case["selector"])]
    assert len(taken) >= 78  # should the parser come to take less, policies would stop loading


@pytest.mark.parametrize("case", SUITE, ids=[case["name"] for case in SUITE])
def test_every_selector_of_the_suite_is_refused_or_masks_what_the_reference_finds(case: dict[str, Any]) -> None:
    if not understood(case["selector"]):
        return
    assert not case.get("invalid_selector"), "a selector that the RFC does not permit was taken"
    assert masked(case["document"], case["selector"]) == wanted(case["document"], case["selector"])


NAMES = ["a", "b", "ssn", "ü", "A"]
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["x", "", "[redacted"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=25,
)
numbers = st.sampled_from(["", "0", "1", "2", "3"])
brackets = st.one_of(
    st.sampled_from(["*", " * ", "0", "1", "3", " 2", "'a'", '"ssn"', "'a', 'b'", "'ü'", "-1", "?@.a", "01", "''"]),
    st.tuples(numbers, numbers, numbers).map(":".join),
    st.tuples(numbers, numbers).map(":".join),
).map(lambda inner: f"[{inner}]")
segments = st.one_of(
    st.sampled_from([*NAMES, "*", "a-b", "'a'", "1"]).map(lambda name: "." + name),
    st.sampled_from([*NAMES, "*"]).map(lambda name: ".." + name),
    brackets,
    brackets.map(lambda inner: ".." + inner),
)


@given(documents, st.lists(segments, min_size=1, max_size=4).map(lambda parts: "$" + "".join(parts)))
def test_a_path_masks_what_the_reference_finds(document: Any, selector: str) -> None:
    if understood(selector):
        assert masked(document, selector) == wanted(document, selector)


@given(st.text(alphabet="$.[]*'\",:0123ab?@()|& `-\\ü", max_size=14).map(lambda text: "$" + text))
def test_what_the_reference_does_not_take_is_not_taken(selector: str) -> None:
    if understood(selector):
        reference.compile(selector)
