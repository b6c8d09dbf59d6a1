"""The key that pseudonyms are made with. Who has it can undo them, so it is guarded like the data itself."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from sluicegate.errors import Fault
from sluicegate.settings import State

NAME = "masking.key"
LENGTH = 32
"""In bytes."""


def load_or_create(state: State) -> bytes:
    """The key from the state folder, made at the first start. Raises Fault when it cannot be trusted or kept."""
    path = state.keys / NAME
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Fault(f"Cannot read the masking key {path}: {error.strerror}.") from None
    try:
        _create(path)
        return _read(path)
    except OSError as error:
        raise Fault(f"Cannot make the masking key {path}: {error.strerror}.") from None


def _create(path: Path) -> None:
    # Written whole under another name and then linked, so that of two gateways that start together both get the
    # key of the first, and neither ever sees half of one.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(LENGTH))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise Fault(f"The masking key {path} is not a file of the user who runs the gateway.")
        if status.st_mode & 0o077:
            raise Fault(f"The masking key {path} can be read by others.", hint=f"Run: chmod 600 {path}")
        data = file.read(LENGTH + 1)
    if len(data) != LENGTH:
        raise Fault(
            f"The masking key {path} does not have {LENGTH} bytes.",
            hint="Restore it from a backup; with a new key, new pseudonyms do not join with old ones.",
        )
    return data
