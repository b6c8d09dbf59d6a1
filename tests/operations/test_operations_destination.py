"""Destinations: what is ours in every spelling, and what is not in any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.destination import UNREADABLE, Ours, judge

OURS = [
    Ours.parse(text)
    for text in ("s3://acme-*", "s3://shared/acme/*", "https://*.acme.example", "https://files.test/drop/*", "http://localhost:9000")
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("s3://acme-x", "s3://acme-x"),
        ("S3://ACME-X/Key", "s3://acme-x/Key"),
        ("s3a://acme-x/k", "s3://acme-x/k"),
        ("s3://acme%2Dx/%41", "s3://acme-x/A"),
        ("s3://acme-x./k/", "s3://acme-x/k/"),
        ("s3://acme-x/a b/ü", "s3://acme-x/a%20b/%C3%BC"),
        ("s3://shared/acme/k", "s3://shared/acme/k"),
        ("https://UP.acme.example.:443/x", "https://up.acme.example/x"),
        ("https://up.acme.example:8443/x?y=z", "https://up.acme.example:8443/x?y=z"),
        ("https://files.test/drop/1", "https://files.test/drop/1"),
        ("http://localhost:9000/a", "http://localhost:9000/a"),
    ],
)
def test_normal_forms(text, normal):
    assert judge(text, OURS)[0] == normal
    assert judge(normal, OURS) == judge(text, OURS)


@pytest.mark.parametrize(
    "text", ["s3://acme-x", "s3://ACME%2dX/k", "s3n://acme-x/k", "s3://shared/acme/k", "https://up.acme.example:443/x", "https://files.test/drop/1/2"]
)  # fmt: skip
def test_inside(text):
    assert judge(text, OURS)[1] == "internal"


@pytest.mark.parametrize(
    "text",
    [
        "", "acme-x", "acme-x/k", "s3:acme-x", "s3:/acme-x", "//acme-x/k", "s3:///acme-x/k", "@stage", "file:///acme-x", "-",
        "s3://evil", "s3://evil/acme-x", "s3://evil/s3://acme-x/", "s3://xacme-x", "gs://acme-x", "s3://acme", "s3://acme_x",
        "s3://acme-x@evil", "s3://acme-x@evil/k", "s3://acme-x%40evil/k", "s3://user:pw@acme-x/k", "s3://@acme-x", "s3://acme-x:80/k",
        "s3://acme-x/../evil/k", "s3://acme-x/..", "s3://acme-x/%2e%2e/evil", "s3://acme-x/.%2e/evil", "s3://acme-x/a//b", "s3://acme-x/./a",
        "s3://acme-x%2f..%2fevil/k", "s3://acme-x%2fevil", "s3://acme-x%252f..%252fevil/k", "s3://acme-x/%252e%252e/evil",
        "s3://acme-x\\..\\evil", "s3://acme-x/\\evil", "s3://acme-x/%5c", "s3://acme-x#@evil/", "s3://acme-x?endpoint=https://evil", "s3://acme-x/k#f",
        "s3://acme-x\n.evil/k", "s3://acme-x\x00/k", " s3://acme-x/k", "s3://acme-x /k", "s3://acme-x\t/k", "s3://аcme-x/k", "s3://acme-x\u200b/k",
        "s3://acme-x,s3://evil/k", "s3://acme-*", "s3://acme-x|evil", "s3://acme-..evil", "s3://acme-x.../k", "s3://shared/acme", "s3://shared/acmeevil/k",
        "s3://shared/x/acme/k",
        "https://stra\u00dfe.acme.example/", "https://up.acme\u3002example/", "https://\uff55p.acme.example/", "https://evil.test\uff0f.acme.example/",
        "https://acme.example/x", "https://evilacme.example", "https://acme.example.evil.test/", "https://up.acme.example@evil.test/",
        "https://up.acme.example:pw@evil.test/", "https://evil.test/.acme.example", "https://evil.test#.acme.example/", "https://evil.test?.acme.example",
        "https://evil.test\\.acme.example/", "https://up.acme.example:8443/x", "http://up.acme.example/x", "https://up.acme.example:99999/",
        "https://files.test/drop", "https://files.test/dropped/1", "https://files.test/drop/../x", "http://localhost:9001/a", "http://localhost/a",
        "http://2130706433:9000/", "https://[::1].acme.example/", "jdbc:s3://acme-x/k", "s3+evil://acme-x/k", "s3://" + "acme-x/" * 1000,
        "s3://acme-" + "x" * 60,
    ],
)  # fmt: skip
def test_outside(text):
    destination, side = judge(text, OURS)
    assert side == "external"
    assert destination.isprintable() and len(destination) < 2100


@given(st.text())
def test_any_text_has_a_side(text):
    destination, side = judge(text, OURS)
    assert side in ("internal", "external") and destination.isprintable()
    assert (" " in destination) == destination.startswith(UNREADABLE)
    if side == "internal":
        assert judge(destination, OURS) == (destination, side)


@given(st.text(alphabet="acme-x/.%25eE@:?#\\ s3vil*2fF", max_size=40))
def test_nothing_behind_our_bucket_leads_elsewhere(rest):
    destination, side = judge("s3://acme-" + rest, OURS)
    if side == "internal":
        bucket = destination.removeprefix("s3://").partition("/")[0]
        assert bucket.startswith("acme-") and not set(bucket) & set("@:%?#\\ ")
        assert not {".", ".."} & set(destination.split("/")[3:])


@pytest.mark.parametrize(
    "glob",
    ["acme-*", "*", "s3://*", "s3://", "https://*", "https://*.com*", "https://acme-*", "https://*.example", "https://a*.acme.example", "s3://a@b", "s3://a%62"],
)  # fmt: skip
def test_globs_that_are_too_wide(glob):
    with pytest.raises(ValueError, match=r"."):
        Ours.parse(glob)
