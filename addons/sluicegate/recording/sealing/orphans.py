"""Wrapped keys that no entry speaks of: the gateway was killed, or the disk failed, between the key and its entry.

Nothing was sealed under such a key, since a key is used only once its entry is on the disk. It is taken away at the
next start; left lying there, it would look as if somebody had put it there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sluicegate.recording.ledger.scan import entries_with
from sluicegate.recording.ledger.store import CHECKPOINT
from sluicegate.recording.ledger.store import FOLDER as LOG
from sluicegate.recording.sealing.keys import FOLDER

logger = logging.getLogger(__name__)

_SLACK_SECONDS = 60.0


def hide(folder: Path, file: str) -> None:
    """Put a key aside whose entry failed: whether it is on the disk all the same, the next start finds out."""
    path = folder / file
    with suppress(OSError):
        path.rename(path.with_name(f".{path.name}"))


def doubtful(folder: Path) -> list[Path]:
    """The keys that may have no entry: those put aside, which are put back by this, and those about as new as the
    newest head. To be asked before the ledger is opened. Raises OSError."""
    found = [path.rename(path.with_name(path.name[1:])) for path in list((folder / FOLDER).glob(".*.age"))]
    head = folder / LOG / CHECKPOINT
    since = head.stat().st_mtime - _SLACK_SECONDS if head.exists() else 0.0
    found += [path for path in (folder / FOLDER).glob("[0-9a-f]*.age") if path.stat().st_mtime >= since]
    return found


def settle(folder: Path, paths: Sequence[Path]) -> None:
    """Take away those of the keys that no entry speaks of. The ledger is open. Raises OSError, NoteError."""
    if not paths:
        return
    entered = {fields.get("key") for _, fields in entries_with(folder, b'"type":"key.made"')}
    for path in {path for path in paths if path.stem not in entered}:
        path.unlink(missing_ok=True)
        logger.warning("the key %s was made and never used; it is taken away", path.stem)
