"""Data keys: one for each session, class and hour. Only their wrapped form is ever on the disk."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sluicegate.recording.ledger.writer import put, sync_files
from sluicegate.recording.sealing.body import KEY_SIZE, extract
from sluicegate.recording.sealing.recipients import Recipients

FOLDER = "keys"
"""Below the folder of recordings; a file a key, which `sluicegate recording shred` can take away."""
_HOUR = 3600
_KEPT = 1024


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key in use. `prk` is what body keys are made from; `name` is that of its file without `.age`."""

    name: str
    prk: bytes
    hour: int

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.age"


@dataclass(frozen=True, slots=True)
class Made:
    """A key that is new: its wrapped form is on the disk, and has yet to be entered into the ledger."""

    key: DataKey
    wrapped: bytes


class DataKeys:
    """The keys of now. `find` is for the event loop; `make` blocks."""

    def __init__(self, folder: Path, recipients: Recipients) -> None:
        self._folder = folder
        self._recipients = recipients
        self._known: OrderedDict[tuple[str, str, int], DataKey] = OrderedDict()

    def find(self, session: str, cls: str, now: float) -> DataKey | None:
        """The key for bodies of this session and class at this time, if there is one already."""
        return self._known.get((session, cls, int(now // _HOUR)))

    def make(self, session: str, cls: str, now: float) -> Made:
        """A new key, its wrapped form on the disk. Raises OSError. Forgets the oldest keys."""
        secret = os.urandom(KEY_SIZE)
        hour = int(now // _HOUR)
        # The hour begins the name, so that what is old is found without opening anything.
        key = DataKey(f"{hour:08x}{os.urandom(12).hex()}", extract(secret), hour)
        wrapped = self._recipients.wrap(secret)
        put(self._folder / key.file, wrapped)
        sync_files(self._folder, [key.file])
        return Made(key, wrapped)

    def keep(self, session: str, cls: str, made: Made) -> None:
        """Use a key from now on: it is in the ledger."""
        self._known[session, cls, made.key.hour] = made.key
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def forget(self, names: Collection[str]) -> None:
        """Never use keys of these names again: their wrapped form is about to go."""
        for place in [place for place, key in self._known.items() if key.name in names]:
            del self._known[place]
