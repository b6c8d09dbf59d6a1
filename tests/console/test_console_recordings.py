"""Orders about recordings, over the console's API: two keepers, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from sluicegate.clock import SystemClock
from sluicegate.console.app import build
from sluicegate.database.events import waiting
from sluicegate.identity.verifier import Verifier
from sluicegate.settings import Loaded, Settings
from tests.console.test_console_api import Console, problem_of
from tests.databases import with_tables
from tests.provider import Provider

ORDERS = "/api/recordings/orders"
HOLD = {"kind": "hold", "what": {"subject": "ada"}, "reason": "case 17"}
SHRED = {"kind": "shred", "what": {"subject": "ada"}, "reason": "she asked"}


@pytest_asyncio.fixture
async def console(provider: Provider, tmp_path: Path) -> AsyncIterator[Console]:
    clock = SystemClock()  # the provider dates its tokens by it
    said = {
        "identity": {"issuer": provider.issuer},
        "console": {"keepers": ["person:grace", "person:lin"], "operators": ["person:ada"]},
    }
    settings = Settings.model_validate(said)
    database = with_tables(tmp_path / "sluicegate.sqlite3")
    verifier = Verifier(settings.identity, clock)
    await database.open()
    await verifier.open()
    app = build(Loaded(settings, "0" * 64, Path("policy.toml"), {}), database, verifier, clock)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8090", trust_env=False) as client:
        yield Console(app, client, provider, None, database)  # type: ignore[arg-type]
    await verifier.close()
    await database.close()


async def test_one_asks_another_agrees_and_each_step_is_an_event(console: Console) -> None:
    asked = (await console.post(ORDERS, "grace", SHRED)).json()
    assert (asked["state"], asked["what"]) == ("asked", {"subject": "ada", "issuer": console.provider.issuer})
    own = await console.post(f"{ORDERS}/{asked['id']}/agree", "grace")
    assert problem_of(own) == "403 own-order"
    agreed = (await console.post(f"{ORDERS}/{asked['id']}/agree", "lin")).json()
    assert (agreed["state"], agreed["agreed_by"]["subject"]) == ("agreed", "lin")
    again = await console.post(f"{ORDERS}/{asked['id']}/agree", "lin")
    assert problem_of(again) == "409 order-decided"
    held = (await console.post(ORDERS, "lin", HOLD)).json()
    assert held["state"] == "agreed", "a hold only keeps, and is in force at once"
    events = await console.database.read(waiting)
    assert [event.kind for event in events] == [
        "recording.shred-asked", "recording.shred-agreed", "recording.hold-asked",
    ]  # fmt: skip
    assert events[1].body["order"] == asked["id"]


@pytest.mark.parametrize("person", ["ada", "eve"])
async def test_nobody_else_orders_anything_operators_included(console: Console, person: str) -> None:
    asked = (await console.post(ORDERS, "grace", SHRED)).json()
    for path in (ORDERS, f"{ORDERS}/{asked['id']}/agree", f"{ORDERS}/{asked['id']}/withdraw"):
        assert problem_of(await console.post(path, person, SHRED)) == "403 not-a-keeper"
    listed = await console.get(ORDERS, person)
    assert listed.status_code == (200 if person == "ada" else 403)


@pytest.mark.parametrize(
    "body",
    [b"{", {**SHRED, "kind": "burn"}, {**SHRED, "what": {}}, {**SHRED, "reason": ""}, {**SHRED, "what": {"service": "chunks"}},
     {"kind": "release", "what": {"hold": "nothing"}, "reason": "x"}],
)  # fmt: skip
async def test_what_is_no_order_is_refused_and_changes_nothing(console: Console, body: object) -> None:
    assert (await console.post(ORDERS, "grace", body)).status_code in (400, 404)
    assert (await console.get(ORDERS, "grace")).json() == {"orders": []}
    assert (await console.post(f"{ORDERS}/x/agree", "grace")).status_code == 404
    assert (await console.post(f"{ORDERS}/x/burn", "grace")).status_code == 404
