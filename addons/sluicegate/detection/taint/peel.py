"""What is sent, without its encodings: every text that can be made of it, in at most three layers and 4 MiB.

Encodings are recognised, never declared: whoever hides something says nothing about how.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import html
import io
import lzma
import quopri
import re
import tarfile
import urllib.parse
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import zstandard

from sluicegate.detection.taint.inside import embedded, members, words
from sluicegate.detection.taint.spelt import pieced, spelt

LAYERS = 3
MOST = 4 << 20
"""Bytes that are looked at, of all layers together."""
GUESSED = 256 << 10
"""Bytes that are looked at besides: what may be something, and most often is nothing. There may be more of it."""
_TURNED = 256 << 10
"""Texts up to this size are also read backwards and with turned alphabets,"""
_PIECED = 64 << 10
"""and up to this also put together from pieces."""
_MEMBERS = 64
_DICTIONARY = 64 << 20
"""Bytes of memory that unpacking may take."""


class Part(NamedTuple):
    """Something to look at."""

    data: bytes
    layer: int
    guess: bool
    """Whether it may be nothing."""


@dataclass(slots=True)
class Peeled:
    """The texts, and what could not be read."""

    texts: list[str] = field(default_factory=list)
    opaque: int = 0
    """Bytes that are no text and that nothing was made of."""
    cut: bool = False
    """Whether there is more than was looked at."""


def peel(data: bytes) -> Peeled:
    """Everything that can be read in `data`."""
    found, seen = Peeled(), set[bytes]()
    todo = deque([Part(data, 0, False)])
    left = {False: MOST, True: GUESSED}
    while todo:
        one, layer, guess = todo.popleft()
        if not one or one in seen:
            continue
        if len(one) > left[guess]:
            found.cut = found.cut or not guess
            one = one[: left[guess]]
            if not one:
                continue
        seen.add(one)
        parts = members(one)
        if parts:
            # They are all of it, so they take its place; what is in none of them alone may be in the whole.
            found.texts += [text for text in (text_of(one),) if text is not None and len(text) <= _TURNED]
            todo.extend(Part(part, layer, guess) for part in parts)
            continue
        left[guess] -= len(one)
        todo.extend(_peeled(one, layer, guess, left[guess], found))
    return found


def _peeled(one: bytes, layer: int, guess: bool, most: int, found: Peeled) -> Iterator[Part]:
    """What is below one layer; its text is put with what was found."""
    inner = list(unpacked(one, most))
    if not inner:
        text = text_of(one)
        if text is None:
            inner = [part for part in (_inflated(one, most),) if part]
            if not inner:
                found.opaque += len(one) if layer == 0 else 0  # what a text seemed to encode may be none
        else:
            found.texts.append(text)
            if layer == 0 and not guess and len(text) <= _TURNED:
                found.texts += _turned(text)
            if layer <= 1 and not guess and len(text) <= _PIECED:
                found.texts += spelt(text)
                for together in pieced(text):
                    yield Part(together.encode("utf-8", "surrogatepass"), layer, True)
            inner = list(_decoded(text, guess))
        if layer < LAYERS and not guess:
            yield from (Part(part, layer + 1, True) for part in _within(one, text))
    if layer < LAYERS:
        yield from (Part(part, layer + 1, guess) for part in inner)
    elif not guess and any(text_of(part) is not None or any(True for _ in unpacked(part, 64)) for part in inner):
        found.cut = True  # below it there is something that can be read, and no run of letters that only looks like it


def _within(one: bytes, text: str | None) -> Iterator[bytes]:
    """What stands inside something else."""
    for place in embedded(one):
        yield from unpacked(place, GUESSED)
    if text is None:
        yield words(one)
    elif len(text) <= _PIECED:
        for match in _BASE64.finditer(text):
            if "/" in match.group():  # it may be a path of which a part is encoded
                yield from (part.encode() for part in match.group().split("/") if len(part) >= 16)


def text_of(data: bytes) -> str | None:
    """The text that bytes are; None where they are none."""
    wide = _wide(data)
    if wide is not None:
        return data.decode(wide, "replace")
    text = data.decode("utf-8", "replace")
    strange = text.count("\ufffd") + sum(text.count(chr(code)) for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16))
    return text if strange <= len(text) // 10 else None


def _wide(data: bytes) -> str | None:
    """The encoding of texts whose letters are two or four bytes; None where they are not."""
    zeros = [data[at:64:4].count(0) for at in range(4)]
    if data[:4] == b"\xff\xfe\0\0" or (min(zeros[1:]) > 12 and not zeros[0]):
        return "utf-32-le"
    if data[:4] == b"\0\0\xfe\xff" or (min(zeros[:3]) > 12 and not zeros[3]):
        return "utf-32-be"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if zeros[1] + zeros[3] > 16:
        return "utf-16-le"
    return "utf-16-be" if zeros[0] + zeros[2] > 16 else None


def unpacked(data: bytes, most: int) -> Iterator[bytes]:
    """What is in an archive or a packed file, by how it begins."""
    try:
        if data.startswith(b"\x1f\x8b"):
            yield zlib.decompressobj(31).decompress(data, most + 1)
        elif data[:1] == b"\x78" and len(data) > 2 and not (data[0] << 8 | data[1]) % 31:
            yield zlib.decompressobj().decompress(data, most + 1)
        elif data.startswith(b"BZh"):
            yield bz2.BZ2Decompressor().decompress(data, most + 1)
        elif data.startswith(b"\xfd7zXZ\x00"):
            yield lzma.LZMADecompressor().decompress(data, most + 1)
        elif data.startswith(b"\x5d\x00\x00") and len(data) > 13:  # what LZMA was packed in before xz
            yield lzma.LZMADecompressor(lzma.FORMAT_ALONE, _DICTIONARY).decompress(data, most + 1)
        elif data.startswith(b"\x28\xb5\x2f\xfd"):
            yield zstandard.ZstdDecompressor().stream_reader(data).read(most + 1)
        elif data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist()[:_MEMBERS]:
                    with archive.open(member) as opened:
                        yield opened.read(most + 1)
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for _, entry in zip(range(_MEMBERS), tar, strict=False):
                    handle = tar.extractfile(entry)
                    if handle is not None:
                        yield handle.read(most + 1)
    except (ValueError, OSError, EOFError, RuntimeError, NotImplementedError, *_BROKEN):
        return


_BROKEN = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError, MemoryError, KeyError)


def _inflated(data: bytes, most: int) -> bytes | None:
    """What raw deflate has packed, which has no beginning of its own."""
    try:
        plain = zlib.decompressobj(-15).decompress(data, most + 1)
    except zlib.error:
        return None
    return plain if len(plain) > 16 else None


_HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9a-fA-F]{2}[\s,:;%-]{0,2}){8,}")
_DUMP = re.compile(r"^[0-9a-fA-F]{6,}[:\s]+((?:[0-9a-fA-F]{2,4}\s+){4,})", re.MULTILINE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}")
_BASE32 = re.compile(r"[A-Z2-7]{16,}(?:\.?[A-Z2-7]{2,})*=*|[a-z2-7]{16,}(?:\.[a-z2-7]{2,})*")
_BINARY = re.compile(r"(?:[01]{8}\s?){8,}")
_NUMBERS = re.compile(r"(?:\d{2,3}[\s,;]+){8,}\d{2,3}")
_BASE85 = re.compile(r"<~([!-u\szy]{10,})~>")
_LONG85 = re.compile(r"[!-~]{24,}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{24,}")


def _decoded(text: str, guess: bool = False) -> Iterator[bytes]:
    """What a text is an encoding of. In what was put together by guessing, the encodings that are quickly tried."""
    for change in _WHOLE:
        other = change(text)
        if other != text:
            yield other.encode("utf-8", "surrogatepass")
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", match.group())
        yield bytes.fromhex(digits[: len(digits) // 2 * 2])
    dump = "".join(re.sub(r"\s", "", match.group(1)) for match in _DUMP.finditer(text))
    if dump:
        yield bytes.fromhex(dump[: len(dump) // 2 * 2])
    for match in _BASE64.finditer(text):
        plain = re.sub(r"[\r\n=]", "", match.group()).replace("-", "+").replace("_", "/")
        for offset in range(4):
            part = plain[offset:]
            part = part[: len(part) - 1] if len(part) % 4 == 1 else part
            try:
                made = base64.b64decode(part + "=" * (-len(part) % 4))
            except binascii.Error:
                continue
            yield made
            if text_of(made) is not None or any(True for _ in unpacked(made, 64)):
                break
    for match in _BASE32.finditer(text):
        part = re.sub(r"[.=\s]", "", match.group()).upper()
        while len(part) % 8 in (1, 3, 6):
            part = part[:-1]
        try:
            yield base64.b32decode(part + "=" * (-len(part) % 8))
        except binascii.Error:
            continue
    if guess:
        return
    for match in _BINARY.finditer(text):
        digits = re.sub(r"\s", "", match.group())
        yield bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) // 8 * 8, 8))
    for match in _NUMBERS.finditer(text):
        yield from _numbered([int(number) for number in re.findall(r"\d+", match.group())], match.group())
    yield from _eighty_five(text)


def _numbered(values: list[int], text: str) -> Iterator[bytes]:
    if all(value < 256 for value in values):
        yield bytes(values)
    if not re.search("[89]", text) and all(value <= 377 for value in values):
        yield bytes(min(255, int(str(value), 8)) for value in values)


def _eighty_five(text: str) -> Iterator[bytes]:
    for match in _BASE85.finditer(text):
        try:
            yield base64.a85decode(re.sub(r"\s", "", match.group(1)))
        except ValueError:
            continue
    for match in _LONG85.finditer(text):
        for decode in (base64.a85decode, base64.b85decode):
            try:
                made = decode(match.group())
            except (ValueError, binascii.Error):
                continue
            if text_of(made) is not None:
                yield made
    for match in _BASE58.finditer(text):
        if len(match.group()) > 2048:
            continue  # base 58 takes time with the square of the length
        number = 0
        for letter in match.group():
            number = number * 58 + _ALPHABET58.index(letter)
        made = number.to_bytes((number.bit_length() + 7) // 8, "big")
        if text_of(made) is not None:
            yield made


_ALPHABET58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4,6})\}?|%u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")


def _unescaped(text: str) -> str:
    if "\\" not in text and "%u" not in text:
        return text
    plain = _ESCAPE.sub(lambda match: chr(min(int(next(filter(None, match.groups())), 16), 0x10FFFF)), text)
    return plain.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t").replace("\\/", "/")


def _plain_urls(text: str) -> str:
    return urllib.parse.unquote_plus(text) if "%" in text or "+" in text else text


def _entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _quoted(text: str) -> str:
    if "=" not in text or not re.search(r"=[0-9A-Fa-f]{2}|=\r?\n", text):
        return text
    return quopri.decodestring(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


_WHOLE: tuple[Callable[[str], str], ...] = (_plain_urls, _unescaped, _entities, _quoted)
_TURN47 = str.maketrans({chr(code): chr(33 + (code - 33 + 47) % 94) for code in range(33, 127)})

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MIRRORED = str.maketrans(_LETTERS + _LETTERS.upper(), _LETTERS[::-1] + _LETTERS[::-1].upper())


def _turned(text: str) -> list[str]:
    return [text[::-1], codecs.encode(text, "rot13"), text.translate(_TURN47), text.translate(_MIRRORED)]
