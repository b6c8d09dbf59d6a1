"""Documents with planted values, one for each format, and the codings and character sets that they travel in."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from typing import NamedTuple

import brotli
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
LEAKS = (
    b"536-90",
    b"536904",
    b"90-43",
    b"lovelace",
    base64.b64encode(MAIL.encode())[:16],
    MAIL.encode().hex().encode()[:20],
)
"""Parts of the values, as they are and encoded. `last4` of the number may show."""

ROW = {"id": 1, "ssn": SSN, "email": MAIL, "city": "Lübeck"}
LINE = json.dumps(ROW, ensure_ascii=False)
TABLE = pa.table({key: [value, value] for key, value in ROW.items()})


class Planted(NamedTuple):
    """A body and its type. `text` says whether it may be in another character set."""

    media: str
    body: bytes
    text: bool = True


def _arrow(file: bool) -> bytes:
    sink = pa.BufferOutputStream()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return bytes(sink.getvalue())


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    return bytes(sink.getvalue())


def _form(name: str, value: object) -> bytes:
    return f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


PARTS = b"".join(_form(name, value) for name, value in ROW.items())
NESTED = b"--x\r\ncontent-type: application/x-ndjson\r\n\r\n" + LINE.encode() + b"\n\r\n--x--\r\n"

DOCUMENTS: dict[str, Planted] = {
    "json": Planted("application/json", json.dumps({"rows": [ROW, ROW]}, ensure_ascii=False).encode()),
    "json, columns beside rows": Planted(
        "application/json", json.dumps({"columns": list(ROW), "rows": [list(ROW.values())] * 2}).encode()
    ),
    "json in json": Planted("application/json", json.dumps({"text": LINE, "more": [json.dumps([LINE])]}).encode()),
    "json with escapes": Planted(
        "application/json", LINE.replace("ssn", "\\u0073sn").replace("email", "\\u0065mail").encode()
    ),
    "ndjson": Planted("application/x-ndjson", f"{LINE}\n{LINE}\n".encode()),
    "concatenated json": Planted("application/x-json-stream", f"{LINE}{LINE}".encode()),
    "json sequence": Planted("application/json-seq", f"\x1e{LINE}\n\x1e{LINE}\n".encode()),
    "csv": Planted("text/csv", f"id,ssn,email\n1,{SSN},{MAIL}\n2,{SSN},{MAIL}\n".encode()),
    "csv, quoted": Planted("text/csv", f'"id";"ssn";"email"\r\n"1";"{SSN}";"{MAIL}"\r\n'.encode()),
    "tsv": Planted("text/tab-separated-values", f"id\tssn\temail\n1\t{SSN}\t{MAIL}\n".encode()),
    "events": Planted("text/event-stream", f"id: 1\ndata: {LINE}\n\ndata: {LINE}\n\n".encode()),
    "form": Planted("application/x-www-form-urlencoded", f"id=1&ssn={SSN}&email=ada.lovelace%40example.org".encode()),
    "parts": Planted("multipart/form-data; boundary=x", PARTS + NESTED, False),
    "xml": Planted(
        "application/xml", f'<r><row email="{MAIL}"><ssn>{SSN}</ssn><city>Lübeck</city></row></r>'.encode(), False
    ),
    "messagepack": Planted("application/msgpack", msgspec.msgpack.encode({"rows": [ROW]}), False),
    "arrow stream": Planted("application/vnd.apache.arrow.stream", _arrow(False), False),
    "arrow file": Planted("application/vnd.apache.arrow.file", _arrow(True), False),
    "parquet": Planted("application/vnd.apache.parquet", _parquet(), False),
}


LONGER = 74 << 10
"""Bytes that are here before the head of a response leaves that passes piece by piece, and some more."""
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


def _words(number: int) -> str:
    """Words that are in no other row, so that a body is as long with a coding as one that passes must be."""
    text = hashlib.sha256(b"%d" % number).hexdigest().translate(_LETTERS)
    return " ".join(text[at : at + 8] for at in range(0, 48, 8))


def _rows(line: str, least: int = LONGER) -> list[str]:
    """Rows of which the last ones, behind more than is held, hold the planted values too. There is a city in each."""
    count = least // (len(line) + 54) + 3
    return [line.replace("beck", f"beck {_words(number)}") for number in range(count)]


def _objects() -> list[dict[str, object]]:
    return [{**ROW, "city": f"Lübeck {_words(number)}"} for number in range(LONGER // 110)]


def _long_columns() -> bytes:
    return json.dumps({"columns": list(ROW), "rows": [list(row.values()) for row in _objects()]}).encode()


def _long_arrow() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        for number in range(160):
            row = {**ROW, "city": f"Lübeck {_words(number)} {_words(-number)}"}
            writer.write_table(pa.table({key: [value, value] for key, value in row.items()}))
    return bytes(sink.getvalue())


_MARKUP = f'<row email="{MAIL}"><ssn>{SSN}</ssn><city>Lübeck</city><email>{MAIL}</email></row>'
_PAIRS = f"id=1&ssn={SSN}&email=ada.lovelace%40example.org&city=L%C3%BCbeck"
_CELLS = f"1,{SSN},{MAIL},Lübeck"


def _long_parts() -> bytes:
    """As many parts as hold so much in all."""
    parts = [
        b"--x\r\ncontent-type: application/json\r\n\r\n%b\r\n" % json.dumps(row, ensure_ascii=False).encode()
        for row in _objects()
    ]
    return b"".join(parts) + b"--x--\r\n"


LONG: dict[str, Planted] = {
    "json array": Planted("application/json", f"[{','.join(_rows(LINE))}]".encode()),
    "json rows": Planted("application/json", f'{{"n": 1, "rows": [{",".join(_rows(LINE))}], "next": null}}'.encode()),
    "json columns": Planted("application/json", _long_columns()),
    "json with escapes": Planted(
        "application/json",
        f"[{','.join(_rows(LINE.replace('ssn', chr(92) + 'u0073sn').replace('email', chr(92) + 'u0065mail')))}]".encode(),
    ),
    "ndjson": Planted("application/x-ndjson", "\n".join(_rows(LINE)).encode()),
    "json sequence": Planted("application/json-seq", "".join(f"\x1e{line}\n" for line in _rows(LINE)).encode()),
    "events": Planted("text/event-stream", "".join(f"data: {line}\n\n" for line in _rows(LINE)).encode()),
    "csv": Planted("text/csv", "\n".join(["id,ssn,email,city", *_rows(_CELLS)]).encode()),
    "csv, quoted": Planted(
        "text/csv",
        "\r\n".join(
            f'"{line.replace(",", chr(34) + ";" + chr(34))}"' for line in ["id,ssn,email,city", *_rows(_CELLS)]
        ).encode(),
    ),
    "tsv": Planted(
        "text/tab-separated-values", "\n".join(["id,ssn,email,city", *_rows(_CELLS)]).replace(",", "\t").encode()
    ),
    "arrow stream": Planted("application/vnd.apache.arrow.stream", _long_arrow()),
    "xml": Planted("application/xml", "\n".join(["<rows>", *_rows(_MARKUP), "</rows>"]).encode()),
    "form": Planted("application/x-www-form-urlencoded", "&".join(_rows(_PAIRS)).replace(" ", "+").encode()),
    "xml in utf-16": Planted("text/xml", f"<rows>{''.join(_rows(_MARKUP, LONGER * 3 // 4))}</rows>".encode("utf-16")),
    "messagepack rows": Planted("application/msgpack", msgspec.msgpack.encode({"n": 1, "rows": _objects()})),
    "parts": Planted("multipart/mixed; boundary=x", _long_parts()),
    "messagepack, several": Planted("application/msgpack", b"".join(map(msgspec.msgpack.encode, _objects()))),
    "json rows in utf-16": Planted(
        "application/json", f'{{"rows": [{",".join(_rows(LINE, LONGER * 3 // 4))}]}}'.encode("utf-16")
    ),
    "ndjson in utf-16": Planted(
        "application/x-ndjson; charset=utf-16le", "\n".join(_rows(LINE, LONGER * 3 // 4)).encode("utf-16-le")
    ),
}
"""Bodies that pass piece by piece."""


def _members(body: bytes) -> bytes:
    half = len(body) // 2
    return gzip.compress(body[:half]) + gzip.compress(body[half:])


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("", lambda body: body),
    "gzip": ("gzip", gzip.compress),
    "gzip, two members": ("gzip", _members),
    "deflate": ("deflate", zlib.compress),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "br in gzip": ("br, gzip", lambda body: gzip.compress(brotli.compress(body))),
}
CHARSETS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


_WIDE = tuple(
    (value, value.decode().encode(charset))
    for charset in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    for value in LEAKS
)


def leaked(data: bytes) -> list[bytes]:
    """The planted values that are in a text, in any of the character sets."""
    forms = [value for value in LEAKS if value in data]
    if b"\0" in data:  # each of the wider forms has some
        forms += [value for value, wide in _WIDE if wide in data]
    return forms
