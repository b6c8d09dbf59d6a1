"""sluicegate-replay unseal."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluicegate.clock import SystemClock
from sluicegate.errors import Fault
from sluicegate.recording.readable import readable
from sluicegate.recording.recorded import Message
from sluicegate_replay import case as log
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.screen import console, print_json
from sluicegate_replay.escape import label, plain

if TYPE_CHECKING:
    from sluicegate.recording.sealing.body import Opened

_KEY_BYTES = 1 << 16


def unseal(
    exchange: Annotated[str, typer.Argument(metavar="ID", help="The exchange, or the beginning of its id.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your key (age, AGE-SECRET-KEY-1...).")],
    reason: Annotated[str, typer.Option("--reason", help="Why it must be opened. It stands in the case log.")],
    folder: given.From = None,
    case: given.Case = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the original there, for you alone.")
    ] = None,
    as_json: given.AsJson = False,
) -> None:
    """Open the original of a response that was masked. Who, when, what and why is in the case log before it opens.

    Exit codes: 0 opened, 1 it cannot be opened (shredded, another key, changed), 2 wrong use.

    Example: sluicegate-replay unseal 3f2a --key mine.txt --reason "case 17: whose numbers left"
    """
    from sluicegate.recording.ledger.note import NoteError
    from sluicegate.recording.sealing.body import SealError
    from sluicegate.recording.sealing.opening import find
    from sluicegate.recording.sealing.opening import unseal as open_sealed
    from sluicegate_replay.verifying import whole_id

    if not reason.strip():
        raise Fault("A reason is needed.", hint="It stands in the case log: --reason TEXT.")
    identities = _identities(key)
    where = given.recordings(folder)
    one = whole_id(where, exchange.strip().lower())
    try:
        sealed = find(where, one)
    except (SealError, NoteError, ValueError) as error:
        raise Fault(f"What is sealed of {plain(one)} cannot be read: {plain(error)}.", exit_code=1) from None
    except OSError as error:
        raise Fault(f"There are no recordings to read in {plain(where)}: {error.strerror}.") from None
    if not sealed:
        raise Fault(
            f"Nothing is sealed of {plain(one)}.", hint="Originals are sealed where a response was masked.", exit_code=1
        )
    now = SystemClock().now()
    head = log.note(case or log.default_case(), where, "unseal", now, {"exchange": one, "reason": reason.strip()})
    try:
        opened = [open_sealed(where, item, identities) for item in sealed]
    except (SealError, OSError, ValueError) as error:
        raise Fault(f"{plain(one)} cannot be opened: {plain(error)}.", exit_code=1) from None
    if output is not None:
        _write(output, b"".join(item.body for item in opened))
    if as_json:
        print_json({"originals": [_plain(item) for item in opened], "case_sha256": head})
    elif output is None:
        screen = console()
        for item, origin in zip(opened, sealed, strict=True):
            signed = "under the signed head" if origin.signed else "not yet under a signed head"
            screen.print(label(f"{len(item.body)} bytes, {item.type or 'no type'}; {signed}", "dim"))
            message = Message("", (("content-type", item.type), ("content-encoding", item.coding)), item.body)
            screen.print(label(readable(message), lines=True))
        print(f"sluicegate-replay: the case log is at SHA-256 {head}", file=sys.stderr)


def _identities(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            text = stream.read(_KEY_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise Fault(f"The key in {plain(file)} cannot be read: {why}.") from None
    found = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not found or not all(line.startswith("AGE-SECRET-KEY-1") for line in found):
        raise Fault(f"{plain(file)} is no file of age keys.", hint="`sluicegate recording keys` makes one.")
    return found


def _write(output: Path, data: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(output, flags, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise Fault(f"{plain(output)} cannot be written: {error.strerror}.", hint="It must not be there yet.") from None


def _plain(item: Opened) -> dict[str, Any]:
    return {
        "exchange": item.exchange,
        "type": item.type,
        "coding": item.coding,
        "length": len(item.body),
        "base64": base64.b64encode(item.body).decode(),
    }
