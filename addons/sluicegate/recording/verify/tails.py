"""The tail, verified: entries that were acknowledged and are not yet under a signed head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluicegate.recording.ledger import entry, tail
from sluicegate.recording.ledger.merkle import Range
from sluicegate.recording.ledger.ratchet import Ratchet
from sluicegate.recording.ledger.recovery import TAIL
from sluicegate.recording.ledger.removals import named
from sluicegate.recording.ledger.store import Store
from sluicegate.recording.ledger.tail import Batch
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.verify.records import Records
from sluicegate.recording.verify.report import Finding, Report


class Tails:
    """The tails below a folder."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._report = report
        self.names: list[str] = []
        self.stems: set[str] = set()
        """Names of segments that may still be written, without what tells their files apart."""
        self.batches: list[Batch] = []
        self._file: dict[tuple[str, int], str] = {}
        self._torn: list[tuple[str, int, str]] = []
        for path in sorted(folder.glob(f"????-??-??/*{TAIL}")):
            name = str(path.relative_to(folder))
            self.names.append(name)
            self.stems.add(name.removesuffix(TAIL))
            try:
                batches, why = tail.parse(path.read_bytes())
            except OSError as error:
                report.add(Finding("cannot-tell", f"It cannot be read: {error.strerror}.", name))
                continue
            for batch in batches:
                self._file[batch.run, batch.epoch] = name
            self.batches += batches
            if why:
                self._torn.append((name, batches[-1].end if batches else 0, why))
        self.batches = tail.chained(self.batches)

    def entry(self, seq: int) -> bytes | None:
        """The entry with an index, where a tail has it."""
        for batch in self.batches:
            if batch.begin <= seq < batch.size:
                return batch.entries[seq - batch.begin]
        return None

    def taken_away(self) -> set[str]:
        """Files that entries in tails say were taken away."""
        found: set[str] = set()
        for batch in self.batches:
            for seq, data in enumerate(batch.entries, batch.begin):
                found |= named(seq, data)
        return found

    def check(self, size: int, tree: Range, store: Store, records: Records, first_keys: Sequence[bytes]) -> None:
        """What stands behind the head follows it without a gap; what stands before it is what the log has."""
        expected = size
        for batch in self.batches:
            name = self._file[batch.run, batch.epoch]
            if batch.begin < size:
                self._same(batch, name, size, store)
            if batch.size <= size:
                continue
            if batch.begin > expected:
                detail = f"The tail goes on at entry {batch.begin}, and {expected} should be next."
                self._report.add(Finding("tampered", detail, name, entry=expected))
            expected = batch.size
            self._unsigned(batch, name, size, records)
        if expected > size:
            self._report.unsigned = expected - size
            detail = (
                f"{expected - size} entries are behind the newest signed head; who could write there could change them."
            )
            self._report.add(Finding("unsigned", detail, self.names[-1], entry=size))
        for name, end, why in self._torn:
            self._report.add(Finding("unsigned", f"What follows was not acknowledged: {why}.", name, end))
        self._codes(first_keys)

    def _same(self, batch: Batch, name: str, size: int, store: Store) -> None:
        for at, data in enumerate(batch.entries[: size - batch.begin]):
            try:
                known = store.entry(batch.begin + at, size)
            except (OSError, TileError):
                return
            if known != data:
                detail = "This entry in the tail is not the one in the log."
                self._report.add(Finding("tampered", detail, name, entry=batch.begin + at))
                return

    def _unsigned(self, batch: Batch, name: str, size: int, records: Records) -> None:
        for at, data in enumerate(batch.entries):
            seq = batch.begin + at
            if seq < size:
                continue
            try:
                fields = entry.decode(data, seq)
                entry.place(fields)
            except ValueError as error:
                self._report.add(Finding("tampered", f"It is no entry: {error}.", name, entry=seq))
            else:
                records.check(seq, fields)

    def _codes(self, first_keys: Sequence[bytes]) -> None:
        """The codes of the tail, for whoever has the first key of the run: one of the keys must fit all of a run."""
        runs: dict[str, list[Batch]] = {}
        for batch in self.batches:
            if batch.tag and first_keys:
                runs.setdefault(batch.run, []).append(batch)
        for batches in runs.values():
            bad = [self._first_bad(batches, key) for key in first_keys]
            if None in bad:
                continue
            worst = max((batch for batch in bad if batch is not None), key=lambda batch: batch.begin)
            detail = "The code of this batch is not right: it was changed since, or the key is of another run."
            self._report.add(Finding("tampered", detail, self._file[worst.run, worst.epoch], entry=worst.begin))

    @staticmethod
    def _first_bad(batches: Sequence[Batch], key: bytes) -> Batch | None:
        ratchet = Ratchet(key)
        for batch in batches:
            try:
                ratchet.skip(batch.epoch)
                code = bytes.fromhex(batch.tag)
            except ValueError:
                return batch
            if not ratchet.matches(batch.size, batch.digest, code):
                return batch
        return None
