"""Commands: the kinds of statements as they were parsed, and patterns of their text.

All patterns of a policy are searched for in one pass over the text (RE2, which takes time in proportion to the text,
whatever the pattern). For denying, comments are also looked through: `drop/**/table` is `drop table` to a database.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import re2

from sluicegate.exchange import Operation
from sluicegate.policy.context import Context
from sluicegate.policy.match import DOUBTFUL_KINDS, Test
from sluicegate.policy.statement import words
from sluicegate.settings import Settings

MAX_LENGTH = 64 << 10
"""Characters up to which a text is looked at. What is longer matches for denying, and does not for allowing."""
MAX_MEMORY = 64 << 20
"""Bytes that the patterns of a policy may take together."""
_REMEMBERED = 2048
"""Characters up to which is remembered what was found in a text."""
_COMMENTS = re2.compile(r"(?s)/\*.*?\*/|--[^\n]*|#[^\n]*")
_PIECES = re.compile(r"[^0-9a-z]+")


class Commands:
    """The patterns of all rules. Raises ValueError when they are more than RE2 takes."""

    def __init__(self, settings: Settings) -> None:
        rules = [rule for rule in settings.rules if rule.commands]
        self._broad = _Patterns((p for r in rules if r.effect != "allow" for p in r.commands or ()), broad=True)
        self._strict = _Patterns((p for r in rules if r.effect != "deny" for p in r.commands or ()), broad=False)

    def broad(self, patterns: Iterable[str]) -> Test:
        """One of the patterns is somewhere in a text of the operation, or could be."""
        wanted = frozenset(patterns)

        def test(operation: Operation, context: Context) -> bool:
            texts = _texts(operation)
            if not texts or (operation.script_digest is not None and operation.script is None):
                # What a script or a request that was not understood says is not known.
                return operation.kind in DOUBTFUL_KINDS or operation.script_digest is not None
            for text in texts:
                found = self._broad.find(text)
                if found is None or not wanted.isdisjoint(found):
                    return True
            return False

        return test

    def strict(self, patterns: Iterable[str]) -> Test:
        """Every text of the operation is known, and one of the patterns fits the whole of it."""
        wanted = frozenset(patterns)

        def test(operation: Operation, context: Context) -> bool:
            texts = _texts(operation)
            if not texts or (operation.script_digest is not None and operation.script is None):
                return False
            return all(not wanted.isdisjoint(self._strict.find(text) or ()) for text in texts)

        return test


class _Patterns:
    """A set of patterns, compiled to one automaton."""

    def __init__(self, patterns: Iterable[str], *, broad: bool) -> None:
        self._patterns = list(dict.fromkeys(patterns))
        self._broad = broad
        options = re2.Options()
        options.max_mem = MAX_MEMORY
        options.log_errors = False
        options.dot_nl = True
        options.case_sensitive = not broad
        self._set = re2.Set.SearchSet(options) if broad else re2.Set.FullMatchSet(options)
        try:
            # The automaton says nothing when it runs out of memory. The first pattern fits every text, so when it is
            # not among those found, it did.
            for pattern in ("(?s).*", *self._patterns):
                self._set.Add(pattern)
            self._set.Compile()
        except re2.error as error:
            raise ValueError(f"the patterns of all rules together are too much for RE2 ({error})") from None
        self._remembered: Callable[[str], frozenset[str] | None] = lru_cache(maxsize=1024)(self._look)

    def find(self, text: str) -> frozenset[str] | None:
        """The patterns that were found; None where it cannot be told."""
        if len(text) > MAX_LENGTH:
            return None
        return self._remembered(text) if len(text) <= _REMEMBERED else self._look(text)

    def _look(self, text: str) -> frozenset[str] | None:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            if not self._broad:
                return None
            data = text.encode(errors="replace")
        found = self._match(data)
        if found is not None and self._broad and (b"/*" in data or b"--" in data or b"#" in data):
            plain = self._match(_COMMENTS.sub(b" ", data))
            return None if plain is None else found | plain
        return found

    def _match(self, data: bytes) -> frozenset[str] | None:
        found = self._set.Match(data)
        return frozenset(self._patterns[i - 1] for i in found if i) if 0 in found else None


def _texts(operation: Operation) -> list[str]:
    return [text for text in (operation.statement, operation.script) if text is not None]


def statements_test(globs: tuple[str, ...], *, broad: bool) -> Test:
    """Kinds of statements: any of them, or none of another kind."""
    if not broad:

        def strict(operation: Operation, context: Context) -> bool:
            return (
                bool(operation.statements)
                and not _opaque(operation)
                and operation.kind not in DOUBTFUL_KINDS
                and all(_of(kind, globs) for kind in operation.statements)
            )

        return strict
    said = [frozenset(piece for piece in _PIECES.split(glob.lower()) if piece) for glob in globs]

    def test(operation: Operation, context: Context) -> bool:
        if _opaque(operation) or operation.kind in DOUBTFUL_KINDS:
            return True
        if operation.statements:
            return any(_of(kind, globs) for kind in operation.statements)
        if operation.statement is None:
            return False
        # Nobody parsed the text. It could be such a statement when it has one of its words.
        found = words(operation.statement)
        return found is None or any(not pieces or not pieces.isdisjoint(found) for pieces in said)

    return test


def _of(kind: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(kind.lower(), glob.lower()) for glob in globs)


def _opaque(operation: Operation) -> bool:
    return bool(operation.opaque) or "opaque" in operation.statements
