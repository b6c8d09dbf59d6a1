"""People are told of findings, as they are of approvals: by a code and a link, once each, and only where the policy says so."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sluicegate.approvals.notify.deliver import Deliverer
from sluicegate.clock import SetClock
from sluicegate.database.tables import notices
from sluicegate.detection.stored import store
from sluicegate.settings.model import Notify
from tests.databases import with_tables
from tests.detection.receiving import Place, found

CONSOLE = "https://console.test"


@pytest.fixture
async def database(tmp_path):
    made = with_tables(tmp_path / "d.sqlite3")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def place():
    made = Place()
    yield made
    made.close()


async def test_each_finding_is_told_once_without_data(database, place):
    for told in (True, True, False):
        await database.run(lambda connection, told=told: store(connection, [found(1), found(2)], told=told))
    about = {"finding": ["finding"], "others": ["asked"]}
    where = {name: Notify(kind="webhook", url=place.url, about=kinds, secrets=["whsec_" + base64.b64encode(b"k" * 32).decode()])
             for name, kinds in about.items()}  # fmt: skip
    deliverer = Deliverer(where, CONSOLE, {}, database, SetClock(1_800_000_010.0))
    assert await deliverer.round() == 2 and await deliverer.round() == 0
    said = sorted((body for _, body in place.taken), key=lambda one: one["data"]["finding"])  # they go at once
    assert [one["type"] for one in said] == ["finding.raised"] * 2
    assert [one["data"] for one in said] == [
        {"finding": f"{n:032x}", "code": "00000000", "url": f"{CONSOLE}/findings#{n:032x}"} for n in (1, 2)
    ]
    assert "ada" not in json.dumps(said) and "99" not in json.dumps(said)


@pytest.mark.parametrize(("about", "waits"), [(["asked", "finding"], 1), (["asked"], 0), (None, 0)])
async def test_a_gateway_tells_where_the_policy_says_so(database, tmp_path: Path, about, waits):
    from tests.detection.test_detection_addon import Gate

    gate = Gate(database)
    if about is not None:
        gate.risk.part.settings.notify["there"] = Notify(kind="terminal", about=about)
    await gate.send()
    assert len(await gate.stored()) == 1
    rows = await database.read(lambda connection: connection.execute(notices.select()).all())
    assert [row.about for row in rows] == ["finding"] * waits
