"""Filter expressions mean here what they mean in mitmproxy, from the catalog and from the recordings alike."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mitmproxy import flowfilter
from mitmproxy.io import FlowReader

from sluicegate.recording.flow_reader import addresses_at, read_folder
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.filters import sql
from sluicegate_replay.filters.match import fits
from sluicegate_replay.filters.parse import FilterError, parse
from sluicegate_replay.source import source
from tests.replay.folders import odd, put
from tests.replay.quiet import QUIET

PATTERNS = [
    *("chunks", "POST", "get", "customers/chunks/3", "json", "css", "image/png", "Grace", "rows", "[0-9]{3}", "ssn$"),
    *(
        "^HTTPS",
        "other",
        "9000",
        "8443",
        "'content-type: .*json'",
        "^host",
        "host$",
        "all.rows",
        "people-read",
        "Ada",
        ".",
    ),
    *("chunks_", "a%b", "allow", "127.0.0.1", "x|y", "no$", '"a b"', "'gr\\\\S+'", '"c\\"d"'),
]
CODES = ["a", "e", "http", "marked", "replay", "replayq", "replays", "q", "s", "tcp", "udp", "dns", "websocket", "all"]
REGEX = ["b", "bq", "bs", "t", "tq", "ts", "d", "dst", "h", "hq", "hs", "m", "src", "u", "meta", "marker", "comment"]
ATOMS = st.one_of(
    st.sampled_from(CODES).map(lambda code: f"~{code} "),
    st.tuples(st.sampled_from(REGEX), st.sampled_from(PATTERNS)).map(lambda pair: f"~{pair[0]} {pair[1]} "),
    st.sampled_from([200, 404, 4, 20]).map(lambda code: f"~c {code} "),
    st.sampled_from(PATTERNS).map(lambda pattern: f"{pattern} "),
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!{one}"),
        inner.map(lambda one: f"( {one}) "),
        st.tuples(inner, inner).map(lambda two: f"( {two[0]}& {two[1]}) "),
        st.tuples(inner, inner).map(lambda two: f"( {two[0]}| {two[1]}) "),
    ),
    max_leaves=3,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    file = put(folder, odd())
    with file.open("rb") as stream:
        theirs = list(FlowReader(stream).stream())
    with source(folder, tmp_path_factory.mktemp("cache"), QUIET) as ours:
        yield folder, theirs, list(read_folder(folder)), ours


def addresses(folder):
    return lambda item: addresses_at(folder, item.file, item.offset)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=40,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
)
@given(st.one_of(EXPRESSIONS, st.tuples(EXPRESSIONS, EXPRESSIONS).map(" ".join)))
def test_an_expression_means_what_it_means_in_mitmproxy(world, expression):
    folder, flows, items, ours = world
    expected = [bool(flowfilter.match(expression, flow)) for flow in flows]
    node = parse(expression)
    assert [fits(node, item, addresses(folder)) for item in items] == expected
    listed = {line.id for line in ours.wanted(Selection(filter=node))}
    assert [flow.id in listed for flow in flows] == expected


@pytest.mark.parametrize("code", [*CODES, *(f"{code} chunks" for code in REGEX), "c 200"])
def test_every_code_of_mitmproxy_is_known(code):
    parse(f"~{code}")


def test_mitmproxy_has_no_code_that_is_not_known_here():
    theirs = {word.split()[0] for word, _ in flowfilter.help if word.startswith("~")}
    assert {f"~{code}" for code in (*CODES, *REGEX, "c")} == theirs


def test_what_the_catalog_can_answer_reads_no_recording(world, monkeypatch):
    monkeypatch.setattr("sluicegate_replay.source.read_at", None)
    node = parse("~m POST | ! ~c 200 & ~u chunks")
    assert sql.known(node)
    assert list(world[3].wanted(Selection(filter=node)))
    assert not sql.known(parse("~m POST & ~b x"))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "empty"),
        ("~nope x", "not known"),
        ("~m", "missing"),
        ("~u [", "not a regular expression"),
        ("(~q", "not closed"),
        ("~q &", "missing"),
        ("~c twelve", "number"),
        ("~u 'open", "missing"),
        ("!" * 100 + "~q", "deeply"),
        ("(" * 5000, "too long"),
        ("~q )", "missing"),
    ],
)
def test_what_is_no_expression_is_said(expression, why):
    with pytest.raises(FilterError, match=why):
        parse(expression)


@given(st.text(max_size=40))
def test_garbage_is_an_expression_or_said_not_to_be_one(text):
    try:
        parse(text)
    except FilterError:
        pass
