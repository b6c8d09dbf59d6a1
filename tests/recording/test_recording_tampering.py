"""Every kind of single edit on every kind of file of a folder: all are found, and each is named rightly."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.recording.journal import Journal
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.entry import about
from sluicegate.recording.ledger.writer import put
from sluicegate.recording.verify import Report, verify
from tests.recording.ledgers import KEYS, START, fill, journal_at, record

HOLD, KEY, SHREDDED = "holds/{:036x}.json", "keys/{:032x}.age", "keys/f{:031x}.age"


async def beside(folder: Path, journal: Journal, run: int) -> None:
    """A hold that is in force, a wrapped key that is there, and one that was shredded rightly."""
    for name, what, gone in ((HOLD, "held", False), (KEY, "key.made", False), (SHREDDED, "key.made", True)):
        file = name.format(run)
        put(folder / file, record(7_000_000 + run))
        await journal.append(None, b"", what, about(file, 0, (folder / file).read_bytes()))
        if gone:
            await journal.append("events", record(6_000_000), "shredded", {"files": [file]})
            (folder / file).unlink()


async def story(folder: Path) -> None:
    """Two runs, several segments, 300 exchanges and all kinds of files: enough for full tiles and a second level."""
    clock = SetClock(START)
    for run in range(2):
        journal = journal_at(folder, clock, segment_bytes=40_000)
        await asyncio.to_thread(journal.open)
        await fill(journal, run * 1000, 150)
        for number in range(3):
            await journal.append("events", record(9_000_000 + number), "approval.decided")
            await journal.append("sealed", record(8_000_000 + number), "sealed", {"id": f"x{number:07d}"})
        await beside(folder, journal, run)
        await asyncio.to_thread(journal.close)
        clock.advance(7200)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    asyncio.run(story(folder))
    report = verify(folder, KEYS)
    assert report.findings == [] and report.size == 624
    return folder


@pytest.fixture
def folder(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def kinds(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder by what they are."""
    log = folder / "log"
    found = {suffix: sorted(folder.glob(f"????-*/*.{suffix}")) for suffix in ("flows", "intents", "events", "sealed")}
    found |= {
        "bundle": [path for path in sorted((log / "tile/entries").rglob("*")) if path.is_file()],
        "tile 0": [path for path in sorted((log / "tile/0").rglob("*")) if path.is_file()],
        "tile 1": [path for path in sorted((log / "tile/1").rglob("*")) if path.is_file()],
        "hold": sorted(folder.glob("holds/*")),
        "key": sorted(folder.glob("keys/*")),
        "checkpoint": [log / "checkpoint"],
        "vkey": sorted(log.glob("*.vkey")),
        "pem": sorted(log.glob("*.pem")),
    }
    assert all(found.values()), found
    return found


KINDS = (
    "flows",
    "intents",
    "events",
    "sealed",
    "bundle",
    "tile 0",
    "tile 1",
    "hold",
    "key",
    "checkpoint",
    "vkey",
    "pem",
)


def flips(data: bytes) -> Iterator[bytes]:
    for at in {0, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1}:
        yield data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def unit(path: Path) -> int:
    """About the size of one thing in a file of this kind, so that an edit is a whole thing too."""
    return 32 if "tile" in path.parts and "entries" not in path.parts else 200


def edits(path: Path) -> dict[str, list[bytes]]:
    """What the file becomes, by the kind of the edit."""
    data = path.read_bytes()
    lines = data.splitlines(keepends=True) if path.suffix in (".flows", ".intents", ".events", ".sealed") else None
    if lines is None:
        size = unit(path)
        lines = [data[at : at + size] for at in range(0, len(data), size)]
    middle = len(lines) // 2
    found = {
        "flip": list(flips(data)),
        "drop the first": [b"".join(lines[1:])],
        "drop one": [b"".join(lines[:middle] + lines[middle + 1 :])],
        "insert": [b"".join([*lines[:middle], b"x" * unit(path), *lines[middle:]]), data + b"x", b"x" + data],
        "duplicate": [b"".join([*lines[: middle + 1], *lines[middle:]]), data + lines[-1], data + data],
        "truncate": [b"".join(lines[:-1]), data[:-1], b""],
    }
    if len(lines) > 2:
        swapped = [*lines[:-2], lines[-1], lines[-2]]
        found["reorder"] = [b"".join(swapped), b"".join([lines[1], lines[0], *lines[2:]])]
    return {name: [item for item in items if item != data] for name, items in found.items()}


def blamed(report: Report) -> set[str]:
    return {finding.file for finding in report.findings}


@pytest.mark.parametrize("kind", KINDS)
def test_each_edit_is_found_and_the_file_is_named(folder, kind):
    paths = kinds(folder)[kind]
    for path in {paths[0], paths[-1]} if kind in ("bundle", "tile 0") else {paths[-1]}:
        name = str(path.relative_to(folder))
        kept = path.read_bytes()
        for edit, results in edits(path).items():
            for changed in results:
                path.write_bytes(changed)
                report = verify(folder, KEYS)
                assert report.verdict in ("tampered", "truncated"), (kind, edit, name, report.findings)
                assert blamed(report) == {name}, (kind, edit, report.findings)
                if edit == "truncate" and kind in ("flows", "intents", "events", "sealed"):
                    assert report.findings[0].kind == "truncated", (edit, report.findings)
                elif edit != "truncate" and kind in ("flows", "intents", "events", "sealed"):
                    assert report.findings[0].kind == "tampered" or "drop" in edit, (edit, report.findings)
                path.write_bytes(kept)
    assert verify(folder, KEYS).findings == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_file_that_is_gone_is_named(folder, kind):
    for path in kinds(folder)[kind]:
        name = str(path.relative_to(folder))
        kept = path.read_bytes()
        path.unlink()
        report = verify(folder, KEYS)
        if kind in ("vkey", "pem"):
            assert report.findings == [], "the key is what the verifier has, not what lies in the folder"
        else:
            assert report.verdict in ("tampered", "truncated"), (name, report.findings)
            assert name in blamed(report), report.findings
        path.write_bytes(kept)


@pytest.mark.parametrize("kind", ["flows", "intents", "bundle", "tile 0"])
def test_two_files_that_changed_places_are_both_named(folder, kind):
    one, other = kinds(folder)[kind][:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    report = verify(folder, KEYS)
    assert report.verdict == "tampered"
    assert {str(one.relative_to(folder)), str(other.relative_to(folder))} <= blamed(report)


@pytest.mark.parametrize(
    "name", ["2026-11-23/999999Z-0001.flows", "2026-11-23/214501Z-0001.events", "keys/ab.age", "log/cut/x"]
)
def test_a_file_that_no_entry_speaks_of_is_named(folder, name):
    if (folder / name).exists():
        name = name.replace("0001", "0077")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(record(1))
    report = verify(folder, KEYS)
    assert [(finding.kind, finding.file) for finding in report.findings] == [("tampered", name)]


def test_entries_and_tiles_changed_together_are_found_by_the_head(folder):
    """Somebody who knows the formats changes a bundle and every tile above it, and cannot sign."""
    from sluicegate.recording.ledger import tiles
    from sluicegate.recording.ledger.merkle import leaf_hash

    bundle = folder / "log/tile/entries/001"
    entries = tiles.unbundled(bundle.read_bytes(), 256)
    entries[7] = entries[7].replace(b'"aaaa', b'"bbbb')
    bundle.write_bytes(tiles.bundle(entries))
    leaves = [leaf_hash(item) for item in entries]
    (folder / "log/tile/0/001").write_bytes(b"".join(leaves))
    report = verify(folder, KEYS)
    assert report.verdict == "tampered"
    assert report.findings[0].entry is not None and 256 <= report.findings[0].entry < 512
    (partial,) = (folder / "log/tile/1").rglob("[0-9]")
    data = partial.read_bytes()
    partial.write_bytes(data[:32] + tiles.joined(leaves) + data[64:])
    report = verify(folder, KEYS)
    assert [finding.kind for finding in report.findings] == ["tampered"]
    assert blamed(report) == {"log/checkpoint"}


def test_a_log_that_another_key_signed_is_not_this_one(folder, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sluicegate.recording.ledger.note import Signer, sign

    forger = Signer("gate.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    path = folder / "log/checkpoint"
    head = Head.parse(path.read_bytes())
    path.write_text(sign(head.checkpoint.text, [forger]))
    report = verify(folder, KEYS)
    assert report.verdict == "tampered" and blamed(report) == {"log/checkpoint"}


async def test_an_older_state_in_the_place_of_a_newer_one_is_found_by_a_head_that_was_kept(tmp_path):
    live, old = tmp_path / "live", tmp_path / "old"
    for run in range(2):
        journal = journal_at(live, SetClock(START + run * 7200))
        await asyncio.to_thread(journal.open)
        await fill(journal, run * 100, 20)
        await asyncio.to_thread(journal.close)
        if run == 0:
            shutil.copytree(live, old)
    kept = Head.parse((live / "log/checkpoint").read_bytes())
    first = Head.parse((old / "log/checkpoint").read_bytes())
    assert verify(live, KEYS, heads=[kept, first]).findings == []
    assert verify(old, KEYS).findings == [], "without a head that was kept elsewhere nobody can tell"
    report = verify(old, KEYS, heads=[kept])
    assert report.verdict == "truncated" and "older state" in report.findings[0].detail


async def test_history_that_was_written_anew_is_found_by_a_head_that_was_kept(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, count in ((one, 20), (other, 60)):
        journal = journal_at(folder)
        await asyncio.to_thread(journal.open)
        await fill(journal, 0, count)
        await asyncio.to_thread(journal.close)
    kept = Head.parse((one / "log/checkpoint").read_bytes())
    report = verify(other, KEYS, heads=[kept])
    assert report.verdict == "tampered" and "written anew" in report.findings[0].detail


async def test_a_tail_that_was_edited_is_found_by_whoever_has_its_first_key(tmp_path):
    seen = []

    def escrow(key: bytes) -> str:
        seen.append(key)
        return "sealed"

    folder = tmp_path / "live"
    journal = journal_at(folder, escrow=escrow)
    journal.open()
    journal._publish_if_due = lambda: None
    await fill(journal, 0, 24)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    await asyncio.to_thread(journal.close)
    assert verify(copy, KEYS, first_keys=seen).verdict == "unsigned"
    assert verify(copy, KEYS, first_keys=[bytes(32)]).verdict == "tampered"
    (path,) = copy.rglob("*.tail")
    edit_and_mend(path)
    report = verify(copy, KEYS)
    assert report.verdict in ("unsigned", "tampered")
    report = verify(copy, KEYS, first_keys=seen)
    assert report.verdict == "tampered"
    assert any("code of this batch" in finding.detail for finding in report.findings)


def edit_and_mend(path: Path) -> None:
    """Change an entry of a tail, and the sum of its batch, as somebody does who knows the format."""
    import orjson

    from sluicegate.recording.ledger import tail

    batches, _ = tail.parse(path.read_bytes())
    target = batches[-1]
    entries = [data.replace(b'"who":"aa', b'"who":"bb') for data in target.entries]
    from sluicegate.recording.ledger.merkle import leaf_hash

    digest = tail.digest_of([leaf_hash(data) for data in entries])
    data = path.read_bytes()
    begin = batches[-2].end if len(batches) > 1 else 0
    closing = orjson.loads(data[begin : target.end].splitlines()[-1])["batch"]
    lines = tail.encode(target.run, target.size, entries, digest, target.epoch, bytes.fromhex(closing["tag"]))
    path.write_bytes(data[:begin] + lines)


def test_pairs_of_edits_are_found_too(folder):
    by_kind = kinds(folder)
    for one, other in itertools.combinations(["flows", "intents", "bundle", "tile 0"], 2):
        kept = {}
        for kind in (one, other):
            path = by_kind[kind][0]
            kept[path] = path.read_bytes()
            path.write_bytes(next(flips(kept[path])))
        report = verify(folder, KEYS)
        named = {str(path.relative_to(folder)) for path in kept}
        if "bundle" in (one, other):  # of records whose entries cannot be read nothing is said
            assert "log/tile/entries/000" in blamed(report) <= named, report.findings
        else:
            assert blamed(report) == named, report.findings
        for path, data in kept.items():
            path.write_bytes(data)
