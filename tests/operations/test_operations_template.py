"""Route templates: what matches, what never may, and which of two wins."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.template import Template, ambiguous, closed_segments_of, segments_of

CHUNK = Template.parse("GET /datasets/{dataset}/chunks/{chunk}")


def match(path):
    segments = segments_of(path)
    return None if segments is None else CHUNK.match(segments)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/datasets/customers/chunks/7", {"dataset": "customers", "chunk": "7"}),
        ("/%64atasets/customers/chunks/%37", {"dataset": "customers", "chunk": "7"}),
        ("/datasets/K%C3%A4ufer/chunks/7", {"dataset": "Käufer", "chunk": "7"}),
        ("/datasets/a..b/chunks/...", {"dataset": "a..b", "chunk": "..."}),
    ],
)
def test_segments_are_decoded_once(path, values):
    assert match(path) == values


@pytest.mark.parametrize(
    "segment",
    [
        "", ".", "..", "%2e", "%2E%2e", ".%2e", "a%2fb", "a%2Fb", "a%5cb", "a\\b", "%252e", "a%25b", "a%00", "a%0a", "a%7f",
        "%c3", "%ff", "%zz", "%", "%2", "a\u202e", "\ud800",
    ],
)  # fmt: skip
def test_a_segment_that_could_mean_something_else_never_matches(segment):
    assert match(f"/datasets/{segment}/chunks/7") is None


@pytest.mark.parametrize(
    "path",
    [
        "/datasets/customers/chunks/7/", "//datasets/customers/chunks/7", "/datasets/customers/chunks", "*", "",
        "/Datasets/customers/chunks/7", "/datasets/customers/chunks/7/8", "datasets/customers/chunks/7", "/",
    ],
)  # fmt: skip
def test_other_paths_do_not_match(path):
    assert match(path) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_matches_is_what_the_service_would_decode(dataset, chunk):
    try:
        path = f"/datasets/{quote(dataset, safe='')}/chunks/{quote(chunk, safe='')}"
    except UnicodeEncodeError:
        return
    found = match(path)
    assert found is None or found == {"dataset": dataset, "chunk": chunk}


@given(st.text())
def test_no_path_raises(path):
    segments = segments_of(path)
    assert segments is None or not any(s in ("", ".", "..") or set(s) & set("/\\%") for s in segments)


@pytest.mark.parametrize(
    "text", ["GET /a/{b", "GET /a/{b}c", "GET /a//b", "GET /a//", "GET //", "GET /{a}/{a}", "GET /a?b", "GET /..", "GET /a%20", "GET /{B}"]
)  # fmt: skip
def test_bad_templates(text):
    with pytest.raises(ValueError, match=r"."):
        Template.parse(text)


def test_the_root_is_a_path_of_its_own():
    assert Template.parse("GET /").match(()) == {}
    assert Template.parse("GET /{a}").match(()) is None


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("GET /simple/{package}/", "/simple/numpy/", {"package": "numpy"}),
        ("GET /simple/{package}/", "/simple/numpy", None),
        ("GET /simple/{package}/", "/simple//", None),
        ("GET /simple/{package}/", "/simple/numpy//", None),
        ("GET /simple/{package}/", "/simple/./", None),
        ("GET /simple/{package}/", "/simple/%2e/", None),
        ("GET /simple/{package}/", "/simple/numpy/%2F", None),
        ("GET /simple/{package}", "/simple/numpy/", None),
        ("GET /simple/{package}", "/simple/", None),
        ("GET /simple/", "/simple/", {}),
        ("GET /simple/", "/simple", None),
        ("GET /simple", "/simple/", None),
        ("GET /", "//", None),
        ("GET /{a}", "/", None),
    ],
)
def test_a_slash_at_the_end_is_part_of_the_path(text, path, values):
    segments = closed_segments_of(path)
    assert (None if segments is None else Template.parse(text).match(segments)) == values


def pairs(*texts):
    return [(a.text, b.text) for a, b in ambiguous(map(Template.parse, texts))]


def test_ambiguity():
    assert pairs("GET /a/{x}", "GET /{y}/b") == [("GET /a/{x}", "GET /{y}/b")]
    assert pairs("GET /a/{x}", "GET /a/{y}") == [("GET /a/{x}", "GET /a/{y}")]
    assert pairs("GET /a/b", "GET /a/{y}", "GET /{x}/{y}") == []
    assert pairs("GET /{x}/", "GET /a/{y}") == [] and pairs("GET /a/", "GET /a/{y}") == []
    assert pairs("GET /a/{x}/", "GET /{y}/b/") == [("GET /a/{x}/", "GET /{y}/b/")]
    assert pairs("GET /a/{x}", "POST /a/{y}", "GET /b/{x}", "GET /a/{x}/{y}") == []


def test_the_more_specific_comes_first():
    texts = ["GET /{x}/{y}", "GET /{x}/b", "GET /a/b", "GET /a/{y}"]
    ordered = sorted(map(Template.parse, texts), key=lambda t: t.order)
    assert [t.text for t in ordered] == ["GET /a/b", "GET /a/{y}", "GET /{x}/b", "GET /{x}/{y}"]


@given(st.text(alphabet="/.a%2eZ-~+\n \\é", max_size=12))
def test_paths_read_at_once_are_those_read_by_the_segment(tail: str) -> None:
    path = "/" + tail
    slowly = segments_of(path.replace("a", "%61", 1)) if "a" in tail and "%" not in tail else None
    assert slowly is None or segments_of(path) == slowly


@pytest.mark.parametrize("path", ["/.", "/..", "/a/./b", "/a/..", "/a//b", "/a/", "//", "/a\n", "/a b\n", "/./a"])
def test_segments_that_mean_something_else_are_not_taken_at_once(path: str) -> None:
    assert segments_of(path) is None


@pytest.mark.parametrize("path", ["/...", "/.a/..b", "/a.b/c..", "/~x/@y:z"])
def test_dots_within_a_segment_are_plain(path: str) -> None:
    assert segments_of(path) == tuple(path[1:].split("/"))
