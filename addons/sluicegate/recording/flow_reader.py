"""The one reader of recordings. It opens files for reading only and believes nothing that stands in them.

A file that is damaged is read on behind the damage: where the length of an element still leads to its end, the next
one is there; else the file is searched for the next element that is whole and has the right checksum.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sluicegate.recording import intents
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Header, Message, Recorded, SocketMessage
from sluicegate.recording.summary import VERSION
from sluicegate.recording.tnetstring import parse
from sluicegate.recording.urls import shown_url

MAX_ELEMENT = (2 << 30) + (64 << 20)
"""Two bodies of the largest size that the policy can allow, and what is around them."""

_HEAD = re.compile(rb"([1-9][0-9]{0,11}):7:version;2:21#")
_LONGEST_HEAD = 40
_TAIL = re.compile(rb"5:crc32;8:[0-9a-f]{8};}}}\Z")
_LONGEST_TAIL = 22
NO_CRC = b"8:00000000;}}}"
"""How an element ends while its checksum is counted: the checksum is the last value of the last table."""
_BLOCK = 1 << 20
_UNSEEN = ("client_conn", "server_conn")
"""What of a flow is never looked at here: a third of its values."""
_UNINDEXED = (
    *_UNSEEN, "request", "response", "operation", "masks", "lifted", "known", "policy", "detail", "device",
)  # fmt: skip
"""The same for the index, down to the metadata: what has no column there, and takes time to read."""
_TEXT = 1
"""How messages of text are marked (RFC 6455 section 5.2)."""
_EFFORT = 16


class Summary(NamedTuple):
    """The metadata of an exchange, and where the exchange is."""

    summary: Mapping[str, Any]
    file: str
    offset: int


def flow_files(folder: Path) -> list[str]:
    """The names of the flow files below a folder, oldest first, relative to it. Raises OSError."""
    return _files(folder, "flows")


def segments(folder: Path) -> dict[str, list[str]]:
    """The segments below a folder, oldest first: names without the ending, and the files of each. Raises OSError."""
    found: dict[str, list[str]] = {}
    for name in sorted(_files(folder, "flows") + _files(folder, "intents")):
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def read_folder(folder: Path) -> Iterator[Recorded | Damage]:
    """Everything recorded below a folder, file by file in the order of their names. Raises OSError for the folder."""
    for name in flow_files(folder):
        yield from read_file(folder, name)


def read_file(folder: Path, name: str) -> Iterator[Recorded | Damage]:
    """What is whole in one flow file, and where it is not."""
    try:
        with _ReadOnly(folder / name) as data:
            yield from _elements(data, name)
    except OSError as error:
        yield Damage(name, 0, f"it cannot be read: {error.strerror}")


def read_summaries(folder: Path, name: str) -> Iterator[Summary | Damage]:
    """What the index needs of one flow file: the metadata of each exchange and its place, without the messages.

    An exchange whose checksum fits is believed to be whole. From the first damage on, the file is read like any other.
    """
    try:
        with _ReadOnly(folder / name) as data:
            offset, run = 0, None
            while offset < data.size or data.grown():
                try:
                    length = _frame(data, offset)
                    element = _checked(data.read(offset, length))
                    summary = _summary(parse(element, _UNINDEXED, 3))
                except (ValueError, TypeError, KeyError):
                    break
                run = run or str(summary.get("run"))
                yield Summary(summary, name, offset)
                offset += length
            for item in _elements(data, name, offset, run):
                yield item if isinstance(item, Damage) else Summary(item.summary, name, item.offset)
    except OSError as error:
        yield Damage(name, 0, f"it cannot be read: {error.strerror}")


def read_at(folder: Path, name: str, offset: int) -> Recorded | Damage:
    """The exchange at a place that the reader gave before."""
    try:
        with _ReadOnly(folder / name) as data:
            return _element(data, name, offset)[0]
    except OSError as error:
        return Damage(name, offset, f"it cannot be read: {error.strerror}")


def addresses_at(folder: Path, name: str, offset: int) -> tuple[str, str]:
    """`host:port` of the client and of the service of an exchange; empty where unknown. Raises OSError, ValueError."""
    with _ReadOnly(folder / name) as data:
        state = parse(data.read(offset, _frame(data, offset)))
    client, server = state["client_conn"]["peername"], state["server_conn"]["address"]
    return _address(client), _address(server)


def element_at(folder: Path, name: str, offset: int) -> bytes:
    """The bytes of an exchange as they stand in its file. Raises OSError, ValueError."""
    with _ReadOnly(folder / name) as data:
        return data.read(offset, _frame(data, offset))


def read_intents(folder: Path, name: str) -> Iterator[Intent | Damage]:
    """The intents in one file, and the lines of it that are not whole."""
    try:
        with _ReadOnly(folder / name) as data:
            for offset, line in _lines(data):
                try:
                    if not line.endswith(b"\n"):
                        raise ValueError("the last line is cut off")
                    yield intents.parse(line[:-1], name, offset)
                except (ValueError, TypeError, RecursionError) as error:
                    yield Damage(name, offset, str(error).split(":")[0])
    except OSError as error:
        yield Damage(name, 0, f"it cannot be read: {error.strerror}")


def read_all(folder: Path) -> Iterator[Recorded | Damage | Intent]:
    """Like `read_folder`, and at the end each intent that has no outcome: forwarded, outcome unknown.

    Holds the ids of open intents alone, since an outcome is written after its intent.
    """
    waiting: dict[str, Intent] = {}
    early: set[str] = set()
    flows, lines = _files(folder, "flows"), _files(folder, "intents")
    for stem in sorted({name.rpartition(".")[0] for name in flows + lines}):
        if f"{stem}.intents" in lines:
            for found in read_intents(folder, f"{stem}.intents"):
                if isinstance(found, Damage):
                    yield found
                elif found.id in early:
                    early.discard(found.id)
                else:
                    waiting[found.id] = found
        if f"{stem}.flows" in flows:
            for item in read_file(folder, f"{stem}.flows"):
                # A clock that was set back puts an outcome's file before its intent's.
                if isinstance(item, Recorded) and waiting.pop(item.id, None) is None and item.summary.get("intent"):
                    early.add(item.id)
                yield item
    yield from waiting.values()


class _ReadOnly:
    """A file's bytes by offset. The size is looked up anew where it matters, since a gateway may be writing."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> _ReadOnly:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def grown(self) -> bool:
        before, self.size = self.size, os.fstat(self._descriptor).st_size
        return self.size > before

    def read(self, offset: int, count: int) -> bytes:
        count = max(0, min(count, self.size - offset))
        parts = []
        while count and (part := os.pread(self._descriptor, count, offset)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)


def _elements(data: _ReadOnly, name: str, offset: int = 0, run: str | None = None) -> Iterator[Recorded | Damage]:
    while offset < data.size or data.grown():
        item, end = _element(data, name, offset)
        if isinstance(item, Damage) and end is None and data.grown():
            continue  # it was being written while we looked
        yield item
        if isinstance(item, Recorded):
            run = run or item.text("run")
        if end is None:
            found = _search(data, name, offset + 1, run)
            if found is None:
                return
            yield found[0]
            end = found[1]
        offset = end


class _Broken(ValueError):
    """An element whose own length cannot be trusted."""


def _frame(data: _ReadOnly, offset: int) -> int:
    """The length of the element at an offset, where it begins and ends like one of ours. Raises _Broken."""
    head = _HEAD.match(data.read(offset, _LONGEST_HEAD))
    if head is None:
        raise _Broken("no exchange begins here")
    length = len(head[1]) + 1 + int(head[1]) + 1
    if not _LONGEST_TAIL < length <= MAX_ELEMENT:
        raise _Broken("an impossible length")
    if offset + length > data.size:
        raise _Broken(f"the exchange is cut off: {data.size - offset} of {length} bytes are there")
    # Checked before so many bytes are read on the word of a length.
    if _TAIL.search(data.read(offset + length - _LONGEST_TAIL, _LONGEST_TAIL)) is None:
        raise _Broken("the exchange does not end where its length says")
    return length


def _element(data: _ReadOnly, name: str, offset: int) -> tuple[Recorded | Damage, int | None]:
    """The element at an offset and where the next one begins; None where its own length cannot be trusted."""
    try:
        length = _frame(data, offset)
    except _Broken as broken:
        return Damage(name, offset, str(broken)), None
    element = data.read(offset, length)
    end = offset + length
    try:
        _checked(element)
    except ValueError as error:
        return Damage(name, offset, str(error)), end
    try:
        return _recorded(parse(element, _UNSEEN), name, offset, length), end
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return Damage(name, offset, f"not an exchange that Sluicegate recorded ({type(error).__name__})"), end


def _checked(element: bytes) -> bytes:
    """The element, where its checksum fits. Raises ValueError."""
    counted = zlib.crc32(NO_CRC, zlib.crc32(memoryview(element)[: -len(NO_CRC)]))
    if element[-12:-4] != b"%08x" % counted:
        raise ValueError("the checksum does not fit")
    return element


def _search(data: _ReadOnly, name: str, start: int, run: str | None) -> tuple[Recorded, int] | None:
    """The next element that is whole. One of another recorder is not it: bodies may hold (forged) flow files."""
    budget = _EFFORT * data.size  # a hostile file could make every byte the start of an element that is nearly whole
    while start < data.size:
        for match in _HEAD.finditer(data.read(start, _BLOCK + _LONGEST_HEAD)):
            # Digits that belong to what stands before may have run into the length.
            for at in range(start + match.start(), start + match.end(1)):
                try:
                    budget -= _frame(data, at)
                except _Broken:
                    continue
                if budget < 0:
                    return None
                item, end = _element(data, name, at)
                if isinstance(item, Recorded) and end is not None and run in (None, item.text("run")):
                    return replace(item, resynced=True), end
        start += _BLOCK
    return None


def _recorded(state: Any, name: str, offset: int, length: int) -> Recorded:
    summary = _summary(state)
    request, response = state["request"], state["response"]
    target = f"{_text(request['method'])} {_text(request['path'] or request['authority'])}"
    url, host = shown_url(request)
    return Recorded(
        id=summary["id"],
        started=float(summary["started"]),
        finished=float(summary["finished"]),
        summary=summary,
        request=_message(target, request),
        response=(
            _message(f"{int(response['status_code'])} {_text(response['reason'])}", response)
            if response is not None
            else None
        ),
        messages=_messages(state["websocket"]),
        file=name,
        offset=offset,
        length=length,
        url=url,
        hosts=(request["host"], host),
        comment=state["comment"],
    )


def _summary(state: Any) -> Any:
    """The metadata that the recorder wrote. Raises ValueError, TypeError and KeyError where there is none."""
    summary = state["metadata"]["sluicegate"]
    if summary["version"] != VERSION or not isinstance(summary["id"], str):
        raise ValueError("another version")
    return summary


def _messages(state: Any) -> tuple[SocketMessage, ...]:
    if state is None:
        return ()
    found = []
    for kind, from_client, content, _, dropped, _ in state["messages"]:
        if not isinstance(content, bytes):
            raise ValueError("a message is not bytes")
        found.append(SocketMessage(bool(from_client), kind == _TEXT, content, bool(dropped)))
    return tuple(found)


def _message(line: str, state: Any) -> Message:
    return Message(
        line,
        _headers(state["headers"]),
        _body(state["content"]),
        _text(state["http_version"]),
        float(state["timestamp_start"] or 0.0),
        float(state["timestamp_end"] or 0.0),
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _address(value: Any) -> str:
    return f"{value[0]}:{value[1]}" if value else ""


def _headers(fields: list[list[bytes]]) -> tuple[Header, ...]:
    return tuple((_text(name), _text(value)) for name, value in fields)


def _body(content: object) -> bytes | None:
    if content is not None and not isinstance(content, bytes):
        raise ValueError("a body is not bytes")
    return content


def _lines(data: _ReadOnly) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line, no longer than a line of ours can be."""
    offset, rest = 0, b""
    at = 0
    while block := data.read(at, _BLOCK):
        at += len(block)
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield offset, line + b"\n"
            offset += len(line) + 1
        if len(rest) > intents.MAX_LINE:
            yield offset, rest
            offset, rest = at, b""
    if rest:
        yield offset, rest


def _files(folder: Path, kind: str) -> list[str]:
    if not folder.is_dir():
        raise NotADirectoryError(20, f"{folder} is not a folder of recordings")
    names = [
        f"{day.name}/{file.name}"
        for day in folder.iterdir()
        if day.is_dir() and not day.is_symlink()
        for file in day.iterdir()
        if file.name.endswith(f".{kind}") and not file.name.startswith(".")
    ]
    return sorted(names)
