"""Whatever the readers of requests are given: nothing is raised, and no input takes more steps than its size allows."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS, TooMuch, bounded
from tests.fuzz.seeds import SEEDS


def changed(seeds):
    """A seed, two of them put together, or one with a piece taken out and something put in."""
    seed = st.sampled_from(seeds)
    pieces = st.binary(max_size=6) | st.sampled_from(
        [b"'", b'"', b"/*", b"*/", b"--", b"\\", b"(", b")", b";", b"%2e", b"\x00", b"{", b"\n"]
    )
    cut = st.tuples(seed, st.integers(0, 120), st.integers(0, 12), pieces).map(
        lambda t: t[0][: t[1]] + t[3] + t[0][t[1] + t[2] :]
    )
    joined = st.tuples(seed, seed, st.integers(0, 120)).map(lambda t: t[0][: t[2]] + t[1][max(1, t[2] - 4) :])
    return seed | cut | joined | st.binary(max_size=200)


@pytest.mark.parametrize("name", READERS)
def test_seeds(name):
    for seed in SEEDS[name]:
        READERS[name](seed)


@pytest.mark.parametrize("name", READERS)
def test_anything(name):
    @settings(max_examples=150, deadline=None)
    @given(changed(SEEDS[name]))
    @example(b"")
    def anything(data):
        READERS[name](data)

    anything()


def test_the_bound_is_kept():
    def endless():
        while True:
            try:
                len("x")
            except Exception:
                continue

    with pytest.raises(TooMuch):
        bounded(endless, 10)
