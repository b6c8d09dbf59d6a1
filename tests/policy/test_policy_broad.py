"""The broad reading of a glob covers all that the strict one does: a deny never misses what the same glob would allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.policy.match import _covered, _meant, named

pieces = st.text(st.sampled_from("abAB/?*.é\u0301[]=s3:"), max_size=12)
places = st.builds(lambda scheme, rest: f"{scheme}://{rest}", st.sampled_from(["s3", "https"]), pieces)


@given(places, places)
def test_of_destinations(text, glob):
    assert not _covered(text, glob) or _meant(text, glob)


@given(pieces, pieces)
def test_of_datasets(name, glob):
    assert not named(name, [glob], broad=False) or named(name, [glob], broad=True)


@pytest.mark.parametrize("text", ["https://evil.test/x?q", "https://EVIL.test/x?a=b/c", "https://evil.test/x/y?q"])
def test_a_query_does_not_hide_a_destination_from_a_deny(text):
    assert _meant(text, "https://evil.test/x")


def test_a_name_that_is_written_apart_is_not_hidden_from_a_deny():
    assert named("e\u0301", ["e*"], broad=True)
