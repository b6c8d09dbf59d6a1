"""Which services a person could use at all, whatever they ask: for what is prepared ahead of their requests.

It errs on the side of yes; whether a request passes is decided when it comes.
"""

from __future__ import annotations

from sluicegate.exchange import Principal
from sluicegate.policy.people import People
from sluicegate.settings import Settings
from sluicegate.settings.model import Rule

_WHOM_AND_WHERE = {"id", "effect", "mode", "who", "service", "approvers", "reason", "next_step"}
"""Keys of a deny that leaves nothing over of a service."""


class Reach:
    """Of one policy."""

    def __init__(self, settings: Settings) -> None:
        self._datasets = settings.datasets
        self._rules = [
            (rule, None if rule.who is None else People.parse(rule.who))
            for rule in settings.rules
            if rule.mode == "enforce"
        ]

    def may_use(self, principal: Principal, service: str) -> bool:
        """Whether some rule lets the person ask something of a service, or holds it, and none denies everything."""
        let = False
        for rule, people in self._rules:
            deny = rule.effect == "deny"
            if rule.service is not None and service not in rule.service:
                continue
            if people is not None and not people.include(principal, broad=True):
                continue
            if not deny:
                let = let or self._there(rule, service)
            elif rule.model_fields_set <= _WHOM_AND_WHERE:
                return False
        return let

    def _there(self, rule: Rule, service: str) -> bool:
        if rule.dataset is None:
            return True
        # A name that no dataset is declared by may be one of any service's, and a glob may mean such a name.
        return any(name not in self._datasets or self._datasets[name].service == service for name in rule.dataset)
