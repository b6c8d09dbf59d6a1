"""What requests can look like at all: a rule for no possible request is not one that waits for its day.

A declared dialect produces an operation for each of its routes and `unknown` for the rest; other hosts give reads and
uploads. Of a built-in dialect nothing is assumed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluicegate.exchange import OTHERS
from sluicegate.policy.hours import never_meet
from sluicegate.policy.match import NAMED_KINDS, is_glob, named
from sluicegate.settings import Settings, model

_SCRIPTED = frozenset({"script", "unknown"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of request of one service. With `anything` the rest means nothing."""

    service: str
    kind: str
    anything: bool = False
    dataset: bool = False
    """Whether it names a dataset."""
    listed: bool = False
    """Whether it can say which columns it wants."""
    reads: bool = False
    """Whether it concerns columns at all, named or not."""
    sends: bool = False
    """Whether it has a destination, if only an unnamed one."""
    destination: bool = False
    """Whether it can name a destination."""


def shapes(settings: Settings) -> tuple[Shape, ...]:
    """Every form of request that the gateway can be sent and judge."""
    return tuple(_shapes(settings))


def _shapes(settings: Settings) -> Iterator[Shape]:
    for name, service in settings.services.items():
        dialect = settings.dialects.get(service.dialect)
        if dialect is None:
            yield Shape(name, "", anything=True)
            continue
        yield Shape(name, "unknown", reads=True)
        if service.websocket:
            yield Shape(name, "message", dataset=any(route.dataset is not None for route in dialect.routes))
        for route in dialect.routes:
            scripted = route.kind in _SCRIPTED or route.script is not None
            yield Shape(
                name,
                route.kind,
                dataset=route.dataset is not None,
                listed=route.columns is not None and not scripted,
                reads=route.kind in ("read", "export") or scripted or bool(route.columns or route.statement),
                sends=route.destination is not None or route.kind == "export",
                destination=route.destination is not None,
            )
    if settings.gateway.others == "inspect":
        yield Shape(OTHERS, "read", sends=True, destination=True)
        yield Shape(OTHERS, "upload", sends=True, destination=True)


def possible(rule: model.Rule, shape: Shape, settings: Settings, *, strict: bool) -> bool:
    """Whether the rule could match a request of this form. Never false unless it cannot."""
    return not impossible(rule, shape, settings, strict=strict)


def impossible(rule: model.Rule, shape: Shape, settings: Settings, *, strict: bool) -> str:
    """The key for which the rule cannot match a request of this form; empty where it could."""
    if rule.service is not None and shape.service not in rule.service:
        return "service"
    if strict and rule.service is None and shape.service == OTHERS:
        return "service"
    if rule.job is not None and not _job(rule, settings):
        return "job"
    if shape.anything:
        return ""
    if shape.kind not in rule.kind if rule.kind is not None else strict and shape.kind in NAMED_KINDS:
        return "kind"
    if rule.dataset is not None and not _dataset(rule.dataset, shape, settings, strict):
        return "dataset"
    if rule.columns is not None and not (shape.listed if strict else shape.reads):
        return "columns"
    if rule.destination is not None and not _destination(rule.destination, shape, strict):
        return "destination"
    return ""


def _job(rule: model.Rule, settings: Settings) -> bool:
    """Whether a request can be within one of the rule's jobs and of one of its datasets, at one of its hours."""
    for name in rule.job or ():
        job = settings.jobs.get(name)
        if job is None:
            continue
        meant = rule.dataset is None or named(job.dataset, rule.dataset, broad=True)
        hours = rule.when is None or job.hours is None or not never_meet(rule.when, [job.hours])
        if meant and hours:
            return True
    return False


def _dataset(names: list[str], shape: Shape, settings: Settings, strict: bool) -> bool:
    if shape.service == OTHERS:
        return False
    if not strict:
        return shape.dataset or shape.reads
    tables = settings.datasets
    here = [n for n in names if is_glob(n) or n not in tables or tables[n].service == shape.service]
    return shape.dataset and bool(here)


def _destination(wanted: str | list[str], shape: Shape, strict: bool) -> bool:
    if not strict:
        return shape.sends or shape.kind in _SCRIPTED
    return shape.sends if wanted == "external" else shape.destination
