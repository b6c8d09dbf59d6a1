"""What can be wrong with rules and masks beyond what the model sees: names that mean nothing, keys that do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sluicegate import jsonpath
from sluicegate.exchange import OTHERS
from sluicegate.policy.match import is_glob
from sluicegate.settings import Loaded, Problem, Settings, model, nearest
from sluicegate.settings.positions import Path, line_of

_WHO = re.compile(r"^(group|person):\S.*$")
_TUNNEL = "tunnel"
"""Lockdown's word for TLS that passes untouched."""

_NOT_YET = (
    *("mode", "assurance", "assurance_below", "network", "statements", "commands", "rows_above", "job", "when"),
    *("risk_above", "finding", "budget"),
)

_Found = tuple[Path, str, str]


def problems(loaded: Loaded) -> list[Problem]:
    """Every problem of these tables, in the order of the file."""
    settings = loaded.settings
    found = list(_ids(settings))
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


def _rule(settings: Settings, rule: model.Rule, here: Path) -> Iterator[_Found]:
    yield from _people(rule.who or (), (*here, "who"))
    yield from _people(rule.approvers, (*here, "approvers"))
    yield from _places(settings, rule, here)
    yield from _column_names(settings, rule.columns, (*here, "columns"))
    for key in _NOT_YET:
        if getattr(rule, key) not in (None, "enforce"):
            yield (*here, key), "is not enforced by this version", "leave it out"
    if rule.effect == "hold" and not rule.approvers:
        yield here, "holds, but names nobody who can approve", 'add approvers = ["group:..."]'
    if rule.effect != "hold":
        for key in ("approvers", "hold_seconds"):
            if getattr(rule, key):
                message = f"means nothing in a rule whose effect is {rule.effect}"
                yield (*here, key), message, 'leave it out, or make the effect "hold"'
    for glob in rule.destination if isinstance(rule.destination, list) else ():
        if glob in ("internal", "external"):
            yield (*here, "destination"), f"`{glob}` is not a glob", f'write destination = "{glob}" without brackets'
        elif glob != "*" and "://" not in glob:
            yield (*here, "destination"), f"`{glob}` has no scheme", f"write a scheme, such as `s3://{glob}`"


def _mask(settings: Settings, mask: model.MaskRule, here: Path) -> Iterator[_Found]:
    yield from _people(mask.unless, (*here, "unless"))
    yield from _places(settings, mask, here)
    yield from _column_names(settings, mask.columns, (*here, "columns"))
    if (mask.columns is None) == (mask.path is None):
        said = "both columns and path" if mask.path is not None else "neither columns nor path"
        yield here, f"has {said}", "give one of the two"
    if mask.path is not None:
        try:
            if not jsonpath.parse(mask.path):
                raise ValueError("`$` alone is the whole response")
        except ValueError as error:
            yield (*here, "path"), str(error), ""


def _people(texts: Iterable[str], here: Path) -> Iterator[_Found]:
    for text in texts:
        if _WHO.match(text):
            continue
        word, colon, name = text.partition(":")
        if word in ("group", "person"):
            hint = "write the name behind the colon"
        elif colon and name.strip():
            hint = nearest(word, ("group", "person"))
        else:
            hint = f"write `group:{word}`"
        yield here, f"`{text}` is neither `group:NAME` nor `person:SUBJECT`", hint


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
