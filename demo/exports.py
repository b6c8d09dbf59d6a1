"""The sink: where exports end, one file an object, so that the demo can show what really left.

`s3://bucket/key` becomes `<sink>/bucket/key`. Bucket and key are held to letters that mean nothing to a file system,
and the path is checked once more before anything is written.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@%,-][A-Za-z0-9._=+@%,-]{0,199}")
MAX_KEY = 800


class DestinationError(ValueError):
    """The destination is none that the sink has; the message says what is wrong."""


class Sink:
    """A folder that stands for the object stores of the world."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sink"
        self._parts = folder / "sink-parts"  # beside it, so that a half-written object is never in the sink

    def place(self, destination: str) -> Path:
        """The file for `s3://bucket/key`. Raises DestinationError."""
        scheme, _, rest = destination.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not _BUCKET.fullmatch(bucket):
            raise DestinationError("a destination is `s3://bucket/key`")
        segments = key.split("/")
        # No segment starts with a dot, so there is neither `.` nor `..`, and none is empty.
        if len(key) > MAX_KEY or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise DestinationError("a key is made of letters, digits and `._=+@%,-`, in parts that start with no dot")
        path = self._folder.joinpath(bucket, *segments)
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise DestinationError("the destination lies outside the sink")
        return path

    def write(self, destination: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write the rows as NDJSON, whole or not at all; how many they were. Raises DestinationError, or OSError."""
        path = self.place(destination)
        self._parts.mkdir(parents=True, exist_ok=True)
        part = self._parts / secrets.token_hex(8)
        count = 0
        try:
            with part.open("xb") as file:
                for row in rows:
                    file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                    count += 1
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise DestinationError("the key is a part of another key, or the other way round") from None
        finally:
            part.unlink(missing_ok=True)
        return count
