"""Services that want a token of the person who asks, and not a secret that everybody shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sluicegate.exchange import Principal, Target
from sluicegate.settings.model import Service


class PersonalTokens(Protocol):
    """Who gets tokens on a person's behalf. `presented`: what signed the person in, as `Exchange.secret` has it."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def cached(self, who: Principal, presented: str | None, target: Target) -> str | None:
        """The token, where one is at hand. Never waits, never raises."""

    async def obtain(self, who: Principal, presented: str | None, target: Target) -> str:
        """The token; waits for a bounded time. Raises Refusal."""

    def turned_down(self, who: Principal, presented: str | None, target: Target, token: str) -> None:
        """The service did not take it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a service wants it."""

    target: Target
    header: str
    bearer: bool

    def value(self, token: str) -> str:
        """The header's value."""
        return f"Bearer {token}" if self.bearer else token


def wanted(services: Mapping[str, Service]) -> Iterator[tuple[str, Wanted]]:
    """What services want, by their names."""
    for name, service in services.items():
        credential = service.credential
        if credential is None or credential.on_behalf is None:
            continue
        asked = credential.on_behalf
        target = Target(name, asked.audience or "", asked.resource or "", " ".join(asked.scope), asked.requested)
        yield name, Wanted(target, credential.header, credential.scheme == "bearer")
