"""Which exchanges are wanted, and how that is asked of the catalog."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import Any

from sluicegate_replay.catalog.addresses import Looks, Test
from sluicegate_replay.filters import sql
from sluicegate_replay.filters.tree import Node
from sluicegate_replay.rows import Line


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted. Empty means: whatever it is. Names may hold `*` and `?`."""

    who: str = ""
    """A part of the name or the subject, in any case."""
    since: float | None = None
    until: float | None = None
    service: str = ""
    dataset: str = ""
    kind: str = ""
    verdict: str = ""
    """The beginning of the verdict: `deny`, `refused`, `hold`."""
    rule: str = ""
    finding: str = ""
    """An indicator; `*` is any."""
    session: str = ""
    filter: Node | None = None

    def has(self, line: Line) -> bool:
        """Whether a line that is not in the catalog's table is wanted. No filter expression fits it."""
        named = (
            (self.service, line.service),
            (self.dataset, line.dataset),
            (self.kind, line.kind),
            (self.session, line.session),
        )
        return (
            self.filter is None
            and (not self.who or line.is_of(self.who))
            and (self.since is None or line.started >= self.since)
            and (self.until is None or line.started < self.until)
            and all(not wanted or fnmatch.fnmatchcase(value, wanted) for wanted, value in named)
            and (not self.verdict or line.verdict.startswith(self.verdict))
            and (not self.rule or any(fnmatch.fnmatchcase(rule, self.rule) for rule in line.rules))
            and not self.finding
        )


@dataclass(slots=True)
class Query:
    """Conditions on rows of `exchange e`, with their values; the SQL function `fits(place, text)` asks `tests`."""

    tests: list[Test]
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    urls: list[Test] = field(default_factory=list)
    """Tests of URLs, which conditions name `{url0}`, `{url1}` and so on."""

    def text(self, looks: Looks) -> str:
        """What stands behind WHERE."""
        names = {f"url{place}": looks.condition(place, _URL) for place in range(len(self.urls))}
        return (" AND ".join(self.conditions) or "1").format(**_COLUMNS, **names)

    def add(self, columns: tuple[str, ...], test: Test) -> None:
        """One of these columns holds a word that fits. The words are looked at first: they are few, and rows many."""
        self.tests.append(test)
        words = f"(SELECT id FROM word WHERE fits({len(self.tests) - 1}, value))"
        self.conditions.append("(" + " OR ".join(f"e.{column} IN {words}" for column in columns) + ")")


def query(chosen: Selection, tests: list[Test]) -> Query:
    """The conditions for a selection. Its tests are added to the list: other queries may be under way with theirs."""
    made = Query(tests)
    for sign, moment in ((">=", chosen.since), ("<", chosen.until)):
        if moment is not None:
            made.conditions.append(f"e.started {sign} ?")
            made.values.append(moment)
    if chosen.who:
        wanted = chosen.who.casefold()
        made.add(("subject", "name"), lambda word: wanted in word.casefold())
    for column in ("service", "dataset", "kind", "session"):
        if glob := getattr(chosen, column):
            made.add((column,), _glob(glob))
    if chosen.verdict:
        made.add(("verdict",), lambda word: word.startswith(chosen.verdict))
    for column, glob in (("rules", chosen.rule), ("indicators", chosen.finding)):
        if glob:
            made.add((column,), _any_line(_glob(glob)))
    if chosen.filter is not None:
        made.conditions.append(sql.where(chosen.filter, made.tests, made.urls))
    return made


def _glob(glob: str) -> Test:
    pattern = re.compile(fnmatch.translate(glob))
    return lambda word: pattern.match(word) is not None


def _any_line(test: Test) -> Test:
    return lambda word: any(map(test, word.split("\n")))


_URL = "(coalesce((SELECT value FROM word WHERE id = e.base), '') || e.target)"
_COLUMNS = {
    "method": "e.method",
    "host": "e.host",
    "shown_host": "e.shown_host",
    "answered": "e.answered",
    "broken": "e.broken",
    "status": "e.status",
}
"""The columns that a filter expression names, as the catalog has them; of words, their numbers."""
