"""Text that came off the wire, made safe for a terminal; the escapes are the reader's own (recording/plain.py)."""

from __future__ import annotations

from rich.text import Text

from sluicegate.recording.plain import moment, plain

__all__ = ["label", "moment", "plain"]


def label(value: object, style: str = "", *, lines: bool = False) -> Text:
    """The value as text for rich, in which nothing is read as markup."""
    return Text(plain(value, lines=lines), style)
