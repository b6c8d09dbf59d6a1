"""Policy in the pipeline: the verdict on each exchange, before anything reaches a service."""

from __future__ import annotations

from sluicegate.exchange import Exchange
from sluicegate.policy.decide import decide
from sluicegate.policy.explain import denial
from sluicegate.policy.index import Policy
from sluicegate.settings import Loaded


class PolicyAddon:
    """Sets `exchange.verdict`, and refuses where its effect is deny. A hold is left to approvals."""

    name = "policy"

    def __init__(self, loaded: Loaded) -> None:
        self._policy = Policy(loaded.settings, loaded.digest)

    def request(self, flow: object, exchange: Exchange) -> None:
        if exchange.principal is None or exchange.operation is None:
            raise RuntimeError("there is no principal or no operation to judge")
        verdict = decide(self._policy, exchange.principal, exchange.operation)
        exchange.verdict = verdict
        if verdict.effect not in ("allow", "hold"):
            raise denial(self._policy, exchange.principal, exchange.operation, verdict)
