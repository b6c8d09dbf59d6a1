"""What can be wrong with services, dialects and datasets beyond what the model sees."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluicegate import jsonpath
from sluicegate.exchange import OTHERS
from sluicegate.operations.built_in import DIALECTS
from sluicegate.operations.declared import SELECTORS
from sluicegate.operations.destination import Ours
from sluicegate.operations.selector import Selector
from sluicegate.operations.template import Template, ambiguous
from sluicegate.settings import Loaded, Problem, Settings, model, nearest
from sluicegate.settings.hosts import OriginPattern
from sluicegate.settings.positions import Path, line_of

RESERVED = (OTHERS, "tunnel")
"""Names that the gateway itself uses for what no service owns."""

_Found = tuple[Path, str, str]


def problems(loaded: Loaded) -> list[Problem]:
    """Every problem of these tables, in the order of the file."""
    found = [*_services(loaded.settings), *_dialects(loaded.settings), *_datasets(loaded.settings)]
    found += _destinations(loaded.settings)
    return sorted(
        Problem(line_of(path, loaded.lines), ".".join(map(str, path)), message, suggestion)
        for path, message, suggestion in found
    )


def _services(settings: Settings) -> Iterator[_Found]:
    owners: dict[tuple[str, int, bool], str] = {}
    dialects = {*DIALECTS, *settings.dialects}
    for name, service in settings.services.items():
        if name in RESERVED:
            yield ("services", name), "the gateway uses this name itself", "choose another name for the service"
        if service.dialect not in dialects:
            hint = nearest(service.dialect, dialects) or "declare its routes under [dialects]"
            yield ("services", name, "dialect"), f"there is no dialect `{service.dialect}`", hint
        if service.websocket and (
            service.dialect in DIALECTS
            or any(_reads_answers(route) for route in getattr(settings.dialects.get(service.dialect), "routes", ()))
        ):
            message = "its dialect reads whole responses, and messages of a WebSocket are none"
            yield ("services", name, "websocket"), message, "declare its routes under [dialects], without `rows`"
        for text in service.hosts:
            pattern = OriginPattern.parse(text)
            origin = pattern.origin
            # Scheme apart, a port has one owner: what is dialled is host and port.
            owner = owners.setdefault((origin.host, origin.port, pattern.below), name)
            if owner != name:
                yield ("services", name, "hosts"), f"`{text}` belongs to the service `{owner}` already", ""


def _dialects(settings: Settings) -> Iterator[_Found]:
    for name, dialect in settings.dialects.items():
        if name in DIALECTS:
            yield ("dialects", name), "there is a built-in dialect of this name", "choose another name"
        templates: dict[Template, Path] = {}
        for index, route in enumerate(dialect.routes):
            here: Path = ("dialects", name, "routes", index)
            if route.kind == "message":
                yield (*here, "kind"), "messages are what moves through a WebSocket, and no request is one", ""
            try:
                template = Template.parse(route.request)
            except ValueError as error:
                yield (*here, "request"), str(error), ""
                continue
            yield from _selectors(route, template, here)
            if template in templates:
                yield (*here, "request"), "is the same as an earlier route", "leave one of them out"
            yield from _answers(route, here)
            templates.setdefault(template, here)
        for one, other in ambiguous(templates):
            message = f"matches the same paths as `{one.text}`, and neither is more specific"
            yield (*templates[other], "request"), message, "make one of them more specific in every segment"


def _selectors(route: model.Route, template: Template, here: Path) -> Iterator[_Found]:
    for key in SELECTORS:
        text = getattr(route, key)
        if text is None:
            continue
        try:
            selector = Selector.parse(text)
        except ValueError as error:
            yield (*here, key), str(error), ""
            continue
        placeholders = [name for name in template.names if name]
        if selector.source == "path" and selector.name not in placeholders:
            yield (*here, key), f"the template has no `{{{selector.name}}}`", nearest(selector.name, placeholders)


def _reads_answers(route: model.Route) -> bool:
    """Whether the dialect says where the rows of such a response are."""
    return bool(route.hands_out or route.rows or route.row_columns or route.sql)


def _answers(route: model.Route, here: Path) -> Iterator[_Found]:
    for index, text in enumerate(route.hands_out):
        place = (*here, "hands_out", index)
        if text.startswith("header:"):
            if not re.fullmatch(r"header:[A-Za-z0-9-]{1,64}", text):
                yield place, f"`{text}` names no header", "write `header:NAME`"
            continue
        yield from _path(text, place)
    if route.rows is not None:
        yield from _path(route.rows, (*here, "rows"))
    if route.row_columns is not None:
        yield from _path(route.row_columns, (*here, "row_columns"))
        if route.rows is None:
            yield (*here, "row_columns"), "says the columns of rows, and there is no `rows`", "add `rows`"
    if route.sql is not None and route.statement is None:
        yield (*here, "sql"), "says how `statement` is read, and there is none", "add `statement`"
    if route.sql is not None and (route.dataset or route.columns):
        yield (*here, "sql"), "the statement says dataset and columns itself", "leave `dataset` and `columns` out"
    if route.form and not route.request.startswith(("POST ", "PUT ", "PATCH ")):
        yield (*here, "form"), "requests with this method have no form", ""


def _path(text: str, place: Path) -> Iterator[_Found]:
    try:
        jsonpath.parse(text)
    except ValueError as error:
        yield place, f"`{text}`: {error}", "write a JSONPath, such as `$.next_cursor`"


def _datasets(settings: Settings) -> Iterator[_Found]:
    taken: dict[tuple[str, str], str] = {}
    for key, dataset in settings.datasets.items():
        if dataset.service not in settings.services:
            hint = nearest(dataset.service, settings.services)
            yield ("datasets", key, "service"), f"there is no service `{dataset.service}`", hint
        wire = dataset.name or key
        first = taken.setdefault((dataset.service, wire), key)
        if first != key:
            message = f"`{wire}` in the service `{dataset.service}` is the dataset `{first}` already"
            yield ("datasets", key, "name"), message, ""
        folded: dict[str, str] = {}
        for column in dataset.columns:
            if folded.setdefault(column.casefold(), column) != column:
                yield ("datasets", key, "columns"), f"the column `{column}` is declared twice but for its case", ""


def _destinations(settings: Settings) -> Iterator[_Found]:
    for text in settings.gateway.internal_destinations:
        try:
            Ours.parse(text)
        except ValueError as error:
            yield ("gateway", "internal_destinations"), f"`{text}`: {error}", ""
