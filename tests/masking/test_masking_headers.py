"""Fields of requests and of masked responses, in one pass over them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from sluicegate.masking.accept import accepted, offered
from sluicegate.masking.headers import Pairs, ask

NAMES = [b"Accept-Encoding", b"accept-encoding", b"Range", b"TE", b"x-a", b"If-Match", b"\xff"]
VALUES = st.sampled_from([b"gzip", b"gzip, br", b"GZIP;q=0.5, zstd", b"hex", b"", b"\xff", b"x" * 200, b"identity"])
GONE = ("range", "te")


def one_by_one(pairs: Pairs, owing: bool) -> tuple[Pairs, tuple[str, ...]]:
    """The same by mitmproxy's own look-ups."""
    fields = http.Headers(pairs)
    codings = accepted(", ".join(fields.get_all("accept-encoding")))
    fields["accept-encoding"] = offered(codings)
    for name in GONE if owing else ():
        fields.pop(name, None)
    return fields.fields, codings


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6).map(tuple), st.booleans())
def test_asking_is_what_changing_the_fields_one_by_one_is(pairs: Pairs, owing: bool) -> None:
    assert ask(pairs, owing) == one_by_one(pairs, owing)


@pytest.mark.parametrize("owing", [True, False])
def test_what_needs_no_change_stays_the_same_object(owing: bool) -> None:
    pairs = ((b"Host", b"h"), (b"Accept-Encoding", b"gzip, br"))
    assert ask(pairs, owing)[0] is pairs
