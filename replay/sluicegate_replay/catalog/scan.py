"""One segment of the recordings, read for the catalog. Runs in a process of its own when there is much to read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluicegate.recording.flow_reader import read_file, read_intents
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Recorded
from sluicegate_replay.catalog.schema import PLAIN, WORDS
from sluicegate_replay.rows import line_of

Row = tuple[Any, ...]
"""The values of `COLUMNS`; of those in WORDS, the words themselves."""
COLUMNS = (*PLAIN, *WORDS)
_LARGEST = 1 << 63


@dataclass(slots=True)
class Scan:
    """What a segment holds: a row for each exchange, intents that it has no outcome for, and damage."""

    rows: list[Row] = field(default_factory=list)
    open: list[tuple[str, str]] = field(default_factory=list)
    """Id and line (JSON) of each intent."""
    damage: list[Damage] = field(default_factory=list)


def scan(folder: Path, files: Sequence[str]) -> Scan:
    """Read the files of one segment. Raises nothing for what is in them."""
    found = Scan()
    waiting: dict[str, Intent] = {}
    for name in sorted(files, reverse=True):  # intents before flows
        for item in read_file(folder, name) if name.endswith(".flows") else read_intents(folder, name):
            if isinstance(item, Damage):
                found.damage.append(item)
            elif isinstance(item, Recorded):
                waiting.pop(item.id, None)
                found.rows.append(row_of(item))
            else:
                waiting[item.id] = item
    found.open = [(one.id, json.dumps(line_of(one).values())) for one in waiting.values()]
    return found


def row_of(item: Recorded) -> Row:
    """The row of an exchange."""
    line = line_of(item)
    target = item.request.line.partition(" ")[2]
    base = line.url[: -len(target)] if target and line.url.endswith(target) else None
    values = {
        "offset": item.offset,
        "length": item.length,
        "id": item.id,
        "started": item.started,
        "status": item.status,
        "risk": line.risk or None,
        "rows": line.rows or None,
        "answered": int(item.response is not None),
        "broken": int(item.summary.get("error") is not None),
        "doubtful": int(item.resynced),
        "target": target if base is not None else line.url,
        "subject": line.subject,
        "name": line.who,
        "session": line.session,
        "service": line.service,
        "dataset": line.dataset,
        "kind": line.kind,
        "verdict": line.verdict,
        "rules": "\n".join(line.rules),
        "masked": line.masked,
        "indicators": "\n".join(line.findings),
        "approval": line.approval,
        "method": line.method,
        "host": item.hosts[0],
        "shown_host": item.hosts[1],
        "base": base or "",
    }
    return tuple([_storable(values[name]) for name in COLUMNS])


def _storable(value: Any) -> Any:
    """What SQLite takes: hostile files have halves of characters, numbers of any size and times that are none."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    return None if isinstance(value, int) and not -_LARGEST <= value < _LARGEST else value
