"""Names of forms, and heads of parts: however a column's name is written there, what it holds is masked or refused."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qsl, quote

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.part_head import delimiter
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

METHODS = Methods(b"k" * 32)
SSN = "536-90-4399"
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=Bnd"
NAMED = Obligation("ids", "redact", frozenset({"ssn"}))
ROWS = Obligation("rows", "redact", path="$.rows[*].ssn")
SECOND = Obligation("second", "redact", path="$.rows[1].ssn")


def leaves(media: str, body: str, *owed: Obligation) -> str:
    """What leaves, which is the same whole and in pieces."""
    plan, fields, raw = Plan(owed, METHODS), ((b"content-type", media.encode()),), body.encode()
    found = mask(Reply("GET", 200, fields, raw), plan, (), 1 << 22).body
    for step in (1, 7, len(raw)):
        stream = open_stream(fields, 200, plan, (), None)
        assert stream is not None
        pieces = [raw[one:other] for one, other in pairwise([*range(0, len(raw), step), len(raw)])]
        assert b"".join([*(out for piece in pieces for out in stream.feed(piece)), *stream.end()]) == found
    return found.decode()


def refused(media: str, body: str, *owed: Obligation, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        leaves(media, body, *owed)
    stream = open_stream(((b"content-type", media.encode()),), 200, Plan(owed, METHODS), (), None)
    assert stream is not None
    with pytest.raises(Refusal, match=why):
        for sign in body:
            assert SSN not in b"".join(stream.feed(sign.encode())).decode()
        b"".join(stream.end())


def field(*heads: str, value: str = SSN, media: str = PARTS) -> str:
    line = media.partition("boundary=")[2].strip('"')
    return "\r\n".join((f"--{line}", *heads, "", value, f"--{line}--", ""))


def named(parameters: str, **rest: str) -> str:
    return field(f"Content-Disposition: form-data; {parameters}", **rest)


# -- ways to a value ----------------------------------------------------------------------------------------------

WAYS = [
    *("ssn[]", "ssn[0]", "ssn[a]", "user[ssn]", "user[a][ssn]", "rows[0][SSN]", "rows[][ssn]", "rows[0].ssn", "ssn.a"),
    *("user[ssn", "[ssn]", "u[ѕsn]"),
]


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("form", ["form", "parts"])
def test_a_name_that_leads_through_a_masked_column(form: str, name: str) -> None:
    media, body = (FORM, f"id=1&{quote(name, '[]')}={SSN}") if form == "form" else (PARTS, named(f'name="{name}"'))
    found = leaves(media, body, NAMED)
    assert SSN not in found and "redacted" in found
    assert form == "parts" or parse_qsl(found) == [("id", "1"), (name, "[redacted]")]


@pytest.mark.parametrize("name", ["rows[0][ssn]", "rows[0].ssn", "rows[][ssn]"])
def test_a_name_is_followed_by_paths(name: str) -> None:
    assert SSN not in leaves(FORM, f"{name}={SSN}", ROWS)
    assert SSN in leaves(FORM, f"x{name}={SSN}", ROWS)


def test_a_path_that_counts() -> None:
    assert (
        leaves(FORM, "rows[0][ssn]=1&rows[1][ssn]=2", SECOND)
        == "rows%5B0%5D%5Bssn%5D=1&rows%5B1%5D%5Bssn%5D=%5Bredacted%5D"
    )
    refused(FORM, f"rows[][ssn]={SSN}", SECOND, why="counts")


@pytest.mark.parametrize("name", ["a[b]", "a.b", "[]", ".", "[", "a[999999999999999999999]", "rows[²][x]"])
def test_other_names_stay(name: str) -> None:
    assert parse_qsl(leaves(FORM, f"{quote(name)}=1", NAMED, ROWS)) == [(name, "1")]


# -- separators ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [";", "&amp;", "\r\n", "\n", ";;", "; "])
def test_pairs_that_other_readers_would_find_in_a_value(sign: str) -> None:
    refused(FORM, f"a=1{sign}ssn={SSN}", NAMED, why="some readers")
    refused(FORM, f"a=1{sign}s%73n={SSN}&b=2", NAMED, why="some readers")


def test_semicolons_in_values_stay() -> None:
    assert leaves(FORM, "a=1;b=2&c=x;ssn", NAMED) == "a=1%3Bb%3D2&c=x%3Bssn"


# -- heads of parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        'filename="; name=foo"; name="ssn"',
        'name="a"; name="ssn"',
        'name="a"; NAME="ssn"',
        'name="s\\sn"',
        'name="=?utf-8?B?c3Nu?="',
        'name="s%73n"',
        'filename="C:\\"; name="ssn"',
        'filename="a\\"; name=b; x="; name="c"',
        'name="a',
        "name=a ssn",
        "name",
    ],
)
def test_names_that_readers_may_read_in_another_way(parameters: str) -> None:
    refused(PARTS, named(parameters), NAMED, why="part")


@pytest.mark.parametrize("sign", ["\n", "\r", "\0", "\x0b", "\x85", "\u2028"])
def test_heads_with_signs_at_which_a_line_may_end(sign: str) -> None:
    refused(PARTS, field(f'Content-Disposition: form-data; name="a"{sign}{sign}{SSN}', value="x"), NAMED, why="head")
    refused(PARTS, named(f'name="a"{sign}Content-Disposition: form-data; name="ssn"'), NAMED, why="head")


def test_names_that_are_plain_are_read() -> None:
    for said in ("name=ssn", 'name = "ssn"', 'name="ssn";', 'x=1;name="ssn"', 'x="; name=foo"; name="ssn"'):
        assert SSN not in leaves(PARTS, named(said), NAMED), said


def test_of_a_disposition_name_and_file_name_leave() -> None:
    found = leaves(PARTS, named(f'name="a"; ssn="{SSN}"; x=y', value="v"), NAMED)
    assert found == '--Bnd\r\ncontent-disposition: form-data; name="a"\r\n\r\nv\r\n--Bnd--\r\n'
    typed = field("Content-Type: application/json; ssn=5", value="{}")
    refused(PARTS, typed, NAMED, why="parameter")


def test_a_file_without_a_type_is_text() -> None:
    # Nobody says which column is where in it.
    refused(PARTS, named('name="f"; filename="x.csv"', value=f"id,ssn\r\n1,{SSN}"), NAMED, why="text/plain")
    refused(PARTS, named('name="ssn"; filename="x"'), NAMED, why="type of its own")


def test_a_boundary_is_as_it_is_written_in_parts_too() -> None:
    inner = field("Content-Type: application/json", value='{"ssn": "1"}', media="multipart/mixed; boundary=InNer")
    found = leaves(PARTS, field("Content-Type: multipart/mixed; boundary=InNer", value=inner), NAMED)
    assert '--InNer\r\ncontent-type: application/json\r\n\r\n{"ssn":"[redacted]"}\r\n--InNer--' in found


@pytest.mark.parametrize(
    "said",
    [
        'boundary="Bnd "',
        "boundary*0=Bnd; boundary=x",
        "boundary*=utf-8''x; boundary=Bnd",
        'x="boundary=Bnd"',
        "fooboundary=Bnd",
        "boundary=",
        'boundary=""',
        'boundary="a\\b"',
        "boundary=" + "b" * 71,
        "boundary=a; Boundary=b",
        'boundary="a',
    ],
)
def test_boundaries_that_readers_may_read_in_another_way(said: str) -> None:
    refused(f"multipart/mixed; {said}", field("Content-Type: application/json", value="{}"), NAMED, why="boundary")


def test_a_boundary_may_stand_in_quotes_or_behind_other_parameters() -> None:
    assert delimiter('multipart/mixed; type="a; boundary=b"; boundary="c d"') == b"--c d"
    assert delimiter("Multipart/Mixed ; BOUNDARY = x ;") == b"--x"


def test_a_long_head_takes_no_longer_the_longer_it_is() -> None:
    # A pattern that looked for the name from each sign on took minutes for this.
    refused(PARTS, named("name=" + '\\"' * 60_000), NAMED, why="part")


# -- the whole ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("media", "body"), [(FORM, f"{SSN}=1"), (PARTS, named(f'name="{SSN}"'))])
def test_a_mask_on_the_whole_leaves_no_names(media: str, body: str) -> None:
    refused(media, body, Obligation("all", "redact", path="$"), why="the whole")
