"""From a request to an operation: the dialect of its service reads it, or egress where no service owns the host.

The same dialect rewrites the request once it may go, reads the response, and puts refusals into the service's words.
"""

from __future__ import annotations

import hashlib

from sluicegate.clock import Clock
from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Delivery, Operation, Rewrite
from sluicegate.operations.built_in import DIALECTS
from sluicegate.operations.declared import DeclaredDialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Dialect, Known, known_in
from sluicegate.operations.egress import read_egress
from sluicegate.operations.results import Results, Session
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer
from sluicegate.settings import Settings


class Reader:
    """Reads the requests of every service in the policy. Between requests it keeps the results that were handed out."""

    def __init__(self, settings: Settings, clock: Clock, results: Results | None = None) -> None:
        """Raises ValueError, or KeyError for an unknown dialect, where `problems` would have found something."""
        declared: dict[str, Dialect] = {name: DeclaredDialect(table) for name, table in settings.dialects.items()}
        self._ours = tuple(map(Ours.parse, settings.gateway.internal_destinations))
        self._clock = clock
        self._results = Results(clock) if results is None else results
        self._services: dict[str, tuple[Dialect, Known]] = {}
        self._scopes: dict[str, str] = {}
        for name, service in settings.services.items():
            dialect = declared.get(service.dialect) or DIALECTS[service.dialect]()
            known = known_in(name, settings)
            self._services[name] = (dialect, known)
            self._scopes[name] = _mark(service.dialect, settings, known)

    def renewed(self, settings: Settings) -> Reader:
        """A reader for other settings that knows the same results, of services that are declared as before.

        Of others they are not known any more, since names stood for something else. Raises as making one does.
        """
        return Reader(settings, self._clock, self._results)

    def read(self, view: RequestView, service: str, origin: str, owner: str) -> Operation:
        """What is asked. `service` is what owns the host, `origin` is `scheme://host[:port]`, `owner` who asks.

        Raises KeyError for a service that the policy does not have.
        """
        if service == OTHERS:
            return read_egress(view, origin, self._ours)
        dialect, known = self._services[service]
        return dialect.read(view, known, self._session(service, owner))

    def rewrite(self, view: RequestView, service: str, operation: Operation) -> Rewrite | None:
        """What becomes of the request after its verdict; None where it goes as it came."""
        if service == OTHERS:
            return None
        dialect, known = self._services[service]
        try:
            return dialect.rewrite(view, operation, known)
        except Unreadable:
            if operation.kind != "unknown":
                raise
            return None  # it was not understood as it came, and goes as it came where a rule allows that

    def delivers(self, service: str) -> bool:
        """Whether the service's dialect reads responses at all."""
        return service != OTHERS and self._services[service][0].delivers

    def deliver(
        self, view: RequestView, service: str, operation: Operation, reply: ReplyView, owner: str
    ) -> Delivery | None:
        """How the response is to be read."""
        dialect, known = self._services[service]
        try:
            return dialect.deliver(view, operation, reply, known, self._session(service, owner))
        except Unreadable as why:
            if operation.kind != "unknown":
                raise
            return Delivery(unreadable=str(why) or "the request was not understood")

    def _session(self, service: str, owner: str) -> Session:
        return Session(self._results, service, owner, self._scopes[service])

    def refuse(self, view: RequestView, service: str | None, refusal: Refusal) -> Answer | None:
        """The refusal as the service would say it; None where a problem+json does."""
        found = self._services.get(service or "")
        return found[0].refuse(view, refusal) if found else None


def _mark(dialect: str, settings: Settings, known: Known) -> str:
    """The same for the same dialect and the same declarations, and for no others."""
    table = settings.dialects.get(dialect)
    said = [
        dialect,
        "" if table is None else table.model_dump_json(),
        sorted(known.datasets.items()),
        sorted((key, sorted(columns)) for key, columns in known.columns.items()),
        sorted((known.all_columns or {}).items()),
        sorted(map(repr, known.ours)),
        [known.catalog, known.schema, known.below],
    ]
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]
