"""Load policy.toml: every problem at once, with its line and a suggestion. A policy with a problem is no policy."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sluicegate.errors import Fault
from sluicegate.settings import positions
from sluicegate.settings.model import Settings
from sluicegate.settings.remainder import Remainder, remainder


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in policy.toml: where (1-based line), what, and what was probably meant."""

    line: int
    where: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"line {self.line}: {self.where}: {self.message}{hint}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy file as it was read: the settings, the digest of its bytes, and the lines of its parts."""

    settings: Settings
    digest: str
    path: Path
    lines: dict[positions.Path, int]


class PolicyFault(Fault):
    """policy.toml cannot be loaded; `problems` lists everything that is wrong with it."""

    def __init__(
        self, path: Path, problems: list[Problem], rest: Loaded | None = None, left: Remainder | None = None
    ) -> None:
        """`rest`: the policy without what its model does not take, where that can be looked at; `left` says what of
        it is left."""
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        listed = "\n".join(f"  {path}:{str(p).removeprefix('line ')}" for p in sorted(problems))
        super().__init__(f"{path} has {count}; nothing was loaded.\n{listed}")
        self.problems = sorted(problems)
        self.rest, self.left = rest, left


def load(path: Path) -> Loaded:
    """Read and validate the file. Raises PolicyFault (or Fault when it cannot be read)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Fault(f"Cannot read the policy {path}: {error.strerror}.", hint="Name it with --policy FILE.") from None
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        raise PolicyFault(path, [Problem(1, "file", "is not UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        line = getattr(error, "lineno", None) or _line_in(str(error))
        raise PolicyFault(path, [Problem(line, "syntax", str(error).split(" (at")[0])]) from None
    lines = positions.line_numbers(text)
    _anchor(document, path.absolute().parent)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        left = remainder(document, error)
        rest = None if left is None or left.settings is None else Loaded(left.settings, "", path, lines)
        raise PolicyFault(path, [_problem(e, lines) for e in error.errors()], rest, left) from None
    return Loaded(settings, hashlib.sha256(data).hexdigest(), path, lines)


BESIDE = (("gateway", "trusted_ca"), ("identity", "trusted_ca"), ("identity", "client_ca"))
"""Table and key of files that are looked for beside the policy."""


def _anchor(document: dict[str, Any], folder: Path) -> None:
    """Files that the policy names are looked for beside it, wherever the gateway is started from."""
    for table, key in BESIDE:
        named = document.get(table)
        if isinstance(named, dict) and isinstance(named.get(key), str):
            named[key] = str(folder / named[key])
    detection = document.get("detection")
    places = [detection.get("syslog"), detection.get("http")] if isinstance(detection, dict) else []
    for place in places:
        if isinstance(place, dict):
            said = {key: place[key] for key in ("trusted_ca", "certificate", "key") if isinstance(place.get(key), str)}
            place.update({key: str(folder / name) for key, name in said.items()})


def _line_in(message: str) -> int:
    _, _, rest = message.rpartition("(at line ")
    digits = rest.split(",")[0]
    return int(digits) if digits.isdigit() else 1


_WORDS = {
    "missing": "is required and missing",
    "extra_forbidden": "is not a known key",
}


def _problem(error: Any, lines: dict[positions.Path, int]) -> Problem:
    path = positions.of_error(error["loc"])
    kind = error["type"]
    message = _WORDS.get(kind) or error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    suggestion = ""
    if kind == "extra_forbidden":
        suggestion = nearest(str(path[-1]), _keys_at(path[:-1]))
    elif kind == "literal_error":
        wanted = [w.strip("'") for w in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        suggestion = nearest(str(error["input"]), wanted)
    return Problem(positions.line_of(path, lines), ".".join(map(str, path)), message, suggestion)


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """`did you mean ...?` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _keys_at(path: positions.Path) -> list[str]:
    """The keys that the model knows at a path."""
    model: Any = Settings
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[str(part)].annotation
        else:
            model = next((a for a in typing.get_args(model)[-1:]), None)
        while (inner := typing.get_args(model)) and not isinstance(model, type):
            tables = [a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)]
            if typing.get_origin(model) in (list, dict) or not tables:
                break
            model = tables[0]
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
