"""What is left of a policy without that which the model does not take, so that what is wrong with the rest can be said
in the same breath. Nothing is ever started with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from sluicegate.settings import positions
from sluicegate.settings.model import Settings
from sluicegate.settings.positions import Path

ROUNDS = 8
"""Taking out a wrong value can leave a table without something that it needs, and so on."""
_LISTS: dict[str, dict[str, Any]] = {
    "rules": {"effect": "deny"},
    "masks": {"columns": ["left-out"], "method": "redact"},
}
"""What stands for an entry, so that those behind it keep their numbers."""


@dataclass(slots=True)
class Remainder:
    """The rest of one document."""

    document: dict[str, Any]
    settings: Settings | None = None
    names: set[str] = field(default_factory=set)
    """Services, datasets and the like that were taken out: that others name them is no mistake."""
    places: set[str] = field(default_factory=set)

    def is_about(self, where: str, message: str) -> bool:
        """Whether a problem is one of the rest, and not of what was taken out of it."""
        if any(where == place or where.startswith(f"{place}.") for place in self.places):
            return False
        return not any(f"`{name}`" in message for name in self.names)

    def take_out(self, path: Path) -> None:
        """Take out the value at a path, or what encloses it where nothing smaller can be."""
        at: Any = self.document
        for depth, part in enumerate(path):
            inside = at.get(part) if isinstance(at, dict) else None
            if isinstance(at, list) and isinstance(part, int) and part < len(at):
                inside = at[part]
            if inside is None:
                path = path[:depth]
                break
            at = inside
        first = next((depth for depth, part in enumerate(path) if isinstance(part, int)), None)
        if first is not None and (path[0] not in _LISTS or first > 1):
            path = path[:first]  # a list within a table goes as a whole
        if not path:
            return
        self.places.add(".".join(map(str, path)))
        holder: Any = self.document
        for part in path[:-1]:
            holder = holder[part]
        if path == ("identity",):
            holder["identity"] = {"issuer": "https://left-out.invalid"}
        elif isinstance(path[-1], int):
            before = holder[path[-1]]
            name = before.get("id") if isinstance(before, dict) else None
            holder[path[-1]] = {
                "id": name if isinstance(name, str) else f"left-out-{path[-1]}",
                **_LISTS[str(path[0])],
            }
        else:
            del holder[path[-1]]
            if len(path) == 2:
                self.names.add(str(path[-1]))


def remainder(document: dict[str, Any], found: ValidationError) -> Remainder | None:
    """What is left, or None where nothing can be said of it."""
    rest = Remainder(copy.deepcopy(document))
    if "identity" not in document:
        rest.document["identity"] = {}
        rest.take_out(("identity",))
    for _ in range(ROUNDS):
        before = copy.deepcopy(rest.document)
        for path in sorted(_paths(found), key=len, reverse=True):
            rest.take_out(path)
        try:
            rest.settings = Settings.model_validate(rest.document)
        except ValidationError as error:
            found = error
            if rest.document == before:
                return None
            continue
        return rest
    return None


def _paths(found: ValidationError) -> Iterable[Path]:
    for error in found.errors():
        path = positions.of_error(error["loc"])
        if error["type"] != "missing":
            yield path
        else:
            yield path[:-1]
