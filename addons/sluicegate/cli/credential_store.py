"""What `sluicegate login` leaves on a workstation: the handle of the session, and where its gateway and console are.

One file, for this user alone, in the user's configuration folder. It holds no token of the identity provider.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from sluicegate.errors import Fault

FOLDER_VARIABLE = "SLUICEGATE_CONFIG"
"""Names another folder than `~/.config/sluicegate`."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in. `expires` is in seconds since the epoch, UTC."""

    handle: str
    """The credential: the password of the proxy, and the bearer of calls to the console."""
    console: str
    """URL of the console that gave the handle. The handle is sent to no other."""
    gateway: str
    """`host:port` of the gateway's proxy."""
    session: str = ""
    subject: str = ""
    name: str = ""
    expires: float = 0.0
    ca: str = ""
    """PEM file with the authorities of console and provider; empty: those of the system."""

    def __repr__(self) -> str:
        return f"Stored(session={self.session!r}, subject={self.subject!r}, console={self.console!r})"


def place() -> Path:
    """The file."""
    named = os.environ.get(FOLDER_VARIABLE)
    base = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(named) if named else (Path(base) if base else Path.home() / ".config") / "sluicegate"
    return folder / "session.json"


def load() -> Stored | None:
    """The sign-in; None when there is none. Raises Fault for a file that others can read or one with something else."""
    path = place()
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if os.name == "posix" and (stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.getuid()):
                raise Fault(
                    f"The credential in {path} can be read by others, or belongs to somebody else.",
                    hint=f"Run: sluicegate logout; chmod 600 {path}; sluicegate login",
                )
            return msgspec.json.decode(file.read(65_536), type=Stored)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Fault(f"The credential in {path} cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Fault(f"The credential in {path} cannot be understood.", hint="Run: sluicegate login") from None


def load_or_none() -> Stored | None:
    """The sign-in, as `load` has it; None too for a file that is no good and is to be replaced or removed."""
    try:
        return load()
    except Fault:
        return None


def save(stored: Stored) -> Path:
    """Write the file in one step, for this user alone; returns where. Raises Fault."""
    path = place()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it 0600 from the first moment on; what replaces the old file is whole.
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=".session-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(stored))
                file.flush()
                os.fsync(file.fileno())
            Path(new).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(new).unlink()
            raise
    except OSError as error:
        raise Fault(
            f"The credential cannot be written to {path}: {error.strerror}.",
            hint=f"Name another folder with {FOLDER_VARIABLE}.",
        ) from None
    return path


def forget() -> bool:
    """Remove the file. Returns whether there was one. Raises Fault."""
    try:
        place().unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Fault(f"The credential in {place()} cannot be removed: {error.strerror}.") from None
    return True
