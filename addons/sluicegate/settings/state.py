"""The one folder in which a gateway keeps what it must not lose: database, keys, certificates, recordings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sluicegate.errors import Fault


@dataclass(frozen=True, slots=True)
class State:
    """Paths in the state folder. `open` makes them; everything in it is for the gateway's user alone."""

    root: Path

    @classmethod
    def beside(cls, policy: Path) -> State:
        """`SLUICEGATE_STATE`, or `.sluicegate/` beside the policy."""
        named = os.environ.get("SLUICEGATE_STATE")
        return cls(Path(named) if named else policy.absolute().parent / ".sluicegate")

    @property
    def ca(self) -> Path:
        """The interception authority (mitmproxy's confdir)."""
        return self.root / "ca"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def recordings(self) -> Path:
        return self.root / "recordings"

    @property
    def database(self) -> Path:
        return self.root / "sluicegate.sqlite3"

    def open(self) -> State:
        """Make the folders, for this user only. Raises Fault when they cannot be written."""
        try:
            for folder in (self.root, self.ca, self.keys, self.recordings):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.root / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            why = "it is not a folder" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
            raise Fault(
                f"The state folder {self.root} cannot be written: {why}.",
                hint="Choose another with --state FOLDER or SLUICEGATE_STATE.",
            ) from None
        return self
