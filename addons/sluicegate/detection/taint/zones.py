"""What is protected, and what is elsewhere: as the policy has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sluicegate.detection.taint.cells import STRONG, Cell, fingerprint
from sluicegate.detection.taint.words import begins, first_word, words
from sluicegate.exchange import OTHERS

if TYPE_CHECKING:
    from sluicegate.settings import Settings


class Zones:
    """Which datasets are protected, and which services may have each other's data."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        told = settings.detection
        self._settings = settings
        on = "taint" not in told.off
        with_classes = [name for name, table in settings.datasets.items() if table.columns]
        self.protected = frozenset((with_classes if told.taint is None else told.taint) if on else ())
        self._zone: Mapping[str, str] = {service: zone for zone, several in told.zones.items() for service in several}
        self.canaries = tuple(_cell(value, key) for value in told.canaries) if "canary" not in told.off else ()
        """Canary values, as cells."""
        self._looks: dict[str, bool] = {}
        self.canary_values = frozenset(cell.value for cell in self.canaries)

    def looks(self, target: str) -> bool:
        """Whether there is anything that must not be in a request to the service `target`."""
        found = self._looks.get(target)
        if found is None:
            datasets = self._settings.datasets
            found = self._looks[target] = bool(self.canaries) or any(
                self.elsewhere(datasets[name].service, target) for name in self.protected if name in datasets
            )
        return found

    def columns(self, dataset: str) -> frozenset[str]:
        """The columns of a dataset that are declared, folded."""
        table = self._settings.datasets.get(dataset)
        return frozenset(map(str.casefold, table.columns)) if table is not None else frozenset()

    def named(self, datasets: Iterable[tuple[str | None, bool]]) -> str | None:
        """The first of the datasets (each with whether it is declared) that is protected."""
        return next((name for name, declared in datasets if declared and name in self.protected), None)

    def elsewhere(self, service: str, target: str) -> bool:
        """Whether data of a service would leave its zone by a request to the service `target`."""
        if target == OTHERS:
            return True
        if service == target:
            return False
        zone = self._zone.get(service)
        return zone is None or zone != self._zone.get(target)


def _cell(value: str, key: bytes) -> Cell:
    parts = words(value)
    whole = "".join(parts)
    return Cell(0, fingerprint(whole, key), begins(first_word(parts)) if parts else 0, begins(whole), STRONG)
