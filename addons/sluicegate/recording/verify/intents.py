"""Intents and their outcomes, by the ledger: what went out, and of what nobody knows how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluicegate.recording.verify.report import Report


class Outcomes:
    """Pairs intents with outcomes, holding the open ones alone. An outcome is always entered after its intent."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._open: dict[str, None] = {}

    def see(self, fields: Mapping[str, Any]) -> None:
        """An entry of the log."""
        kind, exchange = fields["type"], fields.get("id")
        if not isinstance(exchange, str):
            return
        if kind == "intent":
            self._open[exchange] = None
        elif kind == "outcome":
            self._open.pop(exchange, None)

    def finish(self) -> None:
        """What is open now stays open."""
        self._report.unknown = list(self._open)
