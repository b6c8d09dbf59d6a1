"""What a worker and the recorder say to each other: frames of MessagePack, each behind its length.

The socket is a pair that the recorder's process made and handed to the worker that it started, so who is at the other
end is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sluicegate.recording.segment import FileKind
from sluicegate.recording.summary import valid_text

LARGEST = (1 << 32) - 1
_LENGTH = 4


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append"):
    """Worker: keep this record. With a summary it is the flow of an exchange."""

    number: int
    kind: FileKind | None
    record: bytes
    what: str
    fields: dict[str, Any]
    summary: dict[str, Any] | None = None


class Forgot(msgspec.Struct, frozen=True, array_like=True, tag="forgot"):
    """Worker: nothing is sealed any more with the keys of that number."""

    number: int


class Serving(msgspec.Struct, frozen=True, array_like=True, tag="serving"):
    """Worker: it listens."""

    host: str
    port: int


class Kept(msgspec.Struct, frozen=True, array_like=True, tag="kept"):
    """Recorder: the record is durable, in this place."""

    number: int
    file: str
    offset: int


class Lost(msgspec.Struct, frozen=True, array_like=True, tag="lost"):
    """Recorder: the record could not be kept."""

    number: int
    why: str


class Forget(msgspec.Struct, frozen=True, array_like=True, tag="forget"):
    """Recorder: seal nothing more with these keys, and say so."""

    number: int
    keys: list[str]


FromWorker = Append | Forgot | Serving
FromRecorder = Kept | Lost | Forget

_encode = msgspec.msgpack.Encoder().encode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
from_recorder = msgspec.msgpack.Decoder(FromRecorder).decode


def appended(
    number: int, kind: FileKind | None, record: bytes, what: str, fields: Mapping[str, Any], summary: Any
) -> bytes:
    """The body of an Append. Texts off the wire that are no valid Unicode are made so. Raises TypeError, ValueError."""
    try:
        return _encode(Append(number, kind, record, what, dict(fields), summary))
    except UnicodeEncodeError:
        return _encode(Append(number, kind, record, what, valid_text(dict(fields)), valid_text(summary)))


def frame(word: msgspec.Struct | bytes) -> bytes:
    """A word, ready to be sent. Raises ValueError where it is too large."""
    body = word if isinstance(word, bytes) else _encode(word)
    if len(body) > LARGEST:
        raise ValueError("a frame is too large")
    return len(body).to_bytes(_LENGTH, "big") + body


def joined(words: Sequence[msgspec.Struct]) -> bytes:
    """Several words, ready to be sent."""
    return b"".join([frame(word) for word in words])


class Frames:
    """Cuts what arrives into the bodies of frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def cut(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole by now."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _LENGTH:
            end = at + _LENGTH + int.from_bytes(rest[at : at + _LENGTH], "big")
            if len(rest) < end:
                break
            yield bytes(rest[at + _LENGTH : end])
            at = end
        if at:
            del rest[:at]
