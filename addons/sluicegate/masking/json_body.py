"""JSON in and out: strict on the way in, and every number leaves with the digits that it came with.

Duplicate keys collapse to the last one. That is safe, because nothing but what is written here is ever sent.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_DEPTH = 200
"""Deepest nesting of objects and arrays that is masked, JSON inside strings included."""

# Raw keeps the text of a number with a fraction or an exponent as it is; integers of any size are exact anyway.
_decoder = msgspec.json.Decoder(float_hook=msgspec.Raw)
_encoder = msgspec.json.Encoder()
_sorted = msgspec.json.Encoder(order="deterministic")


class Unfit(ValueError):
    """The body cannot be masked. The message goes on after `and`; it holds nothing of the body."""


def parse(data: bytes) -> Any:
    """The document. Raises Unfit for what is not one JSON text in UTF-8 (RFC 8259): BOM, NaN, surrogates, rests."""
    try:
        return _decoder.decode(data)
    except RecursionError:
        raise Unfit("its JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    except msgspec.MsgspecError as error:
        raise Unfit(f"its body is not valid JSON ({str(error)[:120]})") from None


def serialise(document: Any) -> bytes:
    """The document as compact JSON, keys in their order."""
    return _encoder.encode(document)


def serialise_each(values: list[Any]) -> list[bytes]:
    """The text of each value."""
    return _encoder.encode_lines(values).split(b"\n")[:-1]  # no JSON text has a line feed in it


def canonical(value: Any) -> str:
    """A text that is the same for equal values: keys sorted, no spaces."""
    return _sorted.encode(value).decode()
