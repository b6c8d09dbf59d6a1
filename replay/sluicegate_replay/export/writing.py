"""Files and folders that are there as a whole or not at all: written beside their place, and moved there at the end."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluicegate.errors import Fault
from sluicegate_replay.escape import plain


def write_file(target: Path | None, pieces: Iterable[bytes]) -> None:
    """Write the pieces into a new file that is its owner's alone, or to stdout. Raises Fault."""
    if target is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    _must_be_new(target)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.link(name, target)  # which, unlike a rename, never replaces a file that came meanwhile
        finally:
            Path(name).unlink()
    except OSError as error:
        raise Fault(f"{plain(target)} cannot be written: {error.strerror}.") from None


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which is at its place once everything went well, and gone else. Raises Fault."""
    _must_be_new(target)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise Fault(f"{plain(target)} cannot be written: {error.strerror}.") from None
    try:
        yield beside
        beside.rename(target)
    except OSError as error:
        raise Fault(f"{plain(target)} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def outside(target: Path, recordings: Path) -> Path:
    """The target, where it is not among the recordings. Raises Fault."""
    if target.resolve().is_relative_to(recordings.resolve()):
        raise Fault(f"{plain(target)} is inside the recordings, where nothing is written.")
    return target


def _must_be_new(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise Fault(f"{plain(target)} is there already.", hint="Name another with --output.")
