"""What was taken away by those who may, and what was held: said with names, and no finding."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from sluicegate.recording.ledger import entry
from sluicegate.recording.ledger.removals import TYPES
from sluicegate.recording.verify.report import Removal, Report

_LARGEST = 1 << 20
_MOST = 1000


class Removed:
    """Collects removals out of entries that are proved."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._report = report

    def see(self, seq: int, fields: Mapping[str, Any]) -> None:
        """An entry of the log."""
        if (fields["type"] in TYPES or fields["type"] == "held") and len(self._report.removals) < _MOST:
            self._report.removals.append(told(self._folder, seq, fields))


def told(folder: Path, seq: int, fields: Mapping[str, Any]) -> Removal:
    """What an entry says of a removal or hold, and its record, as long as that is there and is the one entered."""
    files, by = fields.get("files"), fields.get("by")
    record = _record(folder, fields)
    people = [record.get(name) for name in ("asked_by", "agreed_by")]
    names = tuple(str(one.get("name") or one.get("subject")) for one in people if isinstance(one, dict))
    pseudonyms = tuple(str(one) for one in by) if isinstance(by, list) else ()
    return Removal(
        str(fields["type"]),
        fields["at"] / 1_000_000,
        seq,
        len(files) if isinstance(files, list) else 0,
        names or pseudonyms,
        str(record.get("reason", "")),
        str(fields.get("because", "")),
    )


def _record(folder: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    try:
        place = entry.place(fields)
        if place is None or Path(place[0]).is_absolute() or ".." in place[0] or place[2] > _LARGEST:
            return {}
        descriptor = os.open(folder / place[0], os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            data = os.pread(descriptor, place[2], place[1])
        finally:
            os.close(descriptor)
        found = orjson.loads(data) if entry.about(place[0], place[1], data)["sha256"] == place[3] else None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
