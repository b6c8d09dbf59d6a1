"""The resolver that dials only what was checked: an answer to a DNS rebinding attack.

Checking a name and then connecting to it resolves twice, and the second answer may differ. So the check sits inside
the event loop's own getaddrinfo: the list that was checked is the list that is dialled. A context variable limits it
to upstream connections, because the gateway's own calls (to the identity provider, say) run on the same loop.

The same place serves `connect`: the connection keeps the service's name and port, so that its certificate is verified
against that name and later requests find the connection again, and only what is resolved and dialled is another place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sluicegate.lockdown.addresses import AddressRefused

Check = Callable[[str], None]
"""Raises AddressRefused for an address that may not be dialled."""

upstream: ContextVar[Check | None] = ContextVar("sluicegate_upstream", default=None)
"""The check of the upstream connection that the running task opens; None for connections of our own."""

instead: ContextVar[tuple[str, int] | None] = ContextVar("sluicegate_instead", default=None)
"""Host and port that are resolved, and so dialled, in place of those of the upstream connection."""


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Put the guard on a loop, also one that runs already. Installing it twice changes nothing."""
    if getattr(loop, "sluicegate_guard", False):
        return
    resolve = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **hints: Any) -> list[Any]:
        check = upstream.get()
        if check is None:
            return await resolve(host, port, **hints)
        host, port = instead.get() or (host, port)
        answers = await resolve(host, port, **hints)
        allowed, refused = [], ""
        for answer in answers:
            try:
                check(str(answer[4][0]))
            except AddressRefused as error:
                refused = str(error)
            else:
                allowed.append(answer)
        if not allowed:
            raise AddressRefused(refused or f"{host} has no address")
        return allowed

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    loop.sluicegate_guard = True  # type: ignore[attr-defined]
