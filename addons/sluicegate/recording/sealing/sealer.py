"""The sealer: has a key for each original that is to be kept, and hands its record to the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from sluicegate.exchange import Exchange, Original
from sluicegate.recording.sealing.body import seal
from sluicegate.recording.sealing.keys import DataKey, DataKeys, Made
from sluicegate.recording.sealing.orphans import hide
from sluicegate.recording.sealing.recipients import Recipients

_LARGE = 1 << 20
"""Bodies from this size on are sealed on another thread."""

Enter = Callable[[str, dict[str, Any], Made], Awaitable[object]]
"""Enters a new key into the ledger: (type, fields, key)."""


class Sealer:
    """Seals originals for the recipients. Used on the event loop."""

    def __init__(self, folder: Path, recipients: Recipients, who: Callable[[str, str], str], enter: Enter) -> None:
        self._folder = folder
        self._keys = DataKeys(folder, recipients)
        self._recipients = recipients
        self._who = who
        self._enter = enter
        self._making: dict[tuple[str, str], asyncio.Lock] = {}

    async def seal(self, exchange: Exchange, original: Original, now: float) -> tuple[bytes, dict[str, Any]]:
        """The record, and what the ledger says of it. Raises OSError, RecorderDown: then nothing may be delivered."""
        principal = exchange.principal
        session = (principal.session or f"{principal.issuer}\0{principal.subject}") if principal else ""
        cls = class_of(exchange)
        key = self._keys.find(session, cls, now) or await self._make(exchange, session, cls, now)
        arguments = (key.prk, key.name, exchange.id, original.type, original.coding, original.body)
        if len(original.body) < _LARGE:
            record, commitment = seal(*arguments)
        else:
            record, commitment = await asyncio.to_thread(seal, *arguments)
        return record, {"id": exchange.id, "key": key.name, "commitment": commitment}

    def forget(self, names: Collection[str]) -> None:
        """Never use the keys of these names again."""
        self._keys.forget(frozenset(names))

    async def _make(self, exchange: Exchange, session: str, cls: str, now: float) -> DataKey:
        lock = self._making.setdefault((session, cls), asyncio.Lock())
        async with lock:
            known = self._keys.find(session, cls, now)
            if known is None:
                made = await asyncio.to_thread(self._keys.make, session, cls, now)
                principal = exchange.principal
                said = {
                    "key": made.key.name,
                    "who": self._who(principal.issuer, principal.subject) if principal else None,
                    "session": self._who("session", principal.session) if principal and principal.session else None,
                    "class": cls,
                    "hour": made.key.hour,
                }
                try:
                    await self._enter("key.made", said, made)
                except Exception:
                    hide(self._folder, made.key.file)
                    raise
                self._keys.keep(session, cls, made)
                known = made.key
        self._making.pop((session, cls), None)
        return known


def class_of(exchange: Exchange) -> str:
    """What tells originals apart that are kept, or shredded, together: the masks that were owed, by name; `rule` where
    there were none and a rule wanted it."""
    masks = {obligation.mask for obligation in exchange.verdict.obligations} if exchange.verdict else set()
    return "+".join(sorted(masks))[:200] or "rule"
