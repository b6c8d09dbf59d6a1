"""A disk that runs full: a warning first, then refusal before it is used up, and the record says that there is a gap."""

from __future__ import annotations

import asyncio
import logging
import os
from types import SimpleNamespace

import pytest

from sluicegate.recording import room as room_module
from sluicegate.recording.journal import RecorderDown
from sluicegate.recording.verify import verify
from tests.recording.ledgers import KEYS, journal_at, record


async def test_it_warns_refuses_recovers_and_says_so(tmp_path, monkeypatch, caplog):
    free = [500]
    monkeypatch.setattr(room_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free[0], f_blocks=1000, f_frsize=1 << 20))
    journal = journal_at(tmp_path, reserve_bytes=20 << 20)
    await asyncio.to_thread(journal.open)
    with caplog.at_level(logging.WARNING):
        await journal.append("flows", record(1), "outcome", {"id": "one"})
        assert not caplog.records
        free[0] = 60
        for number in range(3):
            await journal.append("flows", record(number), "outcome", {"id": "short"})
        assert len([item for item in caplog.records if "runs short" in item.message]) == 1
        free[0] = 19
        for _ in range(2):
            with pytest.raises(RecorderDown, match="full but for its reserve"):
                await journal.append("flows", record(2), "outcome", {"id": "refused"})
    free[0] = 500
    await journal.append("flows", record(3), "outcome", {"id": "after"})
    free[0] = 1
    await asyncio.to_thread(journal.close)
    report = verify(tmp_path, KEYS)
    assert report.findings == []
    assert (report.counts["outcome"], report.counts["gap"], report.counts["gateway.stop"]) == (5, 1, 1)
