"""Jobs: what a request that is within a job may touch, whatever the rules say.

A request is within the job that it names, or, when whoever asks is bound to jobs, within those of them that have room
for all of it. A job allows nothing by itself.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sluicegate.exchange import Operation, Principal
from sluicegate.policy.context import Context
from sluicegate.policy.match import DOUBTFUL_KINDS, Test, asked_columns
from sluicegate.policy.people import People
from sluicegate.policy.statement import exact, fold, words
from sluicegate.settings import Settings, model
from sluicegate.settings.times import Span


class Standing(NamedTuple):
    """How a request stands to the jobs."""

    within: frozenset[str]
    """The jobs that it is within."""
    outside: str = ""
    """Why it may not be done: it is in a job and asks for more, or names one that is not there. Empty where it may."""
    job: str = ""
    """The job that says so, where the policy has it."""


_FREE = Standing(frozenset())


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    dataset: str
    columns: frozenset[str] | None
    every: frozenset[str] | None
    """All columns of the dataset, folded, where the policy says them."""
    chunks: tuple[str, ...] | None
    who: People
    bound: People
    hours: Span | None

    def lacks(self, operation: Operation, context: Context) -> str:
        """What the operation asks for that the job does not have; empty where it has room for all of it."""
        if self.hours is not None and not _holds(self.hours, context.now):
            return "this hour"
        if operation.dataset is None and operation.column_scope == "none" and operation.kind not in DOUBTFUL_KINDS:
            return ""  # signing in, asking for a state
        if operation.kind in DOUBTFUL_KINDS:
            return "what cannot be read from the request"
        if operation.dataset != self.dataset or not operation.declared:
            return f"the dataset {operation.dataset or 'that the request does not name'}"
        return self._columns(operation) or self._chunks(operation)

    def _columns(self, operation: Operation) -> str:
        text = operation.statement
        said = frozenset[str]() if text is None or exact(operation) else words(text)
        if said is None:
            return "what the statement may read"
        if self.columns is None or operation.column_scope == "none":
            return ""
        if operation.column_scope != "listed":
            return "all columns"
        beyond = sorted({*operation.columns, *operation.predicates} - self.columns)
        if said:
            if self.every is None:
                return "the columns that the statement may read"
            own = asked_columns(tuple(sorted(self.columns)))
            beyond += sorted((said & self.every) - own)
        return f"the columns {', '.join(beyond[:8])}" if beyond else ""

    def _chunks(self, operation: Operation) -> str:
        if self.chunks is None or operation.column_scope == "none":
            return ""
        if not operation.chunks:
            return "requests that name no chunk"
        for chunk in operation.chunks:
            if not any(_is_in(chunk, entry) for entry in self.chunks):
                return f"the chunk {chunk[:40]}"
        return ""


class Jobs:
    """The jobs of a policy."""

    def __init__(self, settings: Settings) -> None:
        self._jobs = {name: _compiled(name, job, settings) for name, job in sorted(settings.jobs.items())}
        self._binding = [job for job in self._jobs.values() if job.bound != People.parse(())]

    def stand(self, principal: Principal, operations: Iterable[Operation], context: Context) -> Standing:
        """Within which jobs a request is, or why it may not be done."""
        if context.job is None and not self._binding:
            return _FREE
        bound = [job for job in self._binding if job.bound.include(principal, broad=True)]
        if context.job is None:
            return self._bound(bound, operations, context) if bound else _FREE
        job = self._jobs.get(context.job)
        if job is None:
            return Standing(frozenset(), f"The policy has no job {context.job[:64]}.")
        if not (job.who.include(principal) or job.bound.include(principal)) or (bound and job not in bound):
            return Standing(frozenset(), f"The job {job.name} is not this person's.", job.name)
        return self._bound([job], operations, context)

    def _bound(self, jobs: list[_Job], operations: Iterable[Operation], context: Context) -> Standing:
        asked = list(operations)
        lacks = {job.name: next(filter(None, (job.lacks(o, context) for o in asked)), "") for job in jobs}
        within = frozenset(name for name, lack in lacks.items() if not lack)
        if within:
            return Standing(within)
        name, lack = next(iter(lacks.items()))
        return Standing(frozenset(), f"The job {name} does not include {lack}.", name)


def job_test(names: Iterable[str]) -> Test:
    """The request is within one of the jobs."""
    wanted = frozenset(names)
    return lambda operation, context: not wanted.isdisjoint(context.within)


def chunk_range(entry: str) -> tuple[int, int] | None:
    """The numbers of an entry such as `0..99`; None where it is a name or glob."""
    first, dots, last = entry.partition("..")
    if not dots or not (_number(first) and _number(last)):
        return None
    return int(first), int(last)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _is_in(chunk: str, entry: str) -> bool:
    numbers = chunk_range(entry)
    if numbers is None:
        return fnmatch.fnmatchcase(chunk, entry)
    # A chunk such as `007` may be another one than `7`.
    return _number(chunk) and str(int(chunk)) == chunk and numbers[0] <= int(chunk) <= numbers[1]


def _holds(hours: Span, now: float) -> bool:
    try:
        return hours.holds(now)
    except (ValueError, OverflowError, OSError):
        return False


def _compiled(name: str, job: model.Job, settings: Settings) -> _Job:
    table = settings.datasets.get(job.dataset)
    columns = None
    if job.columns is not None:
        classes = table.columns if table else {}
        known = set(classes)
        columns = frozenset(
            column
            for word in job.columns
            for column in ([word] if word in known else [c for c, of in classes.items() if of == word] or [word])
        )
    every = None
    if table is not None and table.all_columns is not None:
        every = frozenset(map(fold, [*table.all_columns, *table.columns]))
    return _Job(
        name,
        job.dataset,
        columns,
        every,
        None if job.chunks is None else tuple(job.chunks),
        People.parse(job.who),
        People.parse(job.bound),
        None if job.hours is None else Span.parse(job.hours),
    )
