"""The dialect that a [dialects.*] table declares: routes, and selectors for the parts of the operation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from sluicegate.exchange import SCRIPT_KEPT, ColumnScope, Kind, Operation, Side
from sluicegate.operations import body, query
from sluicegate.operations.destination import SEVERAL, judge
from sluicegate.operations.dialect import Dialect, Known
from sluicegate.operations.names import columns, names, one, plain
from sluicegate.operations.results import Session
from sluicegate.operations.selector import Parts, Selector
from sluicegate.operations.template import Template, segments_of
from sluicegate.operations.view import RequestView, Unreadable
from sluicegate.settings import model

SELECTORS = ("dataset", "chunks", "columns", "destination", "statement", "script")
"""The keys of a route that hold selectors."""

_READS_ALL: frozenset[Kind] = frozenset({"read", "export"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled route: what it may be sent, and where the parts of the operation stand."""

    template: Template
    kind: Kind
    selectors: dict[str, Selector]
    accepts: frozenset[str]
    parameters: frozenset[str] = field(init=False)
    members: frozenset[str] | None = field(init=False)
    """Top-level members of the body that are read or accepted; None when a selector can reach any."""
    body_needed: bool = field(init=False)
    body_read: bool = field(init=False)

    def __post_init__(self) -> None:
        chosen = self.selectors.values()
        in_body = [selector.members for selector in chosen if selector.source == "body"]
        fixed = [members for members in in_body if members is not None]
        put = object.__setattr__
        put(self, "parameters", self.accepts | {s.name for s in chosen if s.source == "query"})
        put(self, "members", self.accepts.union(*fixed) if len(fixed) == len(in_body) else None)
        put(self, "body_needed", bool(in_body))
        put(self, "body_read", bool(in_body) or (bool(self.accepts) and self.template.method in _WITH_BODY))

    @classmethod
    def compile(cls, route: model.Route) -> Route:
        """Raises ValueError for a bad template, a bad selector, or a placeholder that the template lacks."""
        template = Template.parse(route.request)
        selectors = {}
        for key in SELECTORS:
            text = getattr(route, key)
            if text is not None:
                selector = selectors[key] = Selector.parse(text)
                if selector.source == "path" and selector.name not in template.names:
                    raise ValueError(f"`{text}`: the template has no `{{{selector.name}}}`")
        return cls(template, route.kind, selectors, frozenset(route.accepts))


class DeclaredDialect(Dialect):
    """Reads requests by the routes of a [dialects.*] table."""

    def __init__(self, table: model.Dialect) -> None:
        """Raises ValueError when a route cannot be compiled."""
        self._routes: dict[tuple[str, int], list[Route]] = defaultdict(list)
        for route in sorted(map(Route.compile, table.routes), key=lambda route: route.template.order):
            self._routes[route.template.method, len(route.template.literals)].append(route)

    def match(self, view: RequestView) -> str | None:
        found = self._find(view)
        return found[0].template.text if found else None

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        found = self._find(view)
        if found is None:
            return Operation(known.service, "unknown", column_scope="unknown", route="no route is of this form")
        route, values = found
        try:
            return _operation(route, _parts(route, view, values), known)
        except Unreadable as why:
            text = f"{route.template.text}: {why}"
            return Operation(known.service, "unknown", column_scope="unknown", route=text)

    def _find(self, view: RequestView) -> tuple[Route, dict[str, str]] | None:
        segments = segments_of(view.path)
        if segments is None:
            return None
        for route in self._routes.get((view.method, len(segments)), ()):
            values = route.template.match(segments)
            if values is not None:
                return route, values
        return None


def _parts(route: Route, view: RequestView, values: dict[str, str]) -> Parts:
    parameters = query.parameters(view.query)
    for name in parameters:
        if name not in route.parameters:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
    if not route.body_read:
        if view.body:
            raise Unreadable("a body was sent where none is read")
        return Parts(view, values, parameters)
    if not view.body and not route.body_needed:
        return Parts(view, values, parameters)
    document = body.read_object(view)
    for name in document:
        if route.members is not None and name not in route.members:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    return Parts(view, values, parameters, document)


def _operation(route: Route, parts: Parts, known: Known) -> Operation:
    chosen = route.selectors
    name = dataset = None
    if "dataset" in chosen:
        name = one(chosen["dataset"].select(parts), "dataset")
        if name is None:
            raise Unreadable("the request names no dataset")
        dataset = known.datasets.get(plain(name, known.datasets))
    columns, scope = _columns(route, parts, known.columns.get(dataset or "", frozenset()))
    destination, side = _destination(route, parts, known)
    script = one(chosen["script"].select(parts), "script") if "script" in chosen else None
    if "script" in chosen and script is None:
        raise Unreadable("the request has no script")
    return Operation(
        known.service,
        route.kind,
        dataset=dataset or name,
        declared=dataset is not None,
        chunks=names(chosen["chunks"].select(parts)) if "chunks" in chosen else (),
        columns=columns,
        column_scope=scope,
        destination=destination,
        destination_side=side,
        statement=one(chosen["statement"].select(parts), "statement") if "statement" in chosen else None,
        script_digest=hashlib.sha256(script.encode()).hexdigest() if script is not None else None,
        script=script[:SCRIPT_KEPT] if script is not None else None,
        route=route.template.text,
    )


def _columns(route: Route, parts: Parts, declared: frozenset[str]) -> tuple[tuple[str, ...], ColumnScope]:
    listed: tuple[str, ...] = ()
    if "columns" in route.selectors:
        listed = columns(route.selectors["columns"].select(parts), declared)
    if route.kind in ("script", "unknown") or "script" in route.selectors:
        return listed, "unknown"  # what a script reads is not what its request says
    if "columns" in route.selectors:
        # An empty list is no restriction in many services, so it counts as all of them.
        return ((), "all") if not listed or "*" in listed else (listed, "listed")
    return (), "all" if route.kind in _READS_ALL else "none"


def _destination(route: Route, parts: Parts, known: Known) -> tuple[str | None, Side | None]:
    values = route.selectors["destination"].select(parts) if "destination" in route.selectors else []
    judged = []
    for value in values:
        if not isinstance(value, str):
            raise Unreadable("a destination is not a text")
        judged.append(judge(value, known.ours))
    if not judged:
        # An export that does not say where to goes where the service likes.
        return None, "external" if route.kind == "export" else None
    if len(judged) == 1:
        return judged[0]
    shown = ", ".join(destination for destination, _ in judged)
    return SEVERAL + shown, "internal" if all(side == "internal" for _, side in judged) else "external"
