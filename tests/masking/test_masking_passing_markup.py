"""XML and forms: in pieces they leave as they would whole, or not at all, and little of them waits."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import form_body, form_neighbours, xml_body, xml_writer
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import Passing, open_stream

METHODS = Methods(b"k" * 32)
SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
XML, FORM = "application/xml", "application/x-www-form-urlencoded"
ALL = frozenset(("email", "national-id", "card", "private-key", "phone", "jwt"))
NAMES = (Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "hmac", path="$.rows[*].email"))
LOOKS = (Obligation("all", "redact", detect=ALL),)
PLANS = {
    "names": Plan(NAMES, METHODS),
    "looks": Plan(LOOKS, METHODS),
    "both": Plan((*NAMES, Obligation("all", "hmac", detect=ALL)), METHODS),
    "borders": Plan((Obligation("all", "redact", detect=ALL, manner=Manner(borders=True)),), METHODS),
}
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK==\n-----END RSA PRIVATE KEY-----"


def opened(media: str, plan: Plan) -> Passing:
    stream = open_stream(((b"content-type", media.encode()),), 200, plan, (), None)
    assert stream is not None
    return stream


def passed(media: str, pieces: list[bytes], plan: Plan) -> tuple[bytes, Passing]:
    stream = opened(media, plan)
    out = [out for piece in pieces for out in stream.feed(piece)]
    return b"".join([*out, *stream.end()]), stream


def whole(media: str, body: bytes, plan: Plan) -> tuple[bytes, Exposure]:
    found = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), plan, (), 1 << 24)
    return found.body, found.exposure


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    return [body[one:other] for one, other in pairwise([0, *sorted(min(at, len(body)) for at in cuts), len(body)])]


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


JSON = json.dumps({"ssn": SSN, "rows": [{"email": MAIL}]})
DOCUMENTS = {
    "rows": f'<?xml version="1.0"?>\n<r xmlns:p="urn:p"><row id="1" p:ssn="{SSN}" email="{MAIL}"><p:SSN>{SSN}</p:SSN>'
    f"<email>{MAIL}</email><n>Lübeck</n></row>\n <row><ssn/><email></email></row></r>\n<!-- {MAIL} -->",
    "inside": f"<r><ssn>5<b>36</b><!-- x --><c ssn='{SSN}'>-90-4399</c></ssn><t>my <i>x</i> number {SSN}</t></r>",
    "pieces of a text": f"<r><ssn>536<!-- -->-90<?x?>-<![CDATA[43]]>9&#57;</ssn><t>{MAIL[:9]}<!-- -->{MAIL[9:]}</t></r>",
    "cut": "<r><p>my number 536-90</p><p>-4399 it is</p><p>ada.lovelace</p>\n<p>@example.org or so</p><q/></r>",
    "json": f"<r a={quoteattr(JSON)}><t> {escape(JSON)} </t><t>{JSON}x</t></r>".replace(f"{JSON}x", "x"),
    "key": f"<r>a {KEY} b {MAIL}<k>{KEY}</k></r>",
    "signs": f'<r a="&lt;&#10;&quot;&#13;">x &amp; &lt;y&gt; ]]&gt; &#13;\r\n🙂{MAIL}<![CDATA[<&>]]></r>',
    "latin": f'<?xml version="1.0" encoding="iso-8859-1"?><r><ssn>{SSN}</ssn><n>L\xfcbeck {MAIL}</n></r>',
}
FORMS = {
    "pairs": f"id=1&ssn={SSN}&email=ada.lovelace%40example.org&x=&city=L%C3%BCbeck+x",
    "cut": urlencode([("text", "my number 536-90"), ("id", "1"), ("text", "-4399 it is"), ("id", "2"), ("ssn", SSN)]),
    "names": urlencode([(MAIL, "1"), ("a b", MAIL), (MAIL, "2"), ("ssn", "")]),
    "json": urlencode([("a", JSON), ("b", f"[{JSON}]"), ("ssn", JSON)]),
    "key": urlencode([("a", f"x {KEY} {MAIL}"), ("ssn", KEY)]),
}
CASES = [(XML, text, name) for name, text in DOCUMENTS.items()] + [(FORM, text, name) for name, text in FORMS.items()]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(("media", "text"), [case[:2] for case in CASES], ids=[f"{c[0][-4:]} {c[2]}" for c in CASES])
def test_markup_cut_anywhere(media: str, text: str, plan: str) -> None:
    body = text.encode("latin-1" if "iso-8859" in text else "utf-8")
    expected, exposure = whole(media, body, PLANS[plan])
    assert exposure.masks or plan != "both"
    for shown in (SSN, MAIL, "536-90", "-4399", "lovelace", "MIIE") if plan == "both" else ():
        assert shown.encode() not in expected
    for place in range(0, len(body) + 1, 1 if plan == "both" else 3):  # what the others owe, "both" does at each place
        got, stream = passed(media, [body[:place], body[place:]], PLANS[plan])
        assert got == expected and stream.exposure == exposure, place
    assert passed(media, bytewise(body), PLANS[plan])[0] == expected


_SAMPLES = (
    *(SSN, MAIL, SSN[:6], SSN[6:], "call", " ", "x", "&", "é", "<", "4111 1111 1111", " 1111"),
    *("\r\n", "]]>", JSON, "ada@exam", "ple.org", KEY[:40], "\t"),
)
_WORDS = st.lists(st.sampled_from(_SAMPLES), max_size=4).map("".join)
_NAMES = st.sampled_from(["a", "ssn", "email", "xml:ssn", "t"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_NAMES)
    attributes = draw(st.dictionaries(_NAMES, _WORDS, max_size=2))
    inner = []
    for kind in draw(st.lists(st.integers(0, 9), max_size=4)):
        if kind < 4:
            inner.append(escape(draw(_WORDS)))
        elif kind < 7 and depth < 3:
            inner.append(draw(elements(depth + 1)))
        else:
            inner.append(("<!-- 536-90-4399 -->", "<![CDATA[<536-90]]>", "<?p ada@example.org?>")[kind % 3])
    shown = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{shown}>{''.join(inner)}</{name}>"


@given(elements(), st.lists(st.integers(0, 600), max_size=6), st.sampled_from(list(PLANS)), st.booleans())
def test_any_document_cut_anywhere_is_masked_alike_or_not_at_all(text, cuts, plan, single) -> None:
    body = text.encode()
    try:
        expected, exposure = whole(XML, body, PLANS[plan])
    except Refusal as refusal:
        with pytest.raises(Refusal, match=refusal.detail[-30:].replace(".", r"\.")):
            passed(XML, cut(body, cuts), PLANS[plan])
        return
    got, stream = passed(XML, bytewise(body) if single else cut(body, cuts), PLANS[plan])
    assert got == expected and stream.exposure == exposure
    ElementTree.fromstring(got)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "a", "b", "ssn", MAIL]), _WORDS), min_size=1, max_size=8),
    st.sampled_from(["", "", "", "&", "&&a=1", "a", "%ff", "=", "\u00e9"]),
    st.lists(st.integers(0, 400), max_size=6),
    st.sampled_from(list(PLANS)),
    st.booleans(),
)
def test_any_form_cut_anywhere_is_masked_alike_or_not_at_all(pairs, behind, cuts, plan, near) -> None:
    body = urlencode(pairs).encode() + behind.encode("latin-1")
    far, form_neighbours.FAR = form_neighbours.FAR, 40 if near else form_neighbours.FAR
    try:
        expected, exposure = whole(FORM, body, PLANS[plan])
        got, stream = passed(FORM, cut(body, cuts), PLANS[plan])
        assert got == expected and stream.exposure == exposure
        assert [key for key, _ in pairs if key != MAIL] == [
            key for key, _ in parse_qsl(got.decode(), keep_blank_values=True) if key in ("a", "b", "ssn")
        ] or behind
    except Refusal:
        with pytest.raises(Refusal):
            whole(FORM, body, PLANS[plan])
        with pytest.raises(Refusal):
            passed(FORM, cut(body, cuts), PLANS[plan])
    finally:
        form_neighbours.FAR = far


@given(
    st.binary(max_size=60) | st.text("<>/a=&;\"'! -?[]CDATx", max_size=60).map(str.encode), st.lists(st.integers(0, 60))
)
def test_what_is_no_xml_never_ends_well(body: bytes, cuts: list[int]) -> None:
    for front in (b"", b"<a>"):
        try:
            whole(XML, front + body or b"x", PLANS["names"])
        except Refusal:
            with pytest.raises(Refusal):
                passed(XML, cut(front + body or b"x", cuts), PLANS["names"])


@pytest.mark.parametrize("size", [10, 8100, 8200, 9000, 70_000])
def test_json_in_an_element_is_masked_however_long_it_is(size: int) -> None:
    inner = json.dumps({"pad": "x" * size, "ssn": SSN, "more": json.dumps([{"ssn": SSN}])})
    body = f"<r><t>{escape(inner)}</t><t><![CDATA[{inner}]]></t></r>".encode()
    for got in (whole(XML, body, PLANS["names"])[0], passed(XML, cut(body, [50, 8192, 9000]), PLANS["names"])[0]):
        assert SSN.encode() not in got and got.count(b"****4399") == 4


@pytest.mark.parametrize("between", ["", "\n  ", "<!-- x -->", "<x/>", "<x a='1'/>\n<y>\n</y>", "<ssn>1</ssn>"])
@pytest.mark.parametrize("value", [SSN, MAIL, "4111 1111 1111 1111", "+49 151 12345678"])
def test_a_value_that_is_cut_by_the_border_of_two_elements(value: str, between: str) -> None:
    plan = Plan((*LOOKS, *NAMES), METHODS)
    pieces = {value[start : start + 5] for start in range(len(value) - 4)}
    for place in range(1, len(value)):
        body = f"<r><p>reach me {value[:place]}</p>{between}<p>{value[place:]} today</p></r>".encode()
        expected, _ = whole(XML, body, plan)
        assert b"[redacted]" in expected
        assert not [piece for piece in pieces if piece.encode() in expected], place
        assert passed(XML, bytewise(body), plan)[0] == expected


def test_numbers_in_elements_of_their_own_are_no_parts_of_one() -> None:
    body = "<r>\n<a>536-90</a>\n<b>-4399</b>\n<c>536</c> <d>904399</d>\n</r>"
    assert whole(XML, body.encode(), PLANS["looks"])[0].endswith(body.encode())


def test_what_is_far_away_is_no_neighbour_and_nobody_waits_for_it(monkeypatch) -> None:
    monkeypatch.setattr(xml_writer, "FAR", 1000)
    monkeypatch.setattr(form_neighbours, "FAR", 1000)
    tags = "<x a='1'/>" * 200
    body = f"<r><p>my number 536-90</p>{tags}<p>-4399 it is</p></r>".encode()
    expected, exposure = whole(XML, body, PLANS["looks"])
    assert not exposure.masks
    stream, came, left = opened(XML, PLANS["looks"]), 0, 0
    for piece in cut(body, list(range(0, len(body), 50))):
        came, left = came + len(piece), left + sum(map(len, stream.feed(piece)))
        assert came - left < 1200
    assert passed(XML, bytewise(body), PLANS["looks"])[0] == expected
    pairs = [("t", "my number 536-90"), *(("x", f"{n}") for n in range(400)), ("t", "-4399 it is")]
    form = urlencode(pairs).encode()
    assert whole(FORM, form, PLANS["looks"])[0] == form == passed(FORM, bytewise(form), PLANS["looks"])[0]
    near = urlencode(pairs[:100] + pairs[-1:]).encode()
    assert b"536" not in whole(FORM, near, PLANS["looks"])[0]


@pytest.mark.parametrize("plan", ["names", "both"])
@pytest.mark.parametrize("media", [XML, FORM])
def test_little_waits_of_what_has_no_end(media: str, plan: str) -> None:
    row = f"<row x='y'><ssn>{SSN}</ssn><t>some words and {MAIL}</t></row>\n" if media == XML else f"ssn={SSN}&t=a+word&"
    stream, came, left = opened(media, PLANS[plan]), 0, 0
    pieces = [b"<rows>"] if media == XML else []
    for piece in [*pieces, *[row.encode() * 40] * 100]:
        came, left = came + len(piece), left + sum(map(len, stream.feed(piece)))
    assert came > 70_000 and left > came // 2  # what was replaced is shorter


def late(media: str, body: bytes, plan: str = "names") -> bytes:
    """What left of a document, in pieces, before it was refused."""
    stream, left = opened(media, PLANS[plan]), b""
    with pytest.raises(Refusal) as caught:
        for piece in cut(body, list(range(0, len(body), 777))):
            left += b"".join(stream.feed(piece))
        stream.end()
    assert caught.value.code == "unmaskable"
    return left


@pytest.mark.parametrize(
    ("rest", "plan"),
    [
        ("<!-- " + "x" * 50_000, "names"),
        ("<?p " + "x" * 50_000, "names"),
        ("<a b='" + "x" * 50_000, "names"),
        ("<" + "x" * 50_000, "names"),
        ("<ssn>" + "9" * 50_000, "names"),
        ("<ssn>" + "<b>9</b>" * 50_000, "names"),
        ("<t>{" + "x" * 50_000, "names"),
        ("<t>" + " " * 50_000, "names"),
        ("<t>" + "x" * 50_000, "looks"),
        ("<a>" * 500, "names"),
        ("".join(f"<a{n}/>" for n in range(20_000)), "names"),
        ("".join(f"<a b{n}='1'/>" for n in range(20_000)), "names"),
        ("<" + "x" * 5000 + "/>", "names"),
        (f"<ssn>{SSN}</row>", "names"),
        (f"<ssn>{SSN}&e;</ssn>", "names"),
        (f"<ssn>{SSN}", "names"),
        (f"</rows><ssn>{SSN}</ssn>", "names"),
        (f"</rows>{SSN}", "names"),
        (f'<t>[["ssn"],["{SSN}"]]</t>', "names"),
        (f"<ssn>{SSN}</ssn>\0", "names"),
    ],
)
def test_what_fails_late_in_xml_ends_there(monkeypatch, rest: str, plan: str) -> None:
    monkeypatch.setattr(xml_body, "LONGEST", 20_000)
    left = late(XML, f"<rows>{'<row><ssn>1</ssn></row>' * 50}{rest}".encode(), plan)
    assert b"<row><ssn>" in left and SSN.encode() not in left and len(left) < 1_000_000


def test_tags_and_comments_that_are_nearly_too_long_pass_however_they_are_cut(monkeypatch) -> None:
    monkeypatch.setattr(xml_body, "LONGEST", 20_000)
    body = b"<r><!-- %b --><a b='%b'/></r>" % (b"x" * 19_900, b"y" * 19_900)
    expected, _ = whole(XML, body, PLANS["names"])
    for size in (1000, 7001, 11_001, 19_000, 60_000):
        assert passed(XML, cut(body, list(range(0, len(body), size))), PLANS["names"])[0] == expected


def test_texts_in_which_nothing_is_looked_for_have_any_length(monkeypatch) -> None:
    monkeypatch.setattr(xml_body, "LONGEST", 100)
    body = f"<r>\n <t>  {'QUJD' * 90_000}&lt;</t><ssn>{SSN}</ssn></r>".encode()
    got, _ = passed(XML, cut(body, list(range(0, len(body), 1000))), PLANS["names"])
    assert got == whole(XML, body, PLANS["names"])[0] and b"****4399" in got and len(got) > 360_000


def test_what_fails_late_in_a_form_ends_there(monkeypatch) -> None:
    monkeypatch.setattr(form_body, "LONGEST", 20_000)
    rests = ("a&x=1", "&x=1", "x=%ff", "x=\xff", "x=" + "1" * 50_000, "x" * 50_000, "", f'x=[["ssn"],["{SSN}"]]')
    for rest in rests:
        left = late(FORM, (f"ssn={SSN}&" * 50 + rest).encode("latin-1"))
        assert left.startswith(b"ssn=") and SSN.encode() not in left


def test_forms_may_have_any_number_of_pairs() -> None:
    body = urlencode([("a", "1"), ("ssn", SSN)] * 12_000).encode()
    got, _ = passed(FORM, cut(body, list(range(0, len(body), 60_000))), PLANS["names"])
    assert got == whole(FORM, body, PLANS["names"])[0] and got.count(b"4399") == 12_000


@pytest.mark.parametrize(
    ("said", "declared", "codec"),
    [
        ("", "utf-16", "utf-16"),
        ("", "utf-8", "utf-8-sig"),
        ("utf-16", "us-ascii", "utf-16-be"),
        ("utf-16le", "utf-8", "utf-16-le"),
        ("utf-32", "utf-32", "utf-32"),
        ("iso-8859-1", "utf-16", "latin-1"),
        ("windows-1252", "windows-1252", "cp1252"),
        ("", "windows-1252", "cp1252"),
        ("", "iso-8859-1", "latin-1"),
        ("", "UTF-16", "utf-16-le"),
    ],
)
def test_every_character_set_of_xml_cut_anywhere(said: str, declared: str, codec: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?><r><ssn>{SSN}</ssn><n>L\xfcbeck</n></r>'
    media, body = f"text/xml; charset={said}" if said else "text/xml", text.encode(codec)
    expected, _ = whole(media, body, PLANS["names"])
    assert expected == '<?xml version="1.0" encoding="UTF-8"?><r><ssn>****4399</ssn><n>L\xfcbeck</n></r>'.encode()
    for place in range(len(body) + 1):
        assert passed(media, [body[:place], body[place:]], PLANS["names"])[0] == expected, place
    assert passed(media, bytewise(body), PLANS["names"])[0] == expected


@pytest.mark.parametrize("encoding", ["x-nothing", "hex", "shift_jis", "utf-7", "utf-32", "utf-16", "cp037"])
def test_encodings_that_nobody_reads_are_refused(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?><r><ssn>{SSN}</ssn></r>'.encode()
    for pieces in ([body], bytewise(body)):
        with pytest.raises(Refusal, match="not well-formed"):
            passed(XML, pieces, PLANS["names"])
    with pytest.raises(Refusal, match="not well-formed"):
        whole(XML, body, PLANS["names"])


@pytest.mark.parametrize(
    "body",
    [
        f'<!DOCTYPE r [<!ENTITY e "{SSN}">]><r>&e;</r>',
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1/x"><r/>',
        "<!DOCTYPE r>" + " " * 100 + "<r/>",
    ],
)
def test_a_document_type_never_passes(body: str) -> None:
    for place in range(len(body)):
        with pytest.raises(Refusal, match=r"document type|well-formed"):
            passed(XML, [body[:place].encode(), body[place:].encode()], PLANS["names"])


def test_the_types_that_pass() -> None:
    for media in ("application/xml", "text/xml", "application/atom+xml", "application/soap+xml; charset=utf-8", FORM):
        stream = opened(media, PLANS["names"])
        assert not stream.light  # reading takes longer than the loop should wait
    assert open_stream(((b"content-type", b"image/svg+xml"),), 200, PLANS["names"], (), None) is None


def test_empty_bodies_stay_empty() -> None:
    for media in (XML, FORM):
        for plan in PLANS.values():
            assert passed(media, [], plan)[0] == b""


def test_a_path_that_means_no_column_is_refused_or_reported() -> None:
    path = Obligation("ids", "redact", path="$.a[0].b")
    with pytest.raises(Refusal, match="no meaning"):
        passed(XML, [b"<a/>"], Plan((path,), METHODS))
    report = Obligation("ids", "redact", path="$.a[0].b", manner=Manner(on_match="report"))
    got, stream = passed(XML, [b"<a>", b"</a>"], Plan((report,), METHODS))
    assert got == b"<a></a>" and "no meaning" in stream.findings()[0].detail


@pytest.mark.parametrize("media", [XML, FORM])
def test_masks_that_only_report_look_at_what_passes_and_change_nothing(media: str) -> None:
    body = (DOCUMENTS["rows"] if media == XML else FORMS["pairs"]).encode()
    report = Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="report"))
    got, stream = passed(media, bytewise(body), Plan((report,), METHODS))
    assert got == body and [finding.evidence["mask"] for finding in stream.findings()] == ["ids"]


def test_a_mask_that_refuses_ends_it() -> None:
    refuse = Plan((Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="refuse")),), METHODS)
    for media, body in ((XML, f"<r>{'<a/>' * 9}<ssn>{SSN}</ssn></r>"), (FORM, f"a=1&ssn={SSN}&b=2")):
        with pytest.raises(Refusal) as caught:
            passed(media, bytewise(body.encode()), refuse)
        assert caught.value.code == "withheld"


@pytest.mark.parametrize(
    ("rest", "plan", "why"),
    [
        ("<!-- " + "x" * 50_000, "names", "tags is too long"),
        ("<a b='" + "x" * 50_000, "names", "tags is too long"),
        ("<ssn>" + "<b>9</b>" * 50_000, "names", "texts is too long"),
        ("<t>{" + "x" * 50_000, "names", "texts is too long"),
        ("<t>" + "x" * 50_000, "looks", "texts is too long"),
        ("<a>" * 500, "names", "nested too deeply"),
        ("".join(f"<a{n}/>" for n in range(20_000)), "names", "too many names"),
        ("".join(f"<a b{n}='1'/>" for n in range(20_000)), "names", "too many names"),
        ("<" + "x" * 5000 + "/>", "names", "too many names"),
    ],
)
def test_what_grows_without_bound_in_xml_is_stopped_while_it_does(monkeypatch, rest: str, plan: str, why: str) -> None:
    monkeypatch.setattr(xml_body, "LONGEST", 20_000)
    stream = opened(XML, PLANS[plan])
    with pytest.raises(Refusal, match=why):
        for piece in cut(f"<rows>{rest}".encode(), list(range(0, len(rest), 777))):
            stream.feed(piece)
        stream.end()


def test_a_pair_waits_for_the_next_of_its_name_as_long_as_is_said(monkeypatch) -> None:
    monkeypatch.setattr(form_neighbours, "FAR", 30)
    for between in range(20, 40):
        form = f"t=my+number+536-90&{'x' * (between - 3)}=1&t=-4399+it+is&z=1".encode()
        expected, _ = whole(FORM, form, PLANS["looks"])
        assert (b"redacted" in expected) == (between <= 30), between
        assert passed(FORM, bytewise(form), PLANS["looks"])[0] == expected


@pytest.mark.parametrize("texts", [["x y", "ada@exam", "ple.org"], ["ada@exam", "ple.org", "x", "x y"]])
def test_pairs_are_texts_where_one_of_their_name_has_blanks(texts: list[str]) -> None:
    form = urlencode([("t", text) for text in texts]).encode()
    expected, _ = whole(FORM, form, PLANS["looks"])
    assert b"exam" not in expected and b"ple.org" not in expected
    assert passed(FORM, bytewise(form), PLANS["looks"])[0] == expected
