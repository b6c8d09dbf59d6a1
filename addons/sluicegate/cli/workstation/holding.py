"""The handle that an agent holds: read anew when it changes, renewed while it lives."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from sluicegate.cli import console_client, credential_store
from sluicegate.cli.credential_store import Stored
from sluicegate.errors import Fault

logger = logging.getLogger("sluicegate.agent")

RENEW_SECONDS = 600.0
"""How often the handle is exchanged for another: one that was copied is of use for that long, and is then found out."""


class _Seen(NamedTuple):
    modified: int
    size: int
    node: int


class Holding:
    """Gives the handle of the sign-in at one gateway. A sign-in or sign-out in a terminal counts at once."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._seen: _Seen | None = None
        self._stored: Stored | None = None

    def secret(self) -> str:
        """The handle, or empty where nobody is signed in at this gateway. Raises nothing."""
        stored = self.stored()
        return stored.handle if stored is not None else ""

    def stored(self) -> Stored | None:
        """The sign-in as it is now."""
        found = _look(credential_store.place())
        if found != self._seen:
            self._seen, self._stored = found, None
            try:
                stored = credential_store.load()
            except Fault as fault:
                logger.error("%s", fault)
            else:
                self._stored = stored if stored is not None and stored.gateway == self._gateway else None
        return self._stored


async def keep_fresh(
    holding: Holding,
    renew: Callable[[Stored], Stored | None],
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Renew the handle for as long as this runs. `renew` runs on a thread; None means that it cannot be renewed."""
    while True:
        await wait(RENEW_SECONDS)
        stored = holding.stored()
        if stored is None:
            continue
        try:
            renewed = await asyncio.to_thread(renew, stored)
            if renewed is not None and holding.stored() == stored:
                await asyncio.to_thread(credential_store.save, renewed)
        except Exception as error:  # whatever is wrong now, the handle that there is may go on to serve
            logger.warning("the handle could not be renewed: %s", error if isinstance(error, Fault) else type(error))


def renewed_at_console(stored: Stored) -> Stored | None:
    """A new handle for the one that is stored, from the console that gave it; None where that gives none any more."""
    import httpx2

    base = console_client.address(stored.console, Path(os.devnull))
    headers = {"authorization": f"Bearer {stored.handle}", "accept": "application/json"}
    try:
        ca: str = getattr(stored, "ca", "")
        trusted = ssl.create_default_context(cafile=ca) if ca else True
        with httpx2.Client(
            trust_env=False, verify=trusted, timeout=console_client.SECONDS, follow_redirects=False
        ) as client:
            answer = client.post(f"{base}/api/session/renew", headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Fault(f"The console at {base} cannot be reached: {type(error).__name__}.") from None
    if answer.status_code != 200:
        return None
    return msgspec.structs.replace(stored, handle=str(answer.json()["handle"]))


def _look(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Seen(found.st_mtime_ns, found.st_size, found.st_ino)
