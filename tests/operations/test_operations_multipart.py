"""Forms with files: what one parser would take for a part and another would not is not understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations import RequestView, multipart
from sluicegate.operations.view import Unreadable

TYPE = "multipart/form-data; boundary=xyz"


def form(*parts, end="--xyz--\r\n"):
    return "".join(f"--xyz\r\n{part}\r\n" for part in parts).encode() + end.encode()


def read(body, media=TYPE, **headers):
    sent = {"content-type": (media,), **{name.replace("_", "-"): (value,) for name, value in headers.items()}}
    return multipart.read(RequestView("POST", "/", "", sent, body))


FIELD = 'Content-Disposition: form-data; name="a"\r\n\r\none'
FILE = 'Content-Disposition: form-data; name="files"; filename="x.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--not'


def test_fields_and_files():
    first, second = read(form(FIELD, FILE))
    assert first == ("a", None, b"one") and first.text == "one"
    assert second == ("files", "x.pdf", b"%PDF\r\n--not")


def test_a_quoted_boundary_and_no_last_line_break():
    assert len(read(form(FIELD, end="--xyz--"), 'multipart/form-data; boundary="xyz"')) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"preamble\r\n" + form(FIELD),
        form(FIELD) + b"epilogue",
        form(FIELD, end="--xyz\r\n"),
        form(FIELD).replace(b"\r\n", b"\n"),
        form("Content-Disposition: form-data; name=a\r\n\r\none"),
        form("Content-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\none"),
        form("Content-Disposition: form-data; name=\"a\"; filename*=utf-8''x\r\n\r\none"),
        form("Content-Disposition: form-data; name=\"a\\\"b\"\r\n\r\none"),
        form(f"Content-Disposition: form-data; name=\"b\"\r\n{FIELD}"),
        form(f"Content-Transfer-Encoding: base64\r\n{FIELD}"),
        form("Content-Type: text/plain\r\n\r\none"),
        form("no header"),
        form(FIELD + "\n--xyz\r\nContent-Disposition: form-data; name=\"target_type\"\r\n\r\nput"),
        form(FIELD + "\r\n--xyz \r\nContent-Disposition: form-data; name=\"target_type\"\r\n\r\nput"),
        form(FIELD + "\r\n--xyz--\r\n--xyz\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\ntwo"),
        form('Content-Disposition: form-data; name="a"\r\n\r\n--xyz'),
        form(*[FIELD] * 101),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways(body):
    with pytest.raises(Unreadable):
        read(body)


@pytest.mark.parametrize(
    "media",
    ["", "multipart/form-data", "multipart/mixed; boundary=xyz", TYPE + "; boundary=abc", "multipart/form-data; boundary=x y"],
)  # fmt: skip
def test_types_that_are_no_form(media):
    with pytest.raises(Unreadable):
        read(form(FIELD), media)


def test_a_coded_form():
    with pytest.raises(Unreadable):
        read(form(FIELD), content_encoding="gzip")


def test_a_field_that_is_not_utf_8():
    part = read(form(FIELD).replace(b"one", b"\xff"))[0]
    with pytest.raises(Unreadable):
        _ = part.text


@given(st.binary(max_size=200), st.booleans())
def test_nothing_else_is_raised(content, framed):
    body = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + content + b"\r\n--xyz--\r\n"
    try:
        parts = read(body if framed else content)
    except Unreadable:
        return
    assert not framed or len(parts) == 1 or b"--xyz" in content


@given(st.binary(max_size=200).filter(lambda content: b"--xyz" not in content))
def test_content_comes_back_byte_for_byte(content):
    body = b'--xyz\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + content + b"\r\n--xyz--\r\n"
    assert read(body) == [("a", "b", content)]
