"""From a request to an operation: the dialect of its service reads it, or egress where no service owns the host."""

from __future__ import annotations

from sluicegate.exchange import OTHERS, Operation
from sluicegate.operations.declared import DeclaredDialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import BUILT_IN, Dialect, Known, known_in
from sluicegate.operations.egress import read_egress
from sluicegate.operations.view import RequestView
from sluicegate.settings import Settings


class Reader:
    """Reads the requests of every service in the policy. Holds no state between requests."""

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError, or KeyError for an unknown dialect, where `problems` would have found something."""
        declared: dict[str, Dialect] = {name: DeclaredDialect(table) for name, table in settings.dialects.items()}
        self._ours = tuple(map(Ours.parse, settings.gateway.internal_destinations))
        self._services: dict[str, tuple[Dialect, Known]] = {}
        for name, service in settings.services.items():
            dialect = declared.get(service.dialect) or BUILT_IN[service.dialect]()
            self._services[name] = (dialect, known_in(name, settings))

    def read(self, view: RequestView, service: str, origin: str) -> Operation:
        """What is asked. `service` is what owns the host, `origin` is `scheme://host[:port]`.

        Raises KeyError for a service that the policy does not have.
        """
        if service == OTHERS:
            return read_egress(view, origin, self._ours)
        dialect, known = self._services[service]
        return dialect.read(view, known)
