"""Verification of a whole folder: head, tree, entries, records, tail, and heads that were kept somewhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry, tiles
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import Range, leaf_hash
from sluicegate.recording.ledger.note import Verifier
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH, TileError
from sluicegate.recording.verify import heads as kept_heads
from sluicegate.recording.verify.intents import Outcomes
from sluicegate.recording.verify.keys import check_files
from sluicegate.recording.verify.records import Records
from sluicegate.recording.verify.report import Finding, Report
from sluicegate.recording.verify.tails import Tails
from sluicegate.recording.verify.tree import TreeFiles

Progress = Callable[[int, int], None]
"""Told how many entries are done, of how many."""


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    data: bytes | None
    """None where it is not there."""


def verify(
    folder: Path,
    keys: Sequence[Verifier],
    *,
    heads: Sequence[Head] = (),
    first_keys: Sequence[bytes] = (),
    progress: Progress | None = None,
) -> Report:
    """Check everything that can be checked. Raises OSError for a folder that is none.

    `keys` are trusted: the log's own, and witnesses'. `heads` are checkpoints that were kept out of the reach of
    whoever could have changed the folder. `first_keys` (32 bytes each, unsealed from start entries) open the codes of
    the tail.
    """
    if not folder.is_dir():
        raise NotADirectoryError(20, f"{folder} is not a folder of recordings")
    report = Report()
    store = Store(folder / FOLDER)
    head = kept_heads.read_head(store, keys, report)
    tails = Tails(folder, report)
    if head is None:
        _without_head(folder, tails, report)
        return report
    size = head.checkpoint.size
    trusted = [key for key in keys if key.name == head.checkpoint.origin]
    check_files(folder, trusted, report)
    moments = kept_heads.moments(folder, store, head, heads, keys, report)
    deleted = _deleted(store, size, tails)
    records = Records(folder, report, deleted)
    outcomes = Outcomes(report)
    tree, wrong = Range(), TreeFiles(folder, store, size, report)
    fields: dict[str, Any] | None = None
    lost = False
    for found in _entries(store, size, tails, report):
        if found.data is None:
            lost = True
            wrong.missing()
            continue
        leaf = leaf_hash(found.data)
        tree.append(leaf)
        wrong.entry(found.seq, leaf)
        if not lost:
            moments.passed(tree)
        fields = _fields(found.seq, found.data, report)
        if fields is not None:
            _count(found.seq, fields, report)
            outcomes.see(fields)
            records.check(found.seq, fields)
        if progress is not None and found.seq % 4096 == 0:
            progress(found.seq, size)
    whole = tree.size == size and tree.root() == head.checkpoint.root
    wrong.finish(whole=whole)
    if not whole and not report.findings:
        detail = "The entries do not lead to the root that the head signs."
        report.add(Finding("tampered", detail, f"{FOLDER}/checkpoint"))
    if fields is not None:
        report.until = fields["at"] / 1_000_000
    tails.check(size, tree, store, records, first_keys)
    records.finish(tails.stems)
    outcomes.finish()
    if progress is not None:
        progress(size, size)
    return report


def _without_head(folder: Path, tails: Tails, report: Report) -> None:
    if report.findings:
        return
    if any((folder / FOLDER / "tile").glob("**/*")):
        detail = "The signed head of the ledger is gone, and its tiles are there."
        report.add(Finding("truncated", detail, f"{FOLDER}/checkpoint"))
    elif tails.batches:
        report.unsigned = tails.batches[-1].size
        report.add(Finding("unsigned", "There is no signed head yet, only a tail.", tails.names[0]))
    else:
        report.add(Finding("cannot-tell", "There is no ledger in this folder.", FOLDER))


def _entries(store: Store, size: int, tails: Tails, report: Report) -> Iterator[_Entry]:
    for number in range(-(-size // WIDTH)):
        begin = number * WIDTH
        width = min(WIDTH, size - begin)
        name = f"{FOLDER}/{tiles.path(ENTRIES, number, width)}"
        try:
            found: list[bytes] = store.bundle(number, width)
        except FileNotFoundError:
            waiting = [tails.entry(seq) for seq in range(begin, begin + width)]
            if None not in waiting:
                yield from (_Entry(begin + at, data) for at, data in enumerate(waiting))
                continue
            kind = "truncated" if begin + width == size else "tampered"
            report.add(Finding(kind, f"{width} entries are gone with this file.", name, entry=begin))  # type: ignore[arg-type]
        except TileError as error:
            report.add(Finding("tampered", f"It cannot be read as a bundle: {error}.", name, entry=begin))
        except OSError as error:
            report.add(Finding("cannot-tell", f"It cannot be read: {error.strerror}.", name, entry=begin))
        else:
            yield from (_Entry(begin + at, data) for at, data in enumerate(found))
            continue
        yield from (_Entry(begin + at, None) for at in range(width))


def _deleted(store: Store, size: int, tails: Tails) -> set[str]:
    """Files that the log says were deleted. Read first, since the entry comes after those of the records."""
    names: set[str] = set()
    for number in range(-(-size // WIDTH)):
        try:
            found = store.bundle(number, min(WIDTH, size - number * WIDTH))
        except (OSError, TileError):
            continue
        for at, data in enumerate(found):
            if b'"type":"deleted"' in data:
                names |= _named(data, number * WIDTH + at)
    for batch in tails.batches:
        for at, data in enumerate(batch.entries):
            if b'"type":"deleted"' in data:
                names |= _named(data, batch.begin + at)
    return names


def _named(data: bytes, seq: int) -> set[str]:
    try:
        fields = entry.decode(data, seq)
    except ValueError:
        return set()
    files = fields.get("files") if fields["type"] == "deleted" else None
    return {name for name in files if isinstance(name, str)} if isinstance(files, list) else set()


def _fields(seq: int, data: bytes, report: Report) -> dict[str, Any] | None:
    try:
        fields = entry.decode(data, seq)
        entry.place(fields)
    except ValueError as error:
        name = f"{FOLDER}/{tiles.path(ENTRIES, seq // WIDTH)}"
        report.add(Finding("tampered", f"It is no entry: {error}.", name, entry=seq))
        return None
    return fields


def _count(seq: int, fields: dict[str, Any], report: Report) -> None:
    kind = str(fields["type"])
    report.counts[kind] = report.counts.get(kind, 0) + 1
    if kind == "loss":
        lost = fields.get("lost")
        said = "; ".join(str(item) for item in lost) if isinstance(lost, list) else ""
        detail = f"The operator went on after a loss, and said so: {said}."
        report.add(Finding("truncated", detail, entry=seq))
