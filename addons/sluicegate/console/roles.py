"""Who may do what in the console, by the groups of their tokens."""

from __future__ import annotations

from typing import Literal

from sluicegate.approvals.people import named
from sluicegate.exchange import Principal
from sluicegate.settings import Settings

Role = Literal["requester", "approver", "operator", "auditor"]


class Roles:
    """The roles of one policy. Whoever is signed in is a requester, and sees their own requests."""

    def __init__(self, settings: Settings) -> None:
        self._approvers = tuple({who for rule in settings.rules if rule.effect == "hold" for who in rule.approvers})
        self._operators = tuple(settings.console.operators)
        self._keepers = tuple(settings.console.keepers or settings.console.operators)
        self._auditors = tuple(settings.console.auditors)

    def of(self, person: Principal) -> frozenset[Role]:
        """Every role that the person has."""
        found: set[Role] = {"requester"}
        if named(person, self._approvers):
            found.add("approver")
        if self.operator(person):
            found.add("operator")
        if named(person, self._auditors):
            found.add("auditor")
        return frozenset(found)

    def operator(self, person: Principal) -> bool:
        return named(person, self._operators)

    def keeper(self, person: Principal) -> bool:
        """Whether the person may have recordings held, released and shredded."""
        return named(person, self._keepers)

    def sees_all(self, person: Principal) -> bool:
        """Whether the person may read what is not their own: operators and auditors."""
        return self.operator(person) or named(person, self._auditors)
