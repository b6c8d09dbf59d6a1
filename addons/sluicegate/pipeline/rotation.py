"""A new authority in the place of the old one, without a moment in which a workstation trusts neither.

Three steps, and time between them for workstations to follow: the next one is made and shown; it begins to sign, and
the one before is still shown; the one before is forgotten.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from sluicegate.errors import Fault
from sluicegate.pipeline.authority import Authority, create, file_of, load, publish, put
from sluicegate.pipeline.constraints import Names


@dataclass(frozen=True, slots=True)
class Authorities:
    """Everything that workstations are to trust."""

    current: Authority
    next: Authority | None = None
    """Made, and not signing yet."""
    previous: Authority | None = None
    """Signed until lately. Its key is gone."""

    @property
    def trusted(self) -> tuple[Authority, ...]:
        return tuple(each for each in (self.current, self.next, self.previous) if each is not None)

    @property
    def pem(self) -> bytes:
        return b"".join(each.pem for each in self.trusted)


def read(folder: Path) -> Authorities:
    """What is there, by the certificates alone. Raises Fault where there is no authority yet, or it cannot be read."""
    current = _certificate(file_of(folder))
    if current is None:
        raise Fault(f"There is no authority in {folder} yet.", hint="`sluicegate up` makes it at its first start.")
    return Authorities(current, _certificate(_next(folder)), _certificate(_previous(folder)))


def begin(folder: Path, names: Names, secret: bytes | None, *, days: int) -> Authorities:
    """Make the next authority. Raises Fault where one that serves is waiting already."""
    found = read(folder)
    if found.next is not None and not found.next.names.lack(names):
        raise Fault(
            "The next authority has been made already, and workstations are getting to trust it.",
            hint="When all of them do, run `sluicegate ca rotate --switch`; `--discard` throws it away.",
            exit_code=1,
        )
    put(_next(folder), create(names, secret, days=days), 0o600)
    return _published(folder)


def discard(folder: Path) -> Authorities:
    """Throw the next authority away before it has signed anything. Raises Fault where there is none."""
    if read(folder).next is None:
        raise Fault("There is no next authority.", exit_code=1)
    _next(folder).unlink()
    return _published(folder)


def switch(folder: Path, names: Names, secret: bytes | None) -> Authorities:
    """From the gateway's next start on, the next authority signs. The key of the one before is gone then.

    Raises Fault where there is no next one, or it may not sign for what the policy governs.
    """
    found = read(folder)
    if found.next is None:
        raise Fault("There is no next authority.", hint="Make it with `sluicegate ca rotate`.", exit_code=1)
    missing = load(_next(folder), secret).names.lack(names)
    if missing:
        raise Fault(
            f"The next authority may not sign for {', '.join(missing)} either.",
            hint="The policy has changed since it was made: run `sluicegate ca rotate` again.",
            exit_code=1,
        )
    # In this order an end in between leaves an authority that signs, and both of them shown.
    put(_previous(folder), found.current.pem, 0o644)
    _next(folder).replace(file_of(folder))
    return _published(folder)


def finish(folder: Path) -> Authorities:
    """Forget the authority before. Raises Fault where there is none."""
    if read(folder).previous is None:
        raise Fault("No earlier authority is shown any more.", exit_code=1)
    _previous(folder).unlink()
    return _published(folder)


def _published(folder: Path) -> Authorities:
    found = read(folder)
    publish(folder, *found.trusted[1:])
    return found


def _next(folder: Path) -> Path:
    return folder / "next-ca.pem"


def _previous(folder: Path) -> Path:
    return folder / "previous-ca-cert.pem"


def _certificate(file: Path) -> Authority | None:
    content = b""
    with contextlib.suppress(FileNotFoundError):
        try:
            content = file.read_bytes()
        except PermissionError:
            raise Fault(f"{file} cannot be read: it is for the gateway's user alone.") from None
    if not content:
        return None
    try:
        return Authority.of(content)
    except ValueError:
        raise Fault(f"{file} holds no certificate.", hint="Restore it from a backup.") from None
