"""The order of the addons, once: the way of a request from the client to the service, and of the response back."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluicegate.approvals.addon import ApprovalsAddon
from sluicegate.approvals.store import Store
from sluicegate.clock import Clock, SystemClock
from sluicegate.credentials.addon import CredentialsAddon
from sluicegate.database import Database
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.exposing import ExposureAddon
from sluicegate.detection.holdings import HoldingsAddon
from sluicegate.errors import Fault
from sluicegate.identity.addon import IdentityAddon
from sluicegate.identity.on_behalf.tokens import PersonalTokens
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.lockdown.addon import LockdownAddon
from sluicegate.masking import load_or_create
from sluicegate.masking.addon import MaskingAddon
from sluicegate.operations import Reader
from sluicegate.operations.addon import OperationsAddon, RewriteAddon, view_of
from sluicegate.pipeline.certificates import AuthorityAddon
from sluicegate.pipeline.line import Line
from sluicegate.pipeline.reload import Watch
from sluicegate.pipeline.sentinel import Front, Judged, Last
from sluicegate.pipeline.stage import Stage
from sluicegate.policy.addon import AfterwardsAddon, PolicyAddon, UsageAddon
from sluicegate.policy.usage import Usage
from sluicegate.recording.addon import RecordingAddon
from sluicegate.recording.recorder import Recorder, Records
from sluicegate.settings import Loaded, State


@dataclass
class Gateway:
    """A pipeline and what it stands on. `open` before serving, `close` at the end."""

    loaded: Loaded
    state: State
    line: Line
    database: Database
    own_ports: set[int]
    rooms: list[Any] = field(default_factory=list)
    watch: Watch | None = None
    """Looks whether the policy file has changed."""
    _opened: list[Any] = field(default_factory=list)

    async def open(self) -> None:
        """Open the rooms in order. Raises Fault; what was opened is closed again, and the line stays closed."""
        try:
            for part in (self.database, *self.rooms, *([self.watch] if self.watch else [])):
                if hasattr(part, "open"):
                    await part.open()
                self._opened.append(part)
        except BaseException:
            await self.close()
            raise
        self.line.open = True

    async def close(self) -> None:
        """Refuse from now on, and close what was opened, last first. Closing twice is harmless."""
        self.line.open = False
        while self._opened:
            part = self._opened.pop()
            if hasattr(part, "close"):
                await part.close()


def build(
    loaded: Loaded,
    state: State,
    *,
    clock: Clock | None = None,
    checkpoints: bool = True,
    acknowledge_loss: bool = False,
    records: Records | None = None,
    first: bool = True,
) -> Gateway:
    """The pipeline for a policy. Raises Fault when a part of it cannot be made.

    `records` is where a worker's records go; it folds no database back. What only one of several workers may do, the
    `first` does.
    """
    clock = clock or SystemClock()
    settings = loaded.settings
    if settings.gateway.trusted_ca is not None:
        _check_authorities(Path(settings.gateway.trusted_ca))
    database = Database.of(settings.gateway.database, state.database, checkpoints=checkpoints and records is None)
    console = settings.console.address or f"http://{settings.console.listen}"
    own_ports = {int(settings.gateway.listen.rpartition(":")[2]), int(settings.console.listen.rpartition(":")[2])}
    line = Line(clock)
    judged, last = Judged("judged", line), Last("sentinel", line)
    judged.seals = bool(settings.recording.recipients)
    reader = Reader(settings, clock)
    reading = OperationsAddon(reader, settings.gateway.max_body_bytes)
    line.voice = lambda flow, exchange, refusal: reading.reader(exchange).refuse(
        view_of(flow.request, exchange.host), exchange.service, refusal
    )
    usage = Usage()
    risk = RiskAddon(loaded, state, database, clock, sends=first)
    if records is None:
        records = Recorder(settings.recording, state, database, clock, acknowledge_loss=acknowledge_loss)
    policy = PolicyAddon(loaded, usage)
    identity = IdentityAddon(settings.identity, database, clock, console=console)
    personal = None
    if settings.identity.token_exchange is not None:
        personal = PersonalTokens(settings.identity, identity.recognizer, database, Sealing(state), os.environ, clock)
    rooms: list[Any] = [
        LockdownAddon(settings, own_ports),
        identity,
        AuthorityAddon(loaded, state),
        reading,
        risk,
        policy,
        ApprovalsAddon(settings.approvals, Store(database, settings.approvals, clock), clock),
        RewriteAddon(),
        CredentialsAddon(settings.services, os.environ, settings.gateway.max_body_bytes, clock, personal=personal),
        MaskingAddon(settings, load_or_create(state)),
        ExposureAddon(settings, risk),
        AfterwardsAddon(policy, risk.again),
        HoldingsAddon(risk),
        UsageAddon(usage, database, clock),
        judged,
        RecordingAddon(settings.recording, state, clock, records),
        last,
    ]
    stages = [Stage(room, index, line) for index, room in enumerate(rooms)]
    for sentinel in (judged, last):
        for hook in sentinel.requires:
            before = stages[: rooms.index(sentinel)]
            sentinel.requires[hook] = sum(stage.required(hook) for stage in before)
    line.entries = [Front(line), *stages]
    gateway = Gateway(loaded, state, line, database, own_ports, rooms)
    followers = {room.name: room for room in rooms if hasattr(room, "prepare")}
    line.in_force = {name: room.part for name, room in followers.items()}

    def put_in_force(new: Loaded, parts: Mapping[str, Any]) -> None:
        """At once, on the event loop: no exchange sees some rooms with one policy and some with another."""
        for name, room in followers.items():
            room.adopt(parts[name])
        line.in_force = parts
        gateway.loaded = new

    gateway.watch = Watch(loaded, state, followers, put_in_force, clock, tells=first)
    return gateway


def _check_authorities(path: Path) -> None:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise Fault(
            f"The authorities in {path} cannot be read: {error.strerror or error}.",
            hint="Mend `trusted_ca` under [gateway] in the policy.",
        ) from None
