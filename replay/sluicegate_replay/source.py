"""A folder of recordings as the commands read it: through its catalog, and each exchange from the recordings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluicegate.errors import Fault
from sluicegate.recording.flow_reader import addresses_at, read_at, read_intents
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Recorded
from sluicegate_replay.catalog.build import Progress
from sluicegate_replay.catalog.catalog import Catalog, opened, remove
from sluicegate_replay.catalog.place import passing, place_of
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.filters import sql
from sluicegate_replay.filters.match import fits
from sluicegate_replay.rows import UNKNOWN, Line


@dataclass(slots=True)
class Source:
    """What is recorded in a folder. `damage` is what is not whole, `unknown` what has no outcome."""

    folder: Path
    catalog: Catalog
    damage: list[Damage]
    unknown: list[Line]

    def wanted(self, chosen: Selection, progress: Progress | None = None) -> Iterator[Line]:
        """The exchanges that are wanted, the latest first, those without an outcome included.

        `progress` is told when a filter expression asks for what only the recordings know, which takes long.
        """
        open_lines = sorted(self.catalog.unknown(chosen), key=lambda line: line.started)
        for line in self._fitting(self.catalog.lines(chosen), chosen, progress):
            while open_lines and open_lines[-1].started >= line.started:
                yield open_lines.pop()
            yield line
        yield from reversed(open_lines)

    def oldest_first(self, chosen: Selection) -> Iterator[Line]:
        """The exchanges that are wanted and have an outcome, the oldest first."""
        return self._fitting(self.catalog.lines(chosen, oldest_first=True), chosen)

    def session(self, session: str) -> list[Line]:
        """The exchanges of a session, in the order in which they started."""
        exactly = "".join(f"[{sign}]" if sign in "*?[" else sign for sign in session)
        return list(self.wanted(Selection(session=exactly)))[::-1]

    def saying(self, text: str, chosen: Selection, progress: Progress) -> Iterator[Line]:
        """The wanted exchanges that say a text, the latest recorded first."""
        return self._fitting(self.catalog.saying(text, chosen, progress), chosen)

    def _fitting(self, lines: Iterator[Line], chosen: Selection, progress: Progress | None = None) -> Iterator[Line]:
        if chosen.filter is None or sql.known(chosen.filter):
            yield from lines
            return
        if progress is not None:
            progress.start("Reading what could fit", self.catalog.count(chosen))
        try:
            for line in lines:
                if progress is not None:
                    progress.step(1)
                item = read_at(self.folder, line.file, line.offset)
                if isinstance(item, Recorded) and fits(chosen.filter, item, self._addresses):
                    yield line
        finally:
            if progress is not None:
                progress.stop()

    def _addresses(self, item: Recorded) -> tuple[str, str]:
        try:
            return addresses_at(self.folder, item.file, item.offset)
        except (OSError, ValueError, KeyError, TypeError):
            return "", ""

    def again(self, line: Line) -> Recorded:
        """An exchange, from the place where it was found. Raises Fault when it is not there any more."""
        found = read_at(self.folder, line.file, line.offset)
        if isinstance(found, Damage):
            raise Fault(f"{found}.", exit_code=1)
        if found.id != line.id:
            raise Fault(f"{line.file} has changed since it was read.", hint="Try again.", exit_code=1)
        return found

    def intent(self, line: Line) -> Intent:
        """An intent, from the place where it was found. Raises Fault when it is not there any more."""
        for found in read_intents(self.folder, line.file):
            if isinstance(found, Intent) and found.offset == line.offset and found.id == line.id:
                return found
        raise Fault(f"{line.file} has changed since it was read.", hint="Try again.", exit_code=1)

    @property
    def code(self) -> int:
        """The exit code: 0 when everything is whole, else 1."""
        return 1 if self.damage or self.unknown else 0


def is_open(line: Line) -> bool:
    """Whether the outcome of an exchange is not known."""
    return line.verdict == UNKNOWN


@contextmanager
def source(folder: Path, cache: Path | None, progress: Progress, *, keep: bool = True) -> Iterator[Source]:
    """The recordings in a folder; the catalog is below `cache`, or gone afterwards. Raises Fault for the folder."""
    if not folder.is_dir():
        raise Fault(f"There are no recordings to read in {folder}: it is not a folder.", hint=_HINT)
    file = place_of(folder, cache) if keep else passing()
    try:
        with _catalog(file, folder, progress) as catalog:
            yield Source(folder, catalog, catalog.damage(), catalog.unknown())
    finally:
        if not keep:
            remove(file)


@contextmanager
def _catalog(file: Path, folder: Path, progress: Progress) -> Iterator[Catalog]:
    opening = opened(file, folder, progress)
    try:
        catalog = opening.__enter__()
    except OSError as error:
        raise Fault(f"There are no recordings to read in {folder}: {error.strerror}.", hint=_HINT) from None
    try:
        yield catalog
    finally:
        opening.__exit__(None, None, None)


_HINT = "Name the folder with --from FOLDER."
