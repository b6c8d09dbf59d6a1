"""The key of the fingerprints. Gateways that share a database share it; who has it can try values out."""

from __future__ import annotations

import contextlib
import os
import secrets

from sluicegate.errors import Fault
from sluicegate.settings import State

NAME = "taint.key"
LENGTH = 32
"""In bytes."""


def load_or_create(state: State) -> bytes:
    """The key from the state folder, made at the first start. Raises Fault when it cannot be read or kept."""
    path = state.keys / NAME
    try:
        if not path.exists():
            draft = path.with_name(f".{NAME}.{secrets.token_hex(8)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(LENGTH))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another gateway was faster: its key is the one
                path.hardlink_to(draft)
            draft.unlink()
        data = path.read_bytes()
        shared = path.stat().st_mode & 0o077
    except OSError as error:
        raise Fault(
            f"The key {path} cannot be read or made: {error.strerror}.",
            hint="Make room there, or let the gateway's user write it.",
        ) from None
    if shared:
        raise Fault(f"The key {path} can be read by others.", hint=f"Run: chmod 600 {path}")
    if len(data) != LENGTH:
        raise Fault(
            f"The key {path} does not have {LENGTH} bytes.",
            hint="Restore it from a backup, or remove it: what people received before is then not recognised.",
        )
    return data
