"""Records held against their entries: each byte of a recording belongs to one entry, and each entry to its bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry
from sluicegate.recording.ledger.recovery import CUT
from sluicegate.recording.verify.report import Finding, Kind, Report

_ASIDE = re.compile(r"(\d{4}-\d\d-\d\d)-([0-9A-Za-z-]+)\.([a-z]+)\.(\d{1,18})", re.ASCII)
"""What is moved aside: the day, the stem and the kind of the recording, and where in it the bytes stood."""
_NAME = re.compile(
    r"\d{4}-\d\d-\d\d/[0-9A-Za-z-]+\.(flows|intents|events|sealed)|"
    r"log/cut/[0-9A-Za-z-]+\.[a-z]+\.\d+|keys/[0-9a-f]+\.age|holds/[0-9a-f-]+\.json"
)
_SUFFIXES = (".flows", ".intents", ".events", ".sealed")
_BLOCK = 1 << 20
_OPEN = 16
_MOST = 3
"""Findings that are told of one file."""


@dataclass(slots=True)
class _Covered:
    end: int = 0
    first: int = 0
    """The first entry that speaks of the file."""
    records: int = 0
    told: int = 0
    gone: bool = False
    deleted: bool = False


class Records:
    """Checks records of one folder as their entries are read, in the order of the log."""

    def __init__(self, folder: Path, report: Report, deleted: set[str], *, whole: bool = True) -> None:
        """`whole`: the entries of all records are checked, so that nothing may lie between them."""
        self._whole = whole
        self._folder = folder
        self._report = report
        self._deleted = deleted
        self._files: dict[str, _Covered] = {}
        self._open: OrderedDict[str, int] = OrderedDict()

    def incomplete(self) -> None:
        """An entry cannot be read or trusted: what no entry seems to speak of proves nothing from now on."""
        self._whole = False

    def check(self, seq: int, fields: Mapping[str, Any]) -> None:
        """The record of an entry is there and as it was."""
        place = entry.place(fields)
        if place is None:
            return
        name, offset, length, digest = place
        exchange = str(fields.get("id", ""))
        if _NAME.fullmatch(name) is None:
            self._report.add(Finding("cannot-tell", "The entry speaks of a file that is no recording.", entry=seq))
            return
        state = self._files.setdefault(name, _Covered(first=seq))
        if name in self._deleted:
            state.deleted = True
            self._report.deleted += 1
        state.records += 1
        if self._whole and offset != state.end:
            self._tell(
                state, "tampered", "Entries leave out or repeat bytes of this file.", name, offset, seq, exchange
            )
        state.end = offset + length
        if state.gone or state.deleted:
            return
        try:
            found, size = self._digest(name, offset, length)
        except FileNotFoundError:
            state.gone = True
            detail = "The file is gone, and no entry says that it was deleted."
            self._report.add(Finding("tampered", detail, name, entry=seq, exchange=exchange))
        except OSError as error:
            self._tell(state, "cannot-tell", f"It cannot be read: {error.strerror}.", name, offset, seq, exchange)
        else:
            self._report.records += 1
            if found == digest:
                return
            if offset + length > size:
                detail = f"The file ends at byte {size}; this record goes to byte {offset + length}."
                self._tell(state, "truncated", detail, name, offset, seq, exchange)
            else:
                detail = "The bytes of this record are not those that were entered."
                self._tell(state, "tampered", detail, name, offset, seq, exchange)

    def finish(self, tails: set[str]) -> None:
        """No bytes are left over, and no file; `tails` are the stems of files that may still be written."""
        for name, state in self._files.items() if self._whole else ():
            if state.gone or state.deleted:
                continue
            with suppress(OSError):
                size = (self._folder / name).stat(follow_symlinks=False).st_size
                if size > state.end:
                    self._beyond(name, state.end, size, tails)
        beside = [*(self._folder / CUT).glob("*"), *self._folder.glob("keys/*"), *self._folder.glob("holds/*")]
        for path in sorted([*self._folder.glob("????-??-??/*"), *beside]):
            name = str(path.relative_to(self._folder))
            recording = path.suffix in _SUFFIXES or (path in beside and not path.name.startswith("."))
            if self._whole and name not in self._files and recording:
                size = path.stat(follow_symlinks=False).st_size
                if size or path.is_symlink():
                    self._beyond(name, 0, size, tails)
        self.close()

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _beyond(self, name: str, end: int, size: int, tails: set[str]) -> None:
        if name.startswith(f"{CUT}/") and self._moved_aside(name, size, tails):
            detail = "Bytes that were not acknowledged, moved aside by a recorder that was killed before it said so."
            self._report.add(Finding("unsigned", detail, name, end))
        elif name.rpartition(".")[0] in tails:
            detail = f"{size - end} bytes are not acknowledged: a gateway is writing them, or was killed."
            self._report.add(Finding("unsigned", detail, name, end))
        else:
            self._report.add(Finding("tampered", f"No entry speaks of the last {size - end} bytes.", name, end))

    def _moved_aside(self, name: str, size: int, tails: set[str]) -> bool:
        """Whether a file is a copy of what still stands at the end of a recording whose tail says that it may be lost.
        Who recovers copies first, then enters that, and cuts last: in between, it may be killed."""
        match = _ASIDE.fullmatch(name.removeprefix(f"{CUT}/"))
        if match is None or f"{match[1]}/{match[2]}" not in tails:
            return False
        other, begin = f"{match[1]}/{match[2]}.{match[3]}", int(match[4])
        state = self._files.get(other)
        if begin != (state.end if state is not None else 0):
            return False
        try:
            copied, _ = self._digest(name, 0, size)
            there, whole = self._digest(other, begin, size)
        except OSError:
            return False
        return copied == there and whole == begin + size

    def _tell(self, state: _Covered, kind: Kind, detail: str, name: str, offset: int, seq: int, exchange: str) -> None:
        # Behind an insertion every record of the file is another; the first ones say it all.
        state.told += 1
        if state.told > _MOST:
            self._report.suppressed += 1
        else:
            self._report.add(Finding(kind, detail, name, offset, seq, exchange))

    def _digest(self, name: str, offset: int, length: int) -> tuple[str, int]:
        descriptor = self._descriptor(name)
        digest = hashlib.sha256()
        while length and (part := os.pread(descriptor, min(length, _BLOCK), offset)):
            digest.update(part)
            offset, length = offset + len(part), length - len(part)
        return digest.hexdigest(), os.fstat(descriptor).st_size

    def _descriptor(self, name: str) -> int:
        found = self._open.get(name)
        if found is None:
            path = self._folder / name
            found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            self._open[name] = found
            if len(self._open) > _OPEN:
                os.close(self._open.popitem(last=False)[1])
        return found
