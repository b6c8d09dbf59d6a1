"""What clients take, and what services are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.codings import NAMES
from sluicegate.masking.accept import accepted, offered


@pytest.mark.parametrize(
    ("value", "codings"),
    [
        ("", ()),
        ("identity", ()),
        ("gzip", ("gzip",)),
        ("GZIP", ("gzip",)),
        ("x-gzip", ("gzip",)),
        ("gzip, deflate, br, zstd", ("gzip", "br", "zstd")),
        ("br;q=1.0, gzip;q=0.5", ("br", "gzip")),
        ("gzip;q=0", ()),
        ("*", ("gzip", "br", "zstd")),
        ("*;q=0.5, gzip;q=0", ("br", "zstd")),
        ("deflate", ()),
        ("gzip;q=nonsense", ()),
        ("gzip ; q = 0.0", ()),
        ("hex, gzip", ("gzip",)),
    ],
)
def test_accepted(value: str, codings: tuple[str, ...]) -> None:
    assert accepted(value) == codings


def test_a_client_that_takes_nothing_gets_nothing_coded() -> None:
    assert offered(()) == "identity"
    assert offered(("br", "gzip")) == "br, gzip"


@given(st.text())
def test_only_codings_that_we_read_are_ever_offered(value: str) -> None:
    assert set(accepted(value)) <= set(NAMES)
