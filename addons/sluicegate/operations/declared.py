"""The dialect that a [dialects.*] table declares: routes, and selectors for the parts of the operation."""

from __future__ import annotations

import hashlib
import importlib
from collections import defaultdict
from dataclasses import dataclass, field, replace

from sluicegate.exchange import SCRIPT_KEPT, ColumnScope, Delivery, Kind, Operation, Rewrite, Side
from sluicegate.operations import body, query
from sluicegate.operations.declared_results import HANDLE, Answers, following, replaced
from sluicegate.operations.destination import judge_all
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.names import columns, names, one, plain
from sluicegate.operations.results import Session
from sluicegate.operations.selector import Parts, Selector
from sluicegate.operations.template import Template, closed_segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.settings import model

SELECTORS = ("dataset", "chunks", "columns", "destination", "statement", "script", "result")
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
    repeated: frozenset[str] = frozenset()
    form: bool = False
    sql: str | None = None
    answers: Answers = field(default_factory=Answers)
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
        if route.sql is not None:
            importlib.import_module("sluicegate.operations.sql")  # it is large, and loads now and not at a request
        template = Template.parse(route.request)
        selectors = {}
        for key in SELECTORS:
            text = getattr(route, key)
            if text is not None:
                selector = selectors[key] = Selector.parse(text)
                if selector.source == "path" and selector.name not in template.names:
                    raise ValueError(f"`{text}`: the template has no `{{{selector.name}}}`")
        return cls(
            template,
            route.kind,
            selectors,
            frozenset(route.accepts),
            frozenset(route.repeated),
            route.form,
            route.sql,
            Answers.compile(route),
        )


class DeclaredDialect(Dialect):
    """Reads requests by the routes of a [dialects.*] table."""

    def __init__(self, table: model.Dialect) -> None:
        """Raises ValueError when a route cannot be compiled."""
        self._routes: dict[tuple[str, int], list[Route]] = defaultdict(list)
        for route in sorted(map(Route.compile, table.routes), key=lambda route: route.template.order):
            self._routes[route.template.method, len(route.template.literals)].append(route)
        routes = [route for routes in self._routes.values() for route in routes]
        self._delivers = any(route.answers for route in routes)
        handles = (route.selectors["result"] for route in routes if "result" in route.selectors)
        self._tokens = frozenset(selector.name for selector in handles if selector.source == "query")

    def match(self, view: RequestView) -> str | None:
        found = self._find(view)
        return found[0].template.text if found else None

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        found = self._find(view)
        if found is None:
            return unknown(known.service, "no route is of this form")
        route, values = found
        try:
            return _read(route, _parts(route, view, values), known, session)
        except Unreadable as why:
            return unknown(known.service, f"{route.template.text}: {why}")

    def rewrite(self, view: RequestView, operation: Operation, known: Known) -> Rewrite | None:
        """A statement goes out as it was understood, regenerated, where it is read as SQL."""
        found = self._find(view)
        if found is None or found[0].sql is None or operation.statement is None or operation.result is not None:
            return None
        route = found[0]
        from sluicegate.operations.sql import read_sql

        clean = read_sql(operation.statement, route.sql or "", known).regenerated
        return None if clean is None else replaced(route.selectors["statement"], view, clean)

    @property
    def delivers(self) -> bool:
        return self._delivers

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        found = self._find(view)
        if found is None or operation.kind == "unknown" or not found[0].answers:
            return None
        return found[0].answers.read(operation, reply, session, self._tokens)

    def _find(self, view: RequestView) -> tuple[Route, dict[str, str]] | None:
        segments = closed_segments_of(view.path)
        if segments is None:
            return None
        for route in self._routes.get((view.method, len(segments)), ()):
            values = route.template.match(segments)
            if values is not None:
                return route, values
        return None


def _parts(route: Route, view: RequestView, values: dict[str, str]) -> Parts:
    parameters = query.grouped(view.query, route.repeated, _texts(route))
    for name in parameters:
        if name not in route.parameters:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
    if not route.body_read:
        if view.body:
            raise Unreadable("a body was sent where none is read")
        return Parts(view, values, parameters)
    if not view.body and not route.body_needed:
        return Parts(view, values, parameters)
    document = body.read_form(view) if route.form else body.read_object(view)
    for name in document:
        if route.members is not None and name not in route.members:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    return Parts(view, values, parameters, document)


def _texts(route: Route) -> frozenset[str]:
    """Parameters that may have lines in them, as statements have."""
    statement = route.selectors.get("statement")
    return frozenset({statement.name}) if statement is not None and statement.source == "query" else frozenset()


def _read(route: Route, parts: Parts, known: Known, session: Session) -> Operation:
    handle = one(route.selectors["result"].select(parts), "result") if "result" in route.selectors else None
    if not handle:
        if "result" in route.selectors and not route.selectors.keys() & {"dataset", "statement"}:
            raise Unreadable("the request names no result")
        return _operation(route, parts, known, follows=False)
    found = session.follow(HANDLE + handle)
    return following(
        found, _operation(route, parts, known, follows=True), handle, route.kind, "columns" in route.selectors
    )


def _operation(route: Route, parts: Parts, known: Known, *, follows: bool) -> Operation:
    chosen = route.selectors
    if route.sql is not None:
        text = one(chosen["statement"].select(parts), "statement")
        if text is not None:
            from sluicegate.operations.sql import read_sql

            return replace(read_sql(text, route.sql, known).operation, route=route.template.text)
        if not follows:
            raise Unreadable("the request has no statement")
    name = dataset = None
    if "dataset" in chosen:
        name = one(chosen["dataset"].select(parts), "dataset")
        if name is None and not follows:
            raise Unreadable("the request names no dataset")
    if name is not None:
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
    texts = []
    for value in values:
        if not isinstance(value, str):
            raise Unreadable("a destination is not a text")
        texts.append(value)
    if not texts:
        # An export that does not say where to goes where the service likes.
        return None, "external" if route.kind == "export" else None
    return judge_all(texts, known.ours)
