"""Live flows and exchanges as the pipeline hands them to the recorder, and a recorder on a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from mitmproxy import http
from mitmproxy.test import tflow

from sluicegate.clock import Clock, SetClock
from sluicegate.database import Database
from sluicegate.exchange import Exchange, Exposure, Obligation, Operation, Principal, Verdict
from sluicegate.recording.addon import RecordingAddon
from sluicegate.recording.recorder import Recorder
from sluicegate.settings import State
from sluicegate.settings.model import Recording
from tests.databases import with_tables

ADA = Principal("ada", "https://idp", frozenset({"engineering"}), session="session-1", name="Ada Lovelace")


def live(
    path: str = "/datasets/customers/chunks/3?columns=id,ssn", started: float = 1_750_000_000.0
) -> tuple[http.HTTPFlow, Exchange]:
    """A flow with its request and response, and the exchange of an allowed and masked read."""
    flow = tflow.tflow(resp=True)
    flow.request.host, flow.request.port, flow.request.scheme = "chunks.internal", 8443, "https"
    flow.request.path = path
    flow.response.headers["content-type"] = "application/json"
    flow.response.raw_content = b'{"rows": [{"id": 1, "ssn": "***-**-6789"}]}'
    exchange = Exchange(
        id=flow.id,
        started=started,
        client="10.0.0.7",
        method=flow.request.method,
        scheme="https",
        host="chunks.internal",
        port=8443,
        target=flow.request.path,
        service="chunks",
        principal=ADA,
        operation=Operation("chunks", "read", "customers", True, ("3",), ("id", "ssn"), "listed", route="GET /x"),
        verdict=Verdict(
            "allow",
            ("people-read",),
            ("They may read.",),
            (Obligation("national-ids", "last4", frozenset({"ssn"})),),
            policy="ab" * 32,
        ),
        exposure=Exposure({"id": "clear", "ssn": "masked"}, 1, {"national-ids": 1}),
    )
    return flow, exchange


def recording(state: State, database: Database, clock: Clock, settings: Recording | None = None) -> RecordingAddon:
    """The room, with a recorder of its own."""
    settings = settings or Recording()
    return RecordingAddon(settings, state, clock, Recorder(settings, state, database, clock))


@contextlib.asynccontextmanager
async def recorder(root: Path, clock: Clock | None = None, **settings: object) -> AsyncIterator[RecordingAddon]:
    """An open recorder on the state folder `root`."""
    state = State(root).open()
    database = with_tables(state.database)
    addon = recording(state, database, clock or SetClock(), Recording.model_validate(settings))
    await database.open()
    await addon.open()
    try:
        yield addon
    finally:
        await addon.close()
        await database.close()


async def exchange_through(addon: RecordingAddon, flow: http.HTTPFlow, exchange: Exchange) -> None:
    """The two hooks that every forwarded exchange goes through."""
    for hook in (addon.request, addon.response):
        waiting = hook(flow, exchange)
        if waiting is not None:
            await waiting
