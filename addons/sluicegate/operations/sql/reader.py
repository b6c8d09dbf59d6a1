"""The way in: bounded in size, remembered, and never long on the event loop.

Short, flat texts are read at once. Others may take too long for the event loop, so they are read in a worker process:
the first try raises Later, whoever can wait has it read, and the second try finds it remembered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from sluicegate.operations.dialect import Known
from sluicegate.operations.later import Later, may_wait
from sluicegate.operations.sql.cache import Cache, Key
from sluicegate.operations.sql.reading import Read, opaque, read_now

INLINE = 8 << 10
"""Longest text, in characters, that is read on the event loop."""
DEPTH = 12
"""Deepest nesting of brackets that is read on the event loop: some of it takes the parser twice as long a level."""
JOINS = 8
"""Most joins that are read on the event loop: joins without ON take the parser twice as long each."""
MAX_CHARACTERS = 1 << 20
"""Longest text that is read at all."""

_NONE: Mapping[str, str] = MappingProxyType({})
cache = Cache()


class Asked(NamedTuple):
    """Everything that a reading depends on."""

    text: str
    language: str
    known: Known
    catalog: str | None
    schema: str | None
    prepared: Mapping[str, str]

    @property
    def key(self) -> Key:
        """Under what it is remembered."""
        return key_of(self.text, self.language, self.known, self.catalog, self.schema, self.prepared)

    def read(self) -> Read:
        """Read it here, however long it takes."""
        return read_now(self.text, self.language, self.known, self.catalog, self.schema, self.prepared)

    def refused(self, why: str) -> Read:
        """What stands for it when it cannot be read."""
        return Read(replace(opaque(self.known.service, why), statement=self.text))


def key_of(
    text: str, language: str, known: Known, catalog: str | None, schema: str | None, prepared: Mapping[str, str]
) -> Key:
    """Under what a reading is remembered."""
    if prepared:
        return text, language, id(known), catalog, schema, *sorted(prepared.items())
    return text, language, id(known), catalog, schema


def read_sql(
    text: str,
    language: str,
    known: Known,
    *,
    catalog: str | None = None,
    schema: str | None = None,
    prepared: Mapping[str, str] = _NONE,
) -> Read:
    """What a text asks, in a language by its sqlglot name; `catalog` and `schema` are the session's.

    What is not understood is of kind `unknown`, with the reason in `opaque`. Raises nothing but Later, and that only
    inside `waiting`.
    """
    key = key_of(text, language, known, catalog, schema, prepared)
    read = cache.get(key, known)
    if read is not None:
        return read
    asked = Asked(text, language, known, catalog, schema, prepared)
    if len(text) > MAX_CHARACTERS:
        return asked.refused("the statement is too long")
    if len(text) > INLINE or _depth(text) > DEPTH or len(_JOIN.findall(text)) > JOINS:
        if may_wait():
            raise Later(asked)
        if _on_loop():
            return asked.refused("the statement is too long, or nested too deeply, to be read here")
    read = asked.read()
    cache.put(key, known, read)
    return read


_JOIN = re.compile(r"join\b", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[{<>}\])]")


def _depth(text: str) -> int:
    """How deep brackets are nested, at most; strings and comparisons may make it look deeper."""
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        if found[0] in "([{<":
            depth += 1
            deepest = max(deepest, depth)
        elif depth:
            depth -= 1
    return deepest


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
