"""A console in a thread of its own, on a real socket, with real sign-ins; and requests held in its database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from demo.people import CLIENT
from sluicegate.approvals.hold import hold_of
from sluicegate.approvals.store import Store
from sluicegate.clock import SetClock, SystemClock
from sluicegate.console.server import serve
from sluicegate.database import Database
from sluicegate.database.tables import exchanges, findings
from sluicegate.exchange import Exchange, Operation, Principal, Terms, Verdict
from sluicegate.settings import Loaded, Settings, State
from tests.provider import Provider

HOLD = {
    "id": "external-export",
    "effect": "hold",
    "kind": ["export"],
    "destination": "external",
    "approvers": ["group:data-stewards"],
    "reason": "Data is leaving for a bucket that we do not own.",
}


class ShiftedClock(SetClock):
    """The machine's clock, and as far ahead of it as a test says: the provider dates its tokens by the machine's."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._machine = SystemClock()

    def now(self) -> float:
        return self._machine.now() + self.time


@dataclass
class Served:
    url: str
    provider: Provider
    clock: ShiftedClock
    store: Store
    database: Database
    loop: asyncio.AbstractEventLoop
    recordings: Path

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def hold(self, number: int = 0, by: str = "ada", **values: Any) -> Any:
        """A held request. `values` are those of the operation, and `purpose`, `terms`, `name`, `reason`."""
        purpose, terms = values.pop("purpose", ""), values.pop("terms", {})
        name, reason = values.pop("name", by.title()), values.pop("reason", HOLD["reason"])
        operation = {
            "dataset": "customers",
            "columns": ("id", "ssn"),
            "column_scope": "listed",
            "destination": "s3://b/k",
        }
        exchange = Exchange(
            id=f"exchange-{number}",
            started=self.clock.now(),
            method="POST",
            scheme="https",
            host="chunks",
            port=443,
            target="/datasets/customers/exports",
            principal=Principal(by, self.provider.issuer, name=name, groups=frozenset({"engineering"})),
            operation=Operation("chunks", "export", **(operation | values)),
            verdict=Verdict(
                "hold", ("external-export",), (reason,), approvers=("group:data-stewards",), terms=Terms(**terms)
            ),
            purpose=purpose,
            risk=1.5,
        )
        return self.do(self.store.ask(hold_of(exchange, (), b'{"n": %d}' % number)))

    def recorded(self, flow: Any, exchange: Exchange, segment: str) -> Path:
        """An exchange in a flow file, and in the index; the file."""
        from sluicegate.recording.index import store
        from sluicegate.recording.journal import Place
        from tests.replay.folders import DAY, WRITER, put

        file = put(self.recordings, [(flow, exchange)], segment)
        place = Place(f"{DAY}/{segment}.flows", 0)
        summary = WRITER.summary(flow, exchange, exchange.started + 0.5, intent=False)
        self.do(self.database.run(lambda connection: store(connection, [(summary, place)])))
        return file

    def passed(self, number: int, text: str = "") -> None:
        """An exchange in the index, and a finding about it."""
        row = {
            "id": f"00000000-0000-4000-8000-{number:012}", "started": self.clock.now() - number, "subject": "ada",
            "name": f"Ada Lovelace{text}", "groups": ["engineering"], "client": "127.0.0.1", "service": "chunks",
            "dataset": f"customers{text}", "kind": "read", "method": "GET", "host": "chunks", "path": f"/datasets/{number}{text}",
            "status": 200, "effect": ("allow", "deny", "hold")[number % 3], "rules": ["external-export"],
            "reasons": [f"Because.{text}"],
        }  # fmt: skip
        found = {
            "id": f"finding-{number}", "at": self.clock.now(), "person": "ada", "name": "Ada Lovelace", "indicator": "bulk",
            "detail": f"Took more chunks than ever before.{text}", "evidence": {}, "score": 3.0, "risk": 4.5, "line": 1.0,
            "certain": False, "severity": "medium", "exchange": row["id"], "service": "chunks", "dataset": "customers",
            "session": "s",
        }  # fmt: skip

        def write(connection: Any) -> None:
            connection.execute(insert(exchanges).values(row))
            connection.execute(insert(findings).values(found))

        self.do(self.database.run(write))


@contextmanager
def served(provider: Provider, folder: Path, **console: Any) -> Iterator[Served]:
    """Serve until the end of the block."""
    loop, ready, urls = asyncio.new_event_loop(), threading.Event(), []

    def announce(url: str) -> None:
        urls.append(url)
        ready.set()

    settings = Settings.model_validate(
        {
            "identity": {"issuer": provider.issuer, "client_id": CLIENT},
            "console": {
                "listen": "127.0.0.1:0",
                "operators": ["group:fraud"],
                "auditors": ["person:mallory"],
                **console,
            },
            "rules": [HOLD],
        }
    )
    loaded = Loaded(settings, "0" * 64, folder / "policy.toml", {})
    state, clock, stop = State(folder / "state").open(), ShiftedClock(), asyncio.Event()
    database = Database.at(state.database)
    task = serve(loaded, database, clock, state=state, announce=announce, stop=stop)
    thread = threading.Thread(target=loop.run_until_complete, args=(task,), daemon=True)
    thread.start()
    assert ready.wait(60)
    yield Served(urls[0], provider, clock, Store(database, settings.approvals, clock), database, loop, state.recordings)
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    assert not thread.is_alive(), "the console does not end"
    loop.close()
