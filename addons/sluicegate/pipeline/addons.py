"""An addon manager that knows who has a hook, and only waits where an addon really has to."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import fields
from typing import Any

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.master import Master

logger = logging.getLogger(__name__)


class DirectAddons(AddonManager):
    """An addon manager that looks up who has a hook once, not at each event."""

    def __init__(self, master: Master) -> None:
        super().__init__(master)
        self._holders: dict[str, list[Any]] = {}
        self._known: list[Any] = []
        self._fields: dict[type[hooks.Hook], tuple[str, ...]] = {}

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        # The stock manager sends an `update` after each hook of a flow, for user interfaces; there are none here.
        await self.trigger_event(event)

    async def trigger_event(self, event: hooks.Hook) -> None:
        pending = self.begin(event)
        if pending is not None:
            await pending

    def begin(self, event: hooks.Hook) -> Awaitable[None] | None:
        """Call the addons in order, up to the first that has to wait; the rest is what is returned, or None.

        Raises OptionsError.
        """
        names = self._fields.get(type(event))
        if names is None:
            names = self._fields[type(event)] = tuple(field.name for field in fields(event))  # type: ignore[arg-type]
        args = [getattr(event, field) for field in names]
        holders = self._having(event.name)
        for place, addon in enumerate(holders):
            try:
                result = getattr(addon, event.name)(*args)
            except exceptions.AddonHalt:
                return None
            except exceptions.OptionsError:
                raise
            except Exception:
                _broke(event.name, args)
            else:
                if result is not None:
                    return self._go_on(result, holders[place + 1 :], event.name, args)
        return None

    async def _go_on(self, first: Awaitable[None], others: list[Any], name: str, args: list[Any]) -> None:
        waiting: Awaitable[None] | None = first
        remaining = iter(others)
        while True:
            try:
                if waiting is not None:
                    await waiting
                    waiting = None
                for addon in remaining:
                    waiting = getattr(addon, name)(*args)
                    if waiting is not None:
                        break
                else:
                    return
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                _broke(name, args)
                waiting = None

    def _having(self, name: str) -> list[Any]:
        if self._known != self.chain:  # compares by identity first, so this costs a few hundred nanoseconds
            self._known = list(self.chain)
            self._holders = {}
        holders = self._holders.get(name)
        if holders is None:
            holders = [addon for addon in traverse(self.chain) if callable(getattr(addon, name, None))]
            self._holders[name] = holders
        return holders


def _broke(name: str, args: list[Any]) -> None:
    # A stage turns its own errors into refusals, so what arrives here is worse than those.
    logger.exception("Addon error in %s", name)
    for message in args:
        if isinstance(message, flow.Flow) and message.killable:
            message.kill()
