"""The case log: what an investigator did, in a folder of their own. Each line holds the SHA-256 of all before it.

It shows to others that nothing was left out or changed later, once its last line is known to them. Recordings are never
written to; what is done with them is written here, before it is done.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate import __version__
from sluicegate.errors import Fault

VARIABLE = "SLUICEGATE_CASE"
FILE = "case.jsonl"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that does not fit what stands before it."""

    number: int
    reason: str


def default_case() -> Path:
    """The folder that the environment names, else one in the user's own data folder."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "sluicegate-replay" / "case"


def note(case: Path, recordings: Path, action: str, at: float, details: Mapping[str, Any]) -> str:
    """Write down what is about to be done, durably; the SHA-256 of the log with it. Raises Fault: nothing may be done
    then, as when the log was changed."""
    if case.resolve().is_relative_to(recordings.resolve()):
        raise Fault(f"{case} is inside the recordings, where nothing is written.", hint="Name another with --case.")
    try:
        case.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(case / FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = _whole(descriptor)
            _refuse_broken(case, before)
            fields = {
                "version": VERSION,
                "at": at,
                "by": getpass.getuser(),
                "tool": f"sluicegate-replay {__version__}",
                "action": action,
                "recordings": str(recordings.resolve()),
                **details,
                "before": hashlib.sha256(before).hexdigest(),
            }
            line = json.dumps(fields, sort_keys=True).encode() + b"\n"
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_folder(case)
    except OSError as error:
        hint = "Name a folder that can be written with --case."
        raise Fault(f"The case log in {case} cannot be written: {error.strerror}.", hint=hint) from None
    return hashlib.sha256(before + line).hexdigest()


def read(case: Path) -> Iterator[dict[str, Any] | Broken]:
    """The lines of a log, and those that do not fit. Raises Fault where there is none."""
    try:
        data = (case / FILE).read_bytes()
    except OSError as error:
        raise Fault(f"There is no case log in {case}: {error.strerror}.", hint="Name the folder with --case.") from None
    yield from lines(data)


def lines(data: bytes) -> Iterator[dict[str, Any] | Broken]:
    """The lines of a log. One that was changed breaks itself or the one behind it."""
    digest = hashlib.sha256()
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if not line.endswith(b"\n"):
            yield Broken(number, "the line is cut off")
        elif not isinstance(fields, dict) or fields.get("version") != VERSION:
            yield Broken(number, "it is no line of a case log")
        elif fields.get("before") != digest.hexdigest():
            yield Broken(number, "what stands before it is not what stood there when it was written")
        else:
            yield fields
        digest.update(line)


def head(case: Path) -> str:
    """The SHA-256 of the log as it is: what to give to others, so that nothing can be changed later."""
    return hashlib.sha256((case / FILE).read_bytes()).hexdigest()


def _refuse_broken(case: Path, data: bytes) -> None:
    broken = next((line for line in lines(data) if isinstance(line, Broken)), None)
    if broken is not None:
        raise Fault(
            f"The case log in {case} is broken at line {broken.number}: {broken.reason}.",
            hint="Keep it as it is, and begin another with --case.",
            exit_code=1,
        )


def _whole(descriptor: int) -> bytes:
    parts, offset = [], 0
    while part := os.pread(descriptor, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
