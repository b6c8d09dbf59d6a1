"""Taking files away, durably: the entry that says so is on the disk before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

A_TIME = 400
"""Files that one entry of the ledger names."""


def remove(folder: Path, names: Iterable[str]) -> None:
    """Take files below a folder away, and days that are empty then. Raises OSError; what is gone already is gone."""
    parents = set()
    for name in names:
        path = folder / name
        parents.add(path.parent)
        with suppress(FileNotFoundError):
            path.unlink()
    for parent in parents:
        with suppress(FileNotFoundError):
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if parent.parent == folder and parent.name[:4].isdecimal():
            with suppress(OSError):  # it is not empty
                parent.rmdir()
