"""What an attacker sends to be recorded: taking secrets out costs time in proportion to size, and no more."""

import pytest

from sluicegate.approvals.prefer import preferences
from sluicegate.recording.redact import MAX_FIELDS, MAX_VALUE, Redactor

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def steps(work) -> int:
    """How many lines of Python and calls the work takes: a measure of cost that no other load can change."""
    import sys

    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return count


@pytest.mark.timeout(10)
@pytest.mark.parametrize("value", [b"eyJ" * 50_000, b"eyJ" * 2_000, b"eyJaaaaaaaa." * 600, b"a" * 8000, b"=eyJ" * 2000])
def test_values_that_look_like_many_tokens(value):
    redactor = Redactor()
    for _ in range(20):
        redactor.headers(((b"X-A", value),))
        redactor.target("/a?x=" + value.decode())


@pytest.mark.timeout(10)
def test_forms_and_header_sections_are_bounded():
    redactor = Redactor()
    kind = ((b"content-type", b"application/x-www-form-urlencoded"),)
    assert redactor.body(kind, b"?a=b" * 1_000_000) == b"[removed]"
    assert len(redactor.headers(((b"a", b"b"),) * 200_000)) == MAX_FIELDS + 1
    assert redactor.headers(((b"a", b"b" * (MAX_VALUE + 1)),)) == ((b"a", b"[removed]"),)
    assert len(redactor.target("/" + "a=b&" * 1_000_000)) < 100


@pytest.mark.timeout(10)
def test_the_cost_of_prefer_does_not_grow():
    assert steps(lambda: preferences(["a" + " " * 30_000 + '"'])) < 200


@pytest.mark.parametrize("where", ["/datasets/{}/chunks/1", "/x?{}", "/x?a={}", "/x;{}", "/x?a=b&{}=c"])
def test_a_token_anywhere_in_the_target_is_taken_out(where):
    assert TOKEN not in Redactor().target(where.format(TOKEN))
