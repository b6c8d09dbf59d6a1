"""A secret key in a file of the state folder, made when it is first needed, for the gateway's user alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from sluicegate.errors import Fault

LENGTH = 32
"""In bytes."""


def load_or_create(path: Path, what: str, hint: str = "Restore it from a backup, or remove it.") -> bytes:
    """The key. `what` is what people are told that it is, `hint` what they can do about one that is cut or grown.

    Raises Fault when it cannot be trusted or kept.
    """
    try:
        return _read(path, what, hint)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Fault(f"The {what} {path} cannot be read: {error.strerror}.") from None
    try:
        _create(path)
        return _read(path, what, hint)
    except OSError as error:
        raise Fault(f"The {what} {path} cannot be made: {error.strerror}.") from None


def _create(path: Path) -> None:
    # Written whole under another name and then linked: of two processes that start together both get the first's
    # key, and neither ever sees half of one.
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


def _read(path: Path, what: str, hint: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise Fault(f"The {what} {path} is not a file of the user who runs the gateway.")
        if status.st_mode & 0o077:
            raise Fault(f"The {what} {path} can be read by others.", hint=f"Run: chmod 600 {path}")
        data = file.read(LENGTH + 1)
    if len(data) != LENGTH:
        raise Fault(f"The {what} {path} does not have {LENGTH} bytes.", hint=hint)
    return data
