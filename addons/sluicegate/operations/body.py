"""Request bodies in JSON (RFC 8259) and forms, read so strictly that every other reader has to read the same.

Parsers differ in what they do with members sent twice, numbers that are none, lone surrogates and deep nesting.
Whatever they could differ about is not understood here.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Never

from sluicegate import codings
from sluicegate.operations import query
from sluicegate.operations.view import RequestView, Unreadable

MAX_BYTES = 256 << 10
"""Largest body that is read, before and after decoding, unless a dialect says otherwise."""
MAX_VALUES = 100_000
"""Most commas and brackets in a body that is larger: long texts are quick to read, many small values are not."""
MAX_DEPTH = 64
"""Deepest nesting of objects and lists."""
_MEDIA = re.compile(r"application/(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\+)?json")
_FORM = re.compile(r"application/x-www-form-urlencoded")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_object(view: RequestView, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in the body; numbers with a fraction are Decimal. Raises Unreadable."""
    document = read_document(view, limit)
    if not isinstance(document, dict):
        raise Unreadable("the body is not a JSON object")
    return document


def read_document(view: RequestView, limit: int = MAX_BYTES) -> Any:
    """The JSON value in the body, of at most `limit` bytes before and after decoding. Raises Unreadable."""
    _check_type(view.header("content-type"), _MEDIA, "application/json")
    text = read_text(view, limit)
    if len(text) > MAX_BYTES and sum(map(text.count, ",[{")) > MAX_VALUES:
        raise Unreadable("the body has too many values")
    try:
        document = json.loads(text, object_pairs_hook=_members, parse_float=Decimal, parse_constant=_no_constant)
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    except (ValueError, ArithmeticError):
        raise Unreadable("the body is not valid JSON") from None
    if text.count("[") + text.count("{") > MAX_DEPTH or "\\u" in text:  # else there is nothing to find
        _walk(document)
    return document


def read_form(view: RequestView) -> dict[str, Any]:
    """The fields of an application/x-www-form-urlencoded body, read as strictly as a query. Raises Unreadable."""
    _check_type(view.header("content-type"), _FORM, "application/x-www-form-urlencoded")
    return dict(query.parameters(read_text(view)))


def read_text(view: RequestView, limit: int = MAX_BYTES) -> str:
    """The body as text in UTF-8, whatever its type, without its content coding. Raises Unreadable."""
    coding = (view.header("content-encoding") or "").strip(" \t").lower()
    if coding not in ("", "identity", "gzip"):
        raise Unreadable("the body has a content-encoding other than gzip")
    if len(view.body) > limit:
        raise Unreadable("the body is too large")
    try:
        data = codings.decode(view.body, coding, limit)
        text = data.decode()
    except codings.CodingError:
        raise Unreadable("the body cannot be decoded, or is too large once decoded") from None
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise Unreadable("the body starts with a byte order mark")
    return text


def _check_type(value: str | None, media_type: re.Pattern[str], named: str) -> None:
    if value is None:
        raise Unreadable("the body has no content-type")
    media, *parameters = (part.strip(" \t").lower() for part in value.split(";"))
    if not media_type.fullmatch(media):
        raise Unreadable(f"the body is not of type {named}")
    for parameter in parameters:
        if parameter not in ("charset=utf-8", 'charset="utf-8"'):
            raise Unreadable("the content-type of the body has a parameter other than charset=utf-8")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Some parsers match names without regard to case, so names that differ only there count as sent twice.
    if len({name.casefold() for name, _ in pairs}) != len(pairs):
        raise Unreadable("the body has a member twice")
    return dict(pairs)


def _no_constant(text: str) -> Never:
    raise Unreadable(f"the body has {text}, which is not JSON")


def _walk(document: Any) -> None:
    """Raise Unreadable for nesting that is too deep and for text that is no Unicode text."""
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH and any(isinstance(node, dict | list) for node in level):
            raise Unreadable("the body is nested too deeply")
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                for text in node:
                    _check_text(text)
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str):
                _check_text(node)
        level = below


def _check_text(text: str) -> None:
    if _SURROGATE.search(text):
        raise Unreadable("the body has a lone surrogate")
