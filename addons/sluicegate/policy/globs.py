"""Whether everything that one glob matches is matched by another: exact for `*` and `?`, careful with `[...]`.

Rules have globs and no regular expressions so that this can be decided. Both patterns are walked at once: the narrow
one makes every text that it can, and the wide one has to be able to end wherever the narrow one does.
"""

from __future__ import annotations

from collections.abc import Iterator

Pattern = tuple[str, ...]
"""Tokens: a character, or one of the two below. A wildcard is longer than a character, so they cannot be confused."""
ANY, STAR = "<any>", "<star>"
_OTHER = "<other>"
"""Stands for every character that neither pattern spells out."""
_EFFORT = 20_000
"""Pairs of states that are looked at before the answer is `not known`, which counts as no."""


def pattern(glob: str) -> Pattern | None:
    """The tokens of a glob; None for one with a character class, about which nothing is said here."""
    if "[" in glob:
        return None
    return tuple({"*": STAR, "?": ANY}.get(character, character) for character in glob)


def literal(text: str) -> Pattern:
    """The tokens of a text that means itself."""
    return tuple(text)


def within(narrow: Pattern, wide: Pattern) -> bool:
    """Whether every text that `narrow` matches is matched by `wide`. Never true unless it is so."""
    symbols = {token for token in (*narrow, *wide) if len(token) == 1} | {_OTHER}
    start = (0, _rest(frozenset({0}), wide))
    seen, todo = {start}, [start]
    while todo:
        at, states = todo.pop()
        if at == len(narrow) and len(wide) not in states:
            return False
        for following in _steps(narrow, at, states, wide, symbols):
            if following not in seen:
                if len(seen) >= _EFFORT:
                    return False
                seen.add(following)
                todo.append(following)
    return True


def _steps(
    narrow: Pattern, at: int, states: frozenset[int], wide: Pattern, symbols: set[str]
) -> Iterator[tuple[int, frozenset[int]]]:
    if at == len(narrow):
        return
    token = narrow[at]
    if token == STAR:
        yield at + 1, states
    for symbol in symbols if token in (STAR, ANY) else (token,):
        yield (at if token == STAR else at + 1), _after(states, symbol, wide)


def _after(states: frozenset[int], symbol: str, wide: Pattern) -> frozenset[int]:
    reached = set()
    for at in states:
        if at < len(wide):
            if wide[at] == STAR:
                reached.add(at)
            elif wide[at] in (ANY, symbol):
                reached.add(at + 1)
    return _rest(frozenset(reached), wide)


def _rest(states: frozenset[int], wide: Pattern) -> frozenset[int]:
    """The states, and those behind stars that match nothing."""
    reached = set(states)
    for at in states:
        while at < len(wide) and wide[at] == STAR:
            at += 1
            reached.add(at)
    return frozenset(reached)
