"""What a dialect is: it knows the requests of one kind of service. One file a dialect, registered by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sluicegate.exchange import Operation
from sluicegate.operations.destination import Ours
from sluicegate.operations.view import RequestView
from sluicegate.settings import Settings


@dataclass(frozen=True, slots=True)
class Known:
    """What the policy declares that a dialect needs: names in one service, and the destinations that are ours."""

    service: str
    datasets: Mapping[str, str]
    """Name on the wire to table key."""
    columns: Mapping[str, frozenset[str]]
    """Table key to the columns that are declared."""
    ours: Sequence[Ours] = ()


class Dialect(Protocol):
    """How the requests of a service are read. Both are called for every request, and neither may raise."""

    def match(self, view: RequestView) -> str | None:
        """The route that the request is of, or None."""
        ...

    def read(self, view: RequestView, known: Known) -> Operation:
        """What is asked. Whatever is not fully understood is of kind `unknown`."""
        ...


BUILT_IN: Mapping[str, Callable[[], Dialect]] = {}
"""Dialects that need no [dialects.*] table."""


def dialect_names(settings: Settings) -> set[str]:
    """The names that a service may give as its dialect."""
    return set(BUILT_IN) | set(settings.dialects)


def known_in(service: str, settings: Settings) -> Known:
    """What the policy declares for a service. Raises ValueError for a glob that is no destination."""
    tables = {key: dataset for key, dataset in settings.datasets.items() if dataset.service == service}
    return Known(
        service,
        {dataset.name or key: key for key, dataset in tables.items()},
        {key: frozenset(dataset.columns) for key, dataset in tables.items()},
        tuple(map(Ours.parse, settings.gateway.internal_destinations)),
    )
