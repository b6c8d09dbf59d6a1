"""Content codings: complete, bounded and strict, on whatever bytes come."""

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.codings import NAMES, CodingError, decode, encode

LIMIT = 1 << 20


@given(st.binary(max_size=5000), st.sampled_from(NAMES))
def test_round_trip(body, coding):
    assert decode(encode(body, coding), coding.upper() + " ", len(body)) == body


@given(st.binary(max_size=2000), st.sampled_from(NAMES))
def test_hostile_bytes_never_crash_and_never_grow_past_the_limit(body, coding):
    try:
        assert len(decode(body, coding, 100)) <= 100
    except CodingError:
        pass


@pytest.mark.parametrize("coding", NAMES)
@given(data=st.data())
def test_a_cut_body_is_an_error_never_a_shorter_body(coding, data):
    body = bytes(range(250)) + b"a" * 3000
    packed = encode(body, coding)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(CodingError):
        decode(packed[:cut], coding, LIMIT)


@pytest.mark.parametrize("coding", NAMES)
def test_bombs(coding):
    with pytest.raises(CodingError, match="too large"):
        decode(encode(b"\0" * 40_000_000, coding), coding, LIMIT)


@pytest.mark.parametrize("coding", NAMES)
def test_something_behind_the_end_is_an_error(coding):
    with pytest.raises(CodingError):
        decode(encode(b"abc", coding) + b"123-45-6789", coding, LIMIT)


def test_every_member_and_frame_is_content():
    assert decode(gzip.compress(b"{}") + gzip.compress(b"secret"), "gzip", LIMIT) == b"{}secret"
    one = zstandard.ZstdCompressor().compress
    assert decode(one(b"{}") + one(b"secret"), "zstd", LIMIT) == b"{}secret"


@pytest.mark.parametrize("coding", ["hex", "rot13", "compress", "utf-16", "identity,hex", "gzip, foo", "pack200-gzip"])
def test_other_codings_are_refused(coding):
    with pytest.raises(CodingError, match="not supported"):
        decode(b"abc", coding, LIMIT)


def test_two_layers_are_read_and_three_are_not():
    twice = encode(encode(b"abc", "br"), "gzip")
    assert decode(twice, "br, gzip", LIMIT) == decode(twice, "identity, br,X-Gzip", LIMIT) == b"abc"
    for coding in ("gzip, br", "br", "br, gzip, gzip"):
        with pytest.raises(CodingError):
            decode(twice, coding, LIMIT)


@pytest.mark.parametrize("wbits", [15, -15])
def test_deflate_with_and_without_its_head(wbits):
    packer = zlib.compressobj(wbits=wbits)
    packed = packer.compress(b"abc" * 100) + packer.flush()
    assert decode(packed, "deflate", LIMIT) == b"abc" * 100
    for broken in (packed[:-1], packed + b"x"):
        with pytest.raises(CodingError):
            decode(broken, "deflate", LIMIT)
    with pytest.raises(CodingError, match="too large"):
        decode(packed, "deflate", 299)
