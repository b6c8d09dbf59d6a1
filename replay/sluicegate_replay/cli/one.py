"""The one exchange that an id names."""

from __future__ import annotations

from sluicegate.errors import Fault
from sluicegate_replay.cli.screen import tell_trouble
from sluicegate_replay.escape import plain
from sluicegate_replay.rows import Line
from sluicegate_replay.source import Source


def one_line(source: Source, beginning: str) -> Line:
    """The line of the exchange whose id begins so. Raises Fault: 1 where it may be in the damage, else 2."""
    wanted = beginning.strip().lower()
    found = source.catalog.beginning(wanted) if wanted else []
    if len({line.id for line in found}) > 1:
        raise Fault(f"Several exchanges begin with {plain(beginning)!r}.", hint="Give more of the id.")
    if not found:
        tell_trouble(source)
        raise Fault(
            f"No exchange that is whole begins with {plain(beginning)!r}.",
            hint="`sluicegate-replay list` shows them.",
            exit_code=1 if source.damage else 2,
        )
    if len(found) > 1:
        places = ", ".join(f"{line.file} at byte {line.offset}" for line in found)
        raise Fault(f"{plain(found[0].id)} stands in the recordings more than once: {plain(places)}.", exit_code=1)
    return found[0]
