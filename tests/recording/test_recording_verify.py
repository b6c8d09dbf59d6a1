"""What a verification says of folders that are as they should be."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.recording.ledger.proof import Proof
from sluicegate.recording.verify import folder_keys, prove, verify, verify_one
from tests.recording.ledgers import KEYS, START, closed, fill, journal_at


@pytest.mark.parametrize("durability", ["strict", "group"])
@pytest.mark.parametrize("count", [0, 1, 20, 300])
async def test_a_clean_folder_is_proved_as_a_whole(tmp_path, count, durability):
    await closed(tmp_path, count, durability=durability)
    report = verify(tmp_path, KEYS)
    assert report.findings == []
    assert report.verdict is None
    assert report.size == 2 * count + 2 + bool(count)
    assert (report.counts.get("intent", 0), report.counts.get("outcome", 0)) == (count, count)
    assert report.records == report.size - 2
    assert (report.origin, report.signed_by, report.unknown) == ("gate.example/log", KEYS, [])
    assert folder_keys(tmp_path) == KEYS
    assert not list(tmp_path.rglob("*.tail")), "a tail is left although all of it is in tiles"


async def test_several_runs_and_segments_make_one_log(tmp_path):
    clock = SetClock(START)
    for run in range(3):
        journal = journal_at(tmp_path, clock, segment_bytes=3000)
        await asyncio.to_thread(journal.open)
        await fill(journal, run * 100, 50)
        await asyncio.to_thread(journal.close)
        clock.advance(-4000 if run else 90_000)  # a clock that is set back is no sign of tampering
    report = verify(tmp_path, KEYS)
    assert report.findings == []
    assert report.counts["gateway.start"] == report.counts["gateway.stop"] == 3
    assert report.size == 306
    assert len(list(tmp_path.rglob("*.flows"))) > 5


async def test_one_exchange_is_verified_and_proved_alone(tmp_path):
    await closed(tmp_path, 300)
    report = verify_one(tmp_path, "x0000123", KEYS)
    assert report.findings == []
    assert report.counts == {"intent": 1, "outcome": 1}
    proofs = prove(tmp_path, "x0000123")
    assert [kind for kind, _ in proofs] == ["intent", "outcome"]
    for _, proof in proofs:
        again = Proof.parse(proof.text())
        assert list(again.check(again.extra, KEYS)) == KEYS
    assert verify_one(tmp_path, "nobody", KEYS).verdict == "cannot-tell"


async def test_what_is_not_signed_yet_is_said_to_be_so(tmp_path):
    journal = journal_at(tmp_path)
    await asyncio.to_thread(journal.open)
    await fill(journal, 0, 3)
    (report, size) = (verify(tmp_path, KEYS), 7)
    assert report.verdict == "unsigned"
    assert report.size + report.unsigned == size
    await asyncio.to_thread(journal.close)
    assert verify(tmp_path, KEYS).findings == []


async def killed_with_bytes_left(tmp_path):
    """A folder whose recorder was killed, with bytes at the end of a file that nobody was promised; and those."""
    journal = journal_at(tmp_path / "live")
    await asyncio.to_thread(journal.open)
    await fill(journal, 0, 10)
    folder = Path(shutil.copytree(tmp_path / "live", tmp_path / "killed"))
    await asyncio.to_thread(journal.close)
    (file,) = folder.glob("????-??-??/*.flows")
    end, left = file.stat().st_size, b"x" * 77
    with file.open("ab") as stream:
        stream.write(left)
    aside = folder / "log" / "cut"
    aside.mkdir(exist_ok=True)
    return folder, aside / f"{file.parent.name}-{file.name}.{end}", left


async def test_a_recorder_that_was_killed_while_it_moved_bytes_aside_is_no_tampering(tmp_path):
    folder, copy, left = await killed_with_bytes_left(tmp_path)
    assert {finding.kind for finding in verify(folder, KEYS).findings} == {"unsigned"}
    copy.write_bytes(left)
    report = verify(folder, KEYS)
    assert {finding.kind for finding in report.findings} == {"unsigned"}
    assert any(finding.file == f"log/cut/{copy.name}" for finding in report.findings)
    journal = journal_at(folder, SetClock(START + 90))
    await asyncio.to_thread(journal.open)
    await asyncio.to_thread(journal.close)
    report = verify(folder, KEYS)
    assert report.findings == [] and report.counts["cut"] == 1 and copy.read_bytes() == left


@pytest.mark.parametrize(
    "change", ["other bytes", "fewer", "more", "another place", "another file", "no such recording"]
)
async def test_what_is_no_such_copy_is_tampering(tmp_path, change):
    folder, copy, left = await killed_with_bytes_left(tmp_path)
    name = copy.name
    if change == "another place":
        name = f"{name.rpartition('.')[0]}.{int(name.rpartition('.')[2]) - 1}"
    elif change == "another file":
        name = name.replace(".flows.", ".intents.")
    elif change == "no such recording":
        name = name.replace("Z-", "Z-9")
    content = {"other bytes": left[:-1] + b"y", "fewer": left[:-1], "more": left + b"x"}.get(change, left)
    copy.with_name(name).write_bytes(content)
    assert ("tampered", f"log/cut/{name}") in {
        (finding.kind, finding.file) for finding in verify(folder, KEYS).findings
    }
