"""Entries that say that files were taken away: by retention, by shredding, by releasing a hold."""

from __future__ import annotations

from sluicegate.recording.ledger import entry

TYPES = ("deleted", "shredded", "released")
_MARKS = tuple(f'"type":"{kind}"'.encode() for kind in TYPES)


def named(seq: int, data: bytes) -> set[str]:
    """The files, below the folder of recordings, that an entry says were taken away; of most entries there are none."""
    if not any(mark in data for mark in _MARKS):
        return set()
    try:
        fields = entry.decode(data, seq)
    except ValueError:
        return set()
    files = fields.get("files") if fields["type"] in TYPES else None
    return {name for name in files if isinstance(name, str)} if isinstance(files, list) else set()
