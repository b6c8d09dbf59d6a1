"""A folder of recordings as the commands read it: exchanges go on, damage is said once and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sluicegate.errors import Fault
from sluicegate.recording.flow_reader import read_all, read_at
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Recorded


@dataclass(slots=True)
class Source:
    """Reads a folder; afterwards `damage` and `unknown` hold what was not whole and what has no outcome."""

    folder: Path
    damage: list[Damage] = field(default_factory=list)
    unknown: list[Intent] = field(default_factory=list)

    def items(self) -> Iterator[Recorded | Intent]:
        """Every exchange and, at the end, every intent without an outcome. Raises Fault for the folder itself."""
        self.damage, self.unknown = [], []
        try:
            for item in read_all(self.folder):
                if isinstance(item, Damage):
                    self.damage.append(item)
                    continue
                if isinstance(item, Intent):
                    self.unknown.append(item)
                yield item
        except OSError as error:
            raise Fault(
                f"There are no recordings to read in {self.folder}: {error.strerror}.",
                hint="Name the folder with --from FOLDER.",
            ) from None

    def again(self, file: str, offset: int) -> Recorded:
        """One exchange, from the place where it was found. Raises Fault when it is not there any more."""
        found = read_at(self.folder, file, offset)
        if isinstance(found, Damage):
            raise Fault(f"{found}.", exit_code=1)
        return found

    @property
    def code(self) -> int:
        """The exit code: 0 when everything is whole, else 1."""
        return 1 if self.damage or self.unknown else 0
