"""Where the catalog of a folder is: a file of the investigator's own, never in the recordings."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from sluicegate.errors import Fault

VARIABLE = "SLUICEGATE_REPLAY_CACHE"


def place_of(recordings: Path, cache: Path | None) -> Path:
    """The file for a folder of recordings, below `cache` or the user's own cache folder. Makes the folder, for the
    user alone. Raises Fault."""
    root = cache or _default()
    whole = recordings.resolve()
    if root.resolve().is_relative_to(whole):
        raise Fault(
            f"{root} is inside the recordings, where nothing is written.", hint="Name another folder with --cache."
        )
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Fault(
            f"The catalog cannot be kept in {root}: {error.strerror}.",
            hint="Name a folder with --cache, or use --no-cache.",
        ) from None
    return root / f"{hashlib.sha256(os.fsencode(whole)).hexdigest()[:24]}.sqlite3"


def passing() -> Path:
    """A new file that its user removes in the end."""
    descriptor, name = tempfile.mkstemp(prefix="sluicegate-replay-", suffix=".sqlite3")
    os.close(descriptor)
    return Path(name)


def _default() -> Path:
    if named := os.environ.get(VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sluicegate-replay"
