"""Folders of recordings with a ledger, as a gateway leaves them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluicegate.clock import SetClock
from sluicegate.recording.intents import seal
from sluicegate.recording.journal import Journal
from sluicegate.recording.ledger.log import Ledger
from sluicegate.recording.ledger.note import Signer

SIGNER = Signer("gate.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEYS = [SIGNER.verifier]
START = 1_795_470_301.0  # 2026-11-23 21:45:01 UTC


def journal_at(folder: Path, clock: SetClock | None = None, signer: Signer = SIGNER, **settings) -> Journal:
    """A journal with a ledger, not yet open."""
    own = {
        name: settings.pop(name)
        for name in ("escrow", "acknowledge_loss", "successor", "handed_over")
        if name in settings
    }
    return Journal(folder, clock or SetClock(START), ledger=Ledger(folder, signer, **own), **settings)


def record(number: int, filling: int = 40) -> bytes:
    """A record of its own."""
    return seal({"version": 1, "id": f"x{number:07d}", "time": START + number, "salt": os.urandom(16).hex(), "filling": "x" * filling})  # fmt: skip


async def exchange(journal: Journal, number: int) -> None:
    """An intent and an outcome."""
    said = {"id": f"x{number:07d}", "who": "aa" * 16}
    await journal.append("intents", record(number), "intent", said)
    await journal.append("flows", record(number, number * 7 % 90), "outcome", {**said, "status": 200})


async def fill(journal: Journal, first: int, count: int) -> None:
    """That many exchanges, eight at a time."""
    for at in range(first, first + count, 8):
        await asyncio.gather(*(exchange(journal, number) for number in range(at, min(at + 8, first + count))))


async def closed(folder: Path, count: int = 20, **settings) -> None:
    """A folder that a gateway has left in an orderly way."""
    journal = journal_at(folder, **settings)
    await asyncio.to_thread(journal.open)
    await fill(journal, 0, count)
    if count:
        await journal.append("events", record(9_000_000), "approval.decided")
    await asyncio.to_thread(journal.close)
