"""What can be wrong with rules and masks beyond what the model sees: names that mean nothing, keys that do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sluicegate import jsonpath
from sluicegate.exchange import OTHERS
from sluicegate.policy.commands import Commands
from sluicegate.policy.jobs import chunk_range
from sluicegate.policy.match import is_glob
from sluicegate.policy.people import STRENGTH, WORDS
from sluicegate.settings import Loaded, Problem, Settings, model, nearest
from sluicegate.settings.positions import Path, line_of

_WHO = re.compile(r"^((group|person|machine):\S.*|kind:(person|machine))$")
_APPROVER = re.compile(r"^(group|person):\S.*$")
_TUNNEL = "tunnel"
"""Lockdown's word for TLS that passes untouched."""

_LIMITS = ("assurance_below", "rows_above", "risk_above", "finding", "sign_in_age_above", "budget")
"""Keys that match what is over a limit. In an allow they would allow nothing else."""

_Found = tuple[Path, str, str]


def problems(loaded: Loaded) -> list[Problem]:
    """Every problem of these tables, in the order of the file."""
    settings = loaded.settings
    found = [*_ids(settings), *_commands(settings)]
    for key in ("operators", "keepers", "auditors"):
        found += _people(getattr(settings.console, key), ("console", key), approvers=True)
    for name, job in settings.jobs.items():
        found += _job(settings, name, job)
    for index, rule in enumerate(settings.rules):
        found += _rule(settings, rule, ("rules", index))
    for index, mask in enumerate(settings.masks):
        found += _mask(settings, mask, ("masks", index))
    return sorted(
        Problem(line_of(path, loaded.lines), ".".join(map(str, path)), message, suggestion)
        for path, message, suggestion in found
    )


def _ids(settings: Settings) -> Iterator[_Found]:
    taken: dict[str, str] = {_TUNNEL: "the gateway itself"}
    tables: list[tuple[str, Iterable[model.Rule | model.MaskRule]]] = [
        ("rules", settings.rules),
        ("masks", settings.masks),
    ]
    for table, entries in tables:
        for index, entry in enumerate(entries):
            if entry.id in taken:
                # Verdicts name rules and masks by id alone.
                yield (table, index, "id"), f"`{entry.id}` is taken by {taken[entry.id]} already", "choose another id"
            taken.setdefault(entry.id, f"{table}.{index}")
    for name in settings.jobs:
        if name in taken:
            yield ("jobs", name), f"`{name}` is taken by {taken[name]} already", "choose another name"


def _rule(settings: Settings, rule: model.Rule, here: Path) -> Iterator[_Found]:
    yield from _people(rule.who or (), (*here, "who"))
    yield from _people(rule.approvers, (*here, "approvers"), approvers=True)
    yield from _places(settings, rule, here)
    yield from _column_names(settings, rule.columns, (*here, "columns"))
    yield from _limits(rule, here)
    for name in rule.job or ():
        if name not in settings.jobs:
            hint = nearest(name, settings.jobs) or "declare it under [jobs]"
            yield (*here, "job"), f"there is no job `{name}`", hint
    if rule.seal and rule.effect == "deny":
        yield (*here, "seal"), "means nothing in a rule whose effect is deny", "leave it out"
    elif rule.seal and not settings.recording.recipients:
        yield (*here, "seal"), "nobody could open what is sealed", "name recipients under [recording]"
    if rule.results_of_others and rule.effect == "deny":
        yield (*here, "results_of_others"), "means nothing in a rule whose effect is deny", "leave it out"
    if rule.effect == "hold" and not rule.approvers:
        yield here, "holds, but names nobody who can approve", 'add approvers = ["group:..."]'
    if rule.effect != "hold":
        for key in ("approvers", "hold_seconds", "approval"):
            if getattr(rule, key):
                message = f"means nothing in a rule whose effect is {rule.effect}"
                yield (*here, key), message, 'leave it out, or make the effect "hold"'
    elif rule.approval is not None:
        yield from _terms(settings, rule, rule.approval, (*here, "approval"))
    for glob in rule.destination if isinstance(rule.destination, list) else ():
        if glob in ("internal", "external"):
            yield (*here, "destination"), f"`{glob}` is not a glob", f'write destination = "{glob}" without brackets'
        elif glob != "*" and "://" not in glob:
            yield (*here, "destination"), f"`{glob}` has no scheme", f"write a scheme, such as `s3://{glob}`"


def _terms(settings: Settings, rule: model.Rule, terms: model.Terms, here: Path) -> Iterator[_Found]:
    yield from _people(terms.break_glass, (*here, "break_glass"), approvers=True)
    people = {who for who in rule.approvers if who.startswith("person:")}
    if rule.approvers and len(people) == len(set(rule.approvers)) < terms.quorum:
        yield (*here, "quorum"), f"is {terms.quorum}, and only {len(people)} may approve", "name more, or a group"
    for entry in terms.conflicts:
        word, _, name = entry.partition(":")
        if word not in ("group", "claim") or not name:
            yield (*here, "conflicts"), f"`{entry}` is neither `group:GLOB` nor `claim:NAME`", nearest(word, _CONFLICTS)
        elif word == "claim" and name not in settings.identity.relation_claims:
            hint = "add it to relation_claims of [identity]"
            yield (*here, "conflicts"), f"the claim `{name}` is not read from tokens", hint


def _mask(settings: Settings, mask: model.MaskRule, here: Path) -> Iterator[_Found]:
    yield from _people(mask.unless, (*here, "unless"))
    yield from _places(settings, mask, here)
    yield from _column_names(settings, mask.columns, (*here, "columns"))
    given = [key for key in ("columns", "path", "detect") if getattr(mask, key) is not None]
    if len(given) != 1:
        said = " and ".join(given) if given else "neither columns nor path nor detect"
        yield here, f"has {said}", "give one of them"
    if mask.regions and mask.detect is None:
        yield (*here, "regions"), "mean something to `detect` only", "take them out"
    if mask.borders and mask.detect is None:
        yield (*here, "borders"), "means something to `detect` only", "take it out"
    if mask.path is not None:
        try:
            if not jsonpath.parse(mask.path):
                raise ValueError("`$` alone is the whole response")
        except ValueError as error:
            yield (*here, "path"), str(error), ""


def _people(texts: Iterable[str], here: Path, *, approvers: bool = False) -> Iterator[_Found]:
    known = ("group", "person") if approvers else WORDS
    for text in texts:
        if (_APPROVER if approvers else _WHO).match(text):
            continue
        word, colon, name = text.partition(":")
        if word == "kind" and not approvers:
            hint = "write `kind:person` or `kind:machine`"
        elif word in known:
            hint = "write the name behind the colon"
        elif word in WORDS:
            hint = "people approve, and machines do not"
        elif colon and name.strip():
            hint = nearest(word, known)
        else:
            hint = f"write `group:{word}`"
        yield here, f"`{text}` is {'neither' if approvers else 'none of'} {_FORMS[approvers]}", hint


_CONFLICTS = ("group", "claim")
_FORMS = {
    True: "`group:NAME` nor `person:SUBJECT`",
    False: "`group:NAME`, `person:SUBJECT`, `machine:SUBJECT` and `kind:KIND`",
}


def _limits(rule: model.Rule, here: Path) -> Iterator[_Found]:
    if rule.effect == "allow":
        for key in _LIMITS:
            if getattr(rule, key) is not None:
                message = "would allow only what is over the limit"
                yield (*here, key), message, "put it into a rule that denies or holds"
    budget = rule.budget
    if budget is not None and (budget.chunks, budget.distinct_chunks, budget.rows, budget.bytes) == (None,) * 4:
        yield (*here, "budget"), "limits nothing", "give chunks, distinct_chunks, rows or bytes"
    low, high = rule.assurance, rule.assurance_below
    if low is not None and high is not None and STRENGTH[low] >= STRENGTH[high]:
        yield (*here, "assurance_below"), f"nobody is both at least {low} and below {high}", ""


def _job(settings: Settings, name: str, job: model.Job) -> Iterator[_Found]:
    here: Path = ("jobs", name)
    yield from _people(job.who, (*here, "who"))
    yield from _people(job.bound, (*here, "bound"))
    table = settings.datasets.get(job.dataset)
    if table is None:
        hint = nearest(job.dataset, settings.datasets) or "declare it under [datasets]"
        yield (*here, "dataset"), f"there is no dataset `{job.dataset}`", hint
    elif table.all_columns is not None:
        known = {*table.all_columns, *table.columns, *table.columns.values()}
        for column in job.columns or ():
            if column not in known:
                yield (*here, "columns"), f"the dataset has no column or class `{column}`", nearest(column, known)
    for entry in job.chunks or ():
        numbers = chunk_range(entry)
        if numbers is not None and numbers[0] > numbers[1]:
            yield (*here, "chunks"), f"`{entry}` has no numbers in it", f"write `{numbers[1]}..{numbers[0]}`"


def _commands(settings: Settings) -> Iterator[_Found]:
    try:
        Commands(settings)
    except ValueError as error:
        yield ("rules",), str(error), "make them shorter, or fewer"


def _places(settings: Settings, entry: model.Rule | model.MaskRule, here: Path) -> Iterator[_Found]:
    for name in entry.service or ():
        if name == _TUNNEL and name not in settings.services:
            message = "TLS that passes untouched is never judged, so this can never match"
            yield (*here, "service"), message, "list hosts in gateway.tunnel_hosts instead"
        elif name == OTHERS:
            if settings.gateway.others != "inspect":
                message = f"`{OTHERS}` never matches, because other hosts are not inspected"
                yield (*here, "service"), message, 'set gateway.others = "inspect"'
        elif name not in settings.services:
            yield (*here, "service"), f"there is no service `{name}`", nearest(name, (*settings.services, OTHERS))
    for name in entry.dataset or ():
        if not is_glob(name) and name not in settings.datasets:
            hint = nearest(name, settings.datasets) or "declare it under [datasets], or write a glob for others"
            yield (*here, "dataset"), f"there is no dataset `{name}`", hint
    if entry.service and entry.dataset and not any(is_glob(name) for name in entry.dataset):
        homes = {table.service for key, table in settings.datasets.items() if key in entry.dataset}
        if homes and homes.isdisjoint(entry.service):
            where = ", ".join(sorted(homes))
            yield (*here, "dataset"), f"belongs to the service {where}, so this can never match", ""


def _column_names(settings: Settings, names: Iterable[str] | None, here: Path) -> Iterator[_Found]:
    tables = settings.datasets.values()
    known = {c for table in tables for c in table.columns} | {c for table in tables for c in table.columns.values()}
    for name in names or ():
        if name not in known:
            hint = nearest(name, sorted(known)) or "declare it under [datasets.*].columns"
            yield here, f"no dataset has a column or class `{name}`", hint
