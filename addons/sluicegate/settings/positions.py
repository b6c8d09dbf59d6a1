"""Where in policy.toml a value stands. tomllib gives none, so this finds the lines of headers and keys.

It is run on text that tomllib has already accepted, so it need only tell statements from the inside of values.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|\n|=', re.S
)


def line_numbers(text: str) -> dict[Path, int]:
    """Path of each table, array entry and key in the document, to its line number (from 1)."""
    found: dict[Path, int] = {}
    table: Path = ()
    arrays: dict[Path, int] = {}
    for number, key, header in _statements(text + "\n"):
        if header:
            names = _keys(key.strip("[]"))
            array = key.startswith("[[")
            path: Path = ()
            for index, name in enumerate(names):
                path += (name,)
                last = index == len(names) - 1
                if array and last:
                    arrays[path] = arrays.get(path, -1) + 1
                if path in arrays:
                    path += (arrays[path],)
            table = path
            found.setdefault(table, number)
        else:
            found.setdefault(table + tuple(_keys(key)), number)
    return found


def line_of(path: Path, lines: dict[Path, int]) -> int:
    """The line of the path, or of the nearest thing that encloses it; 1 when nothing does."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1


def of_error(places: Path) -> Path:
    """Where pydantic found something. It names branches of unions as well; the file has keys and indexes alone."""
    return tuple(one for one in places if isinstance(one, int) or not one.startswith(("list[", "literal[")))


def _statements(text: str) -> list[tuple[int, str, bool]]:
    """(line, key or header text, is header) of every statement at nesting depth nought."""
    out: list[tuple[int, str, bool]] = []
    depth, line, start, in_value = 0, 1, 0, False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            if depth == 0:
                statement = text[start : match.start()].strip()
                if statement.startswith("[") and not in_value:
                    out.append((line, re.sub(r"\][^\]]*$", "]", statement.split("#")[0].strip()), True))
                in_value, start = False, match.end()
        elif token == "=" and depth == 0 and not in_value:
            out.append((line, text[start : match.start()].strip(), False))
            in_value = True
        elif in_value and token in "[{":
            depth += 1
        elif in_value and token in "]}":
            depth -= 1
        elif token.startswith("#") and not in_value and not text[start : match.start()].strip():
            start = match.end()
        line += token.count("\n")
    return out


def _keys(text: str) -> list[str]:
    node = tomllib.loads(f"{text} = 0")
    keys = []
    while isinstance(node, dict):
        key, node = next(iter(node.items()))
        keys.append(key)
    return keys
