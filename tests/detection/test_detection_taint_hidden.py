"""Value taint against somebody who knows that it is there: cut up, put inside something else, spelt out, in odd places."""

from __future__ import annotations

import base64
import gzip
import json
import random
import urllib.parse
import zipfile
from io import BytesIO

import pytest

from sluicegate.detection.taint import cells, peel
from sluicegate.detection.taint.judge import count, index
from sluicegate.detection.taint.outgoing import parts
from sluicegate.detection.taint.searching import firsts, search
from sluicegate.detection.taint.tables import Body
from sluicegate.detection.taint.words import strong, words

KEY = b"k" * 32
ROWS = [
    {"id": number, "email": f"person{number}@mail{number * 3}.example.org", "ssn": f"{number + 100}-{number % 90 + 10}-{number * 7 + 1000}"}
    for number in range(60)
]  # fmt: skip
KNOWN = list(cells.unpack(cells.read(Body(json.dumps(ROWS).encode(), "", "application/json"), (), "customers", KEY)))
INDEX, FIRSTS = index(KNOWN), firsts(KNOWN)
LINES = [f"{row['email']} {row['ssn']}" for row in ROWS[20:26]]
PLAIN = "\n".join(LINES).encode()
PACKED = gzip.compress(PLAIN, mtime=0)
URL_SAFE = base64.urlsafe_b64encode(PACKED).decode().rstrip("=")
NOISE = random.Random(5).randbytes(400)


def zipped() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.txt", PLAIN)
    return target.getvalue()


def rows(given: tuple[bytes, ...]) -> int:
    return count(search(given, "", FIRSTS, KEY).values, INDEX).rows


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def form(*members: tuple[str, bytes], line: bytes = b"\r\n") -> bytes:
    body = b""
    for name, content in members:
        head = b'Content-Disposition: form-data; name="f"; filename="%b"' % name.encode()
        body += b"--bound" + line + head + line + b"Content-Type: x/y" + line * 2 + content + line
    return body + b"--bound--" + line


def spelt(between: str) -> bytes:
    return "\n".join(" / ".join(between.join(word) for word in line.split()) for line in LINES).encode()


@pytest.mark.parametrize(
    "body",
    [
        # In a part of a form, whatever the others are.
        form(("a.gz", PACKED)), form(("a.txt", b"x"), ("b.zip", zipped()), ("c.png", NOISE)), form((URL_SAFE, b"x")),
        form(("a.gz", PACKED), line=b"\n"), form(("a", base64.b64encode(base64.b64encode(PACKED)))), form(("a", form(("b", PACKED)))),
        form(*((f"{number}", line.encode()) for number, line in enumerate(LINES))), b"a first word\r\n" + form(("a.gz", PACKED)),
        # Inside something else.
        NOISE + PACKED, b"\x89PNG\r\n\x1a\n" + NOISE + zipped() + NOISE, b"GIF89a" + NOISE[:9] + PACKED + NOISE,
        b"words " * 500 + PACKED, NOISE + PLAIN + NOISE,
        # Cut up.
        json.dumps({"log": cut(URL_SAFE, 16)}).encode(), json.dumps({f"part-{n}-of-it": one for n, one in enumerate(cut(URL_SAFE, 12))}).encode(),
        json.dumps({"log": cut(PLAIN.decode(), 5)}).encode(), json.dumps([[list(line)] for line in LINES]).encode(),
        "&".join(f"p{n}={one}" for n, one in enumerate(cut(URL_SAFE, 20))).encode(),
        "\n".join(f"2026-06-01 INFO took {one}" for one in cut(URL_SAFE, 32)).encode(),
        # Spelt out.
        spelt(" "), spelt("-"), spelt("\u200b"), spelt("\u00ad"), spelt("\u0336"),
        PLAIN.replace(b"@", b" at ").replace(b".", b" dot "), PLAIN.replace(b"@", b" (at) "), PLAIN.replace(b"@", b"[AT]"),
        # In another writing.
        PLAIN.decode().encode("utf-16-be"), PLAIN.decode().encode("utf-32-le"), PLAIN.decode().encode("utf-32-be"), PLAIN.decode().encode("utf-32"),
    ],
)  # fmt: skip
def test_it_is_found_in_a_body(body):
    assert rows((body,)) >= 3


@pytest.mark.parametrize(
    "target",
    [
        "/notes/" + URL_SAFE, "/a/b/" + "/".join(cut(URL_SAFE, 20)), "/a?" + "&".join(f"p{n}={one}" for n, one in enumerate(cut(URL_SAFE, 20))),
        "/a;v=" + URL_SAFE, "/" + "/".join(urllib.parse.quote(line) for line in LINES), "/" + "/".join(PLAIN.hex()[at : at + 24] for at in range(0, len(PLAIN) * 2, 24)),
    ],
)  # fmt: skip
def test_it_is_found_in_an_address(target):
    assert rows(parts(b"", "evil.test", target, [], ())) >= 3


@pytest.mark.parametrize(
    "name",
    [
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Date",
        "Content-Type",
        "Expect",
        "TE",
        "Connection",
        "X-Anything",
    ],
)
def test_it_is_found_in_a_header_that_says_something_else(name):
    given = parts(b"x", "evil.test", "/", [(name.encode(), b"text/plain; x=" + URL_SAFE.encode())], ())
    assert rows(given) >= 3


def test_it_is_found_in_the_names_of_headers():
    given = [
        (b"X-" + line.replace("@", "-at-").replace(".", "-dot-").replace(" ", "-").encode(), b"1") for line in LINES
    ]
    assert rows(parts(b"x", "evil.test", "/", given, ())) >= 3
    assert rows(parts(b"x", "evil.test", "/", [(b"X-" + PLAIN.hex().encode(), b"1")], ())) >= 3


@pytest.mark.parametrize("body", [NOISE * 6000, form(("a.png", NOISE * 6000)), b"--x\r\n" * 5000, b"PK\x03\x04" * 50_000, b"\x78\x9c" * 300_000,
                                  form(("a.txt", b"a word " * 400_000))])  # fmt: skip
def test_guesses_do_not_make_a_body_too_large_to_be_looked_at(body):
    assert len(body) < peel.MOST and not peel.peel(body).cut


def test_what_looks_like_a_form_and_is_none_is_looked_at_as_it_is():
    for body in (b"--" + PLAIN, b"--bound\r\n" + PLAIN, b"--bound\r\nContent-Disposition: form-data\r\n\r\n" + PLAIN):
        assert rows((body,)) >= 3


@pytest.mark.parametrize(
    ("kept", "sent"),
    [
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"), ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("FR7630006000011234567890189", "FR76 3000 6000 0112 3456 7890 189"), ("MT84MALT011000012345MTLCAST001S", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
        ("4111111111111111", "4111-1111-1111-1111"), ("285154595", "285-15-4595"), ("285-15-4595", "285154595"),
    ],
)  # fmt: skip
def test_numbers_are_the_same_in_groups_and_without(kept, sent):
    body = json.dumps({"rows": [{"id": 1, "number": kept}]}).encode()
    known = list(cells.unpack(cells.read(Body(body, "", "application/json"), (), "customers", KEY)))
    found = search((f"see {sent}, please".encode(),), "", firsts(known), KEY)
    assert count(found.values, index(known)).strong == 1


CYRILLIC = str.maketrans("aeopcxysij", "аеорсхуѕіј")
GREEK = str.maketrans("ovpxia", "ονρχια")
ARABIC, DEVANAGARI = (str.maketrans("0123456789", digits) for digits in ("٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९"))


@pytest.mark.parametrize(
    "letters", [CYRILLIC, GREEK, ARABIC, DEVANAGARI], ids=["cyrillic", "greek", "arabic", "devanagari"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_letters_and_digits_that_look_like_others_hide_nothing(letters, packed):
    text = PLAIN.decode().translate(letters)
    assert not text.isascii()
    body = base64.b64encode(gzip.compress(text.encode(), mtime=0)) if packed else text.encode()
    assert rows((body,)) >= 3


@pytest.mark.parametrize("border", ["│", "∣", "×", " ║ ", "┃"])
def test_signs_that_look_like_letters_part_words_as_ever(border):
    body = "\n".join(f"{border}{row['email']}{border}{row['ssn']}{border}" for row in ROWS[20:26])
    assert rows((body.encode(),)) >= 3


@pytest.mark.parametrize(
    ("kept", "sent"),
    [
        ("Сергей Орехов", "cepгeй opexoв"), ("cepгeй opexoв", "СЕРГЕЙ ОРЕХОВ"), ("Ελένη Παππά", "Ελένη Παππά"),
        ("٠١٢٣٤٥٦٧٨", "012345678"), ("९८७६५४३२१०", "9876543210"), ("王小明王小明", "王小明王小明"),
    ],
)  # fmt: skip
def test_what_is_kept_in_another_script_is_found_in_its_own_and_in_letters_that_look_like_it(kept, sent):
    body = json.dumps({"rows": [{"id": 1, "name": kept}]}).encode()
    known = list(cells.unpack(cells.read(Body(body, "", "application/json"), (), "customers", KEY)))
    found = search((f"see {sent}, please".encode(),), "", firsts(known), KEY)
    assert {cell.value for cell in known} & found.values


def test_a_number_in_digits_of_another_script_identifies_somebody():
    assert strong("".join(words("٠١٢٣٤٥٦٧٨"))) and strong("".join(words("९८७६५४३२१०")))
