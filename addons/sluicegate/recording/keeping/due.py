"""What retention ends: files of segments that are older than their kind is kept, and keys than their class is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sluicegate.recording.keeping.holds import Hold, holding
from sluicegate.recording.keeping.made_keys import MadeKey
from sluicegate.recording.ledger.recovery import CUT, TAIL
from sluicegate.recording.sealing.keys import FOLDER as KEYS
from sluicegate.settings.model import Recording

DAY = 86_400.0
_SEGMENT = re.compile(r"(\d{4}-\d\d-\d\d)/(\d{6})Z-\d{4}")
_CUT = re.compile(r"(\d{4}-\d\d-\d\d)-(\d{6}Z-\d{4})\.(flows|intents|events|sealed|tail)\.\d+")
_HOUR_DIGITS = 8
_PRESETS: Mapping[str, Mapping[str, int]] = {
    "forever": {},
    "month": {"flows": 31, "intents": 31, "events": 366, "originals": 7},
    "pci": {"flows": 366, "intents": 366, "events": 366, "originals": 31},
    "hipaa": {"flows": 2192, "intents": 2192, "events": 2192, "originals": 92},
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How long each kind is kept, in days; None is without end."""

    flows: int | None
    intents: int | None
    events: int | None
    originals: int | None
    classes: Mapping[str, int]
    """Of originals of one class."""

    @classmethod
    def of(cls, settings: Recording) -> Kept:
        """The preset, and what is set beside it."""
        days = dict(_PRESETS[settings.retention])
        days |= {name: value for name, value in settings.keep.model_dump().items() if isinstance(value, int)}
        flows, intents, events, originals = (days.get(name) for name in ("flows", "intents", "events", "originals"))
        return cls(flows, intents, events, originals, settings.keep.classes)

    @property
    def endless(self) -> bool:
        """Whether nothing ever ends."""
        return not self.classes and (self.flows, self.intents, self.events, self.originals) == (None,) * 4

    def of_file(self, kind: str) -> int | None:
        """Days for a file of a segment. Ciphertext stays as long as any key that opens it may."""
        if kind == "sealed":
            days = [self.originals, *self.classes.values()]
            return None if self.originals is None else max(day for day in days if day is not None)
        return {"flows": self.flows, "intents": self.intents}.get(kind, self.events)

    def of_class(self, cls: str) -> int | None:
        """Days for originals of a class."""
        return self.classes.get(cls, self.originals)


@dataclass(slots=True)
class Due:
    """Files, below the folder of recordings, whose time is over, and those of them that a hold keeps."""

    files: list[str] = field(default_factory=list)
    held: dict[str, Hold] = field(default_factory=dict)


def due_files(folder: Path, kept: Kept, holds: Sequence[Hold], now: float) -> Due:
    """The files of closed segments whose time is over. Raises OSError. Segments with a tail are left alone: their
    entries may not be in the tree yet."""
    found = Due()
    stems: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("????-??-??/*")):
        stems.setdefault(f"{path.parent.name}/{path.name.partition('.')[0]}", []).append(path)
    for stem, paths in stems.items():
        begin = _begin(_SEGMENT.fullmatch(stem))
        if begin is None or any(path.suffix == TAIL for path in paths):
            continue
        end = max(begin, *(path.stat().st_mtime for path in paths))
        over = [path for path in paths if _over(kept.of_file(path.suffix[1:]), end, now)]
        hold = holding(folder, stem, begin, end, holds) if over and holds else None
        _sort(found, [f"{stem}{path.suffix}" for path in over], hold)
    for path in sorted((folder / CUT).glob("*")):
        match = _CUT.fullmatch(path.name)
        begin = _begin(match)
        if match is None or begin is None:
            continue
        end = max(begin, path.stat().st_mtime)
        if _over(kept.of_file(match[3]), end, now):
            # What was cut off was never acknowledged, and says nothing that can be searched: time alone counts.
            hold = next((hold for hold in holds if hold.selection.within(begin, end)), None)
            _sort(found, [f"{CUT}/{path.name}"], hold)
    return found


def due_keys(keys: Sequence[MadeKey], kept: Kept, now: float) -> list[MadeKey]:
    """The keys whose time is over."""
    return [key for key in keys if _over(kept.of_class(key.cls), (key.hour + 1) * 3600.0, now)]


def maybe_due_keys(folder: Path, kept: Kept, now: float) -> bool:
    """Whether any key can be over, by its name alone: so that the ledger is read only when there is something to do."""
    days = [day for day in (kept.originals, *kept.classes.values()) if day is not None]
    if not days:
        return False
    first = min((path.stem[:_HOUR_DIGITS] for path in (folder / KEYS).glob("[0-9a-f]*.age")), default=None)
    return first is not None and _over(min(days), (int(first, 16) + 1) * 3600.0, now)


def _sort(found: Due, files: list[str], hold: Hold | None) -> None:
    if hold is None:
        found.files += files
    else:
        found.held |= dict.fromkeys(files, hold)


def _over(days: int | None, end: float, now: float) -> bool:
    return days is not None and now - end > days * DAY


def _begin(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    try:
        return datetime.strptime(f"{match[1]}{match[2][:6]}", "%Y-%m-%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
