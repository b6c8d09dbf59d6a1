"""What a dialect is: it knows the requests of one kind of service. One file a dialect, registered by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite
from sluicegate.operations.destination import Ours
from sluicegate.operations.results import Session
from sluicegate.operations.view import ReplyView, RequestView
from sluicegate.problem import Answer
from sluicegate.settings import Settings
from sluicegate.settings.hosts import OriginPattern


@dataclass(frozen=True, slots=True)
class Known:
    """What the policy declares that a dialect needs: names in one service, and the destinations that are ours."""

    service: str
    datasets: Mapping[str, str]
    """Name on the wire to table key."""
    columns: Mapping[str, frozenset[str]]
    """Table key to the columns that are declared."""
    ours: Sequence[Ours] = ()
    all_columns: Mapping[str, tuple[str, ...]] | None = None
    """Table key to every column, in the service's order; only tables of which the policy says them all."""
    catalog: str | None = None
    schema: str | None = None
    """Where unqualified table names belong, unless the session says otherwise."""
    below: tuple[str, ...] = ()
    """Domains below which every host is the service, as with buckets; the longest first."""
    _nowhere: list[Known] = field(init=False, default_factory=list, repr=False, compare=False)

    def nowhere(self) -> Known:
        """The same without defaults. Always the same object, since readings of statements are remembered by it."""
        if not self._nowhere:
            self._nowhere.append(replace(self, catalog=None, schema=None))
        return self._nowhere[0]


class Dialect:
    """How the requests and responses of a service are read. Nothing of it may raise anything but what it says."""

    def match(self, view: RequestView) -> str | None:
        """The route that the request is of, or None."""
        raise NotImplementedError

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        """What is asked. Whatever is not fully understood is of kind `unknown`: this raises nothing."""
        raise NotImplementedError

    def rewrite(self, view: RequestView, operation: Operation, known: Known) -> Rewrite | None:
        """What becomes of the request after its verdict. Anything raised refuses it."""
        return None

    @property
    def delivers(self) -> bool:
        """Whether responses are read at all; for those that are not, nothing is kept."""
        return type(self).deliver is not Dialect.deliver

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        """How the response is to be read; remembers in `session` the handles and links that it hands out.

        Called with the request and the operation that it was read as. Anything raised refuses the response.
        """
        return None

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """A refusal in the service's own error shape; None where a problem+json does."""
        return None


def unknown(service: str, why: str) -> Operation:
    """What a request becomes that is not understood; `why` is shown, and recorded as its route."""
    return Operation(service, "unknown", column_scope="unknown", route=why)


def known_in(service: str, settings: Settings) -> Known:
    """What the policy declares for a service. Raises ValueError for a glob that is no destination."""
    tables = {key: dataset for key, dataset in settings.datasets.items() if dataset.service == service}
    table = settings.services[service]
    return Known(
        service,
        {dataset.name or key: key for key, dataset in tables.items()},
        {key: frozenset(dataset.columns) for key, dataset in tables.items()},
        tuple(map(Ours.parse, settings.gateway.internal_destinations)),
        {key: tuple(dataset.all_columns) for key, dataset in tables.items() if dataset.all_columns is not None},
        table.default_catalog,
        table.default_schema,
        tuple(sorted((p.origin.host for p in map(OriginPattern.parse, table.hosts) if p.below), key=len, reverse=True)),
    )
