"""Verification of a whole folder: head, tree, entries, records, tail, and heads that were kept somewhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry, rotation, tiles
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import Range, leaf_hash
from sluicegate.recording.ledger.note import NoteError, Verifier
from sluicegate.recording.ledger.removals import named
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH, TileError
from sluicegate.recording.verify import heads as kept_heads
from sluicegate.recording.verify.intents import Outcomes
from sluicegate.recording.verify.keys import check_files
from sluicegate.recording.verify.records import Records
from sluicegate.recording.verify.removed import Removed
from sluicegate.recording.verify.report import Finding, Report, Rotation
from sluicegate.recording.verify.rotations import Keys
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
    known = Keys(folder, keys)
    head = kept_heads.read_head(store, known.trusted, report)
    tails = Tails(folder, report)
    if head is None:
        _without_head(folder, tails, report)
        return report
    size = head.checkpoint.size
    check_files(folder, [key for key in known.all if key.name == head.checkpoint.origin], report)
    moments = kept_heads.moments(folder, store, head, heads, known.all, report)
    gone = tails.taken_away()
    tree, wrong = Range(), TreeFiles(folder, store, size, report)
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
        gone |= named(found.seq, found.data)
        if progress is not None and found.seq % 4096 == 0:
            progress(found.seq // 2, size)
    whole = tree.size == size and tree.root() == head.checkpoint.root
    wrong.finish(whole=whole)
    if not whole and not report.findings:
        detail = "The entries do not lead to the root that the head signs."
        report.add(Finding("tampered", detail, f"{FOLDER}/checkpoint"))
    records, outcomes, removed = Records(folder, report, gone), Outcomes(report), Removed(folder, report)
    for found in _entries(store, size, tails, Report()):
        fields = _trusted(found, store, size, report, whole=whole)
        if fields is None:
            records.incomplete()
            continue
        _count(found.seq, fields, report)
        outcomes.see(fields)
        removed.see(found.seq, fields)
        records.check(found.seq, fields)
        report.until = fields["at"] / 1_000_000
        if progress is not None and found.seq % 4096 == 0:
            progress((size + found.seq) // 2, size)
    tails.check(size, tree, store, records, first_keys)
    records.finish(tails.stems)
    outcomes.finish()
    if progress is not None:
        progress(size, size)
    return report


def _without_head(folder: Path, tails: Tails, report: Report) -> None:
    if report.findings:
        return
    if tails.batches and tails.batches[0].begin == 0:  # tiles may be there already: the head is written last
        report.unsigned = tails.batches[-1].size
        report.add(Finding("unsigned", "There is no signed head yet, only a tail.", tails.names[0]))
    elif tails.batches or any((folder / FOLDER / "tile").glob("**/*")):
        detail = "The signed head of the ledger is gone, and its tiles are there."
        report.add(Finding("truncated", detail, f"{FOLDER}/checkpoint"))
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


def _trusted(found: _Entry, store: Store, size: int, report: Report, *, whole: bool) -> dict[str, Any] | None:
    """The fields of an entry that the tree holds. Of another one nothing is believed, least of all about records."""
    if found.data is None:
        return None
    if not whole:
        number, at = divmod(found.seq, WIDTH)
        try:
            expected = store.hashes(0, number, min(WIDTH, size - number * WIDTH))[at]
        except (OSError, TileError):
            return None
        if expected != leaf_hash(found.data):
            return None
    try:
        fields = entry.decode(found.data, found.seq)
        entry.place(fields)
    except ValueError as error:
        name = f"{FOLDER}/{tiles.path(ENTRIES, found.seq // WIDTH)}"
        report.add(Finding("tampered", f"It is no entry: {error}.", name, entry=found.seq))
        return None
    return fields


def _count(seq: int, fields: dict[str, Any], report: Report) -> None:
    kind = str(fields["type"])
    report.counts[kind] = report.counts.get(kind, 0) + 1
    if kind == rotation.TYPE:
        _rotated(seq, fields, report)
    if kind == "loss":
        lost = fields.get("lost")
        said = "; ".join(str(item) for item in lost) if isinstance(lost, list) else ""
        detail = f"The operator went on after a loss, and said so: {said}."
        report.add(Finding("truncated", detail, entry=seq))


def _rotated(seq: int, fields: dict[str, Any], report: Report) -> None:
    try:
        old, new = rotation.read(fields)
    except NoteError as error:
        report.add(Finding("tampered", f"The key was not rightly handed over: {error}.", entry=seq))
    else:
        report.rotations.append(Rotation(fields["at"] / 1_000_000, seq, old, new))
