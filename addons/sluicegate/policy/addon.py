"""Policy in the pipeline: the verdict on each exchange before anything reaches a service, and what left after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Operation, Principal, Verdict
from sluicegate.policy.context import Context
from sluicegate.policy.decide import decide
from sluicegate.policy.explain import denial
from sluicegate.policy.index import Policy
from sluicegate.policy.usage import Usage
from sluicegate.policy.usage_kept import UsageKept
from sluicegate.settings import Loaded

_NO_USE: MappingProxyType[Any, Any] = MappingProxyType({})


class PolicyAddon:
    """Sets `exchange.verdict`, and refuses where its effect is deny. A hold is left to approvals."""

    name = "policy"

    def __init__(self, loaded: Loaded, usage: Usage | None = None) -> None:
        self._usage = usage or Usage()
        self.reported: Counter[str] = Counter()
        """How often each rule of mode `report` has matched."""
        self.adopt(self.prepare(loaded))

    def prepare(self, loaded: Loaded) -> Policy:
        """Another policy, compiled. Runs on a thread. Raises ValueError."""
        return Policy(loaded.settings, loaded.digest)

    def adopt(self, part: Policy) -> None:
        """From now on, new exchanges are judged by it."""
        self.part = part
        self._usage.counting = part.counts_use

    def request(self, flow: Any, exchange: Exchange) -> None:
        if exchange.principal is None or exchange.operation is None:
            raise RuntimeError("there is no principal or no operation to judge")
        self._judge(exchange, exchange.principal, exchange.operation)

    def socket_message(self, flow: Any, exchange: Exchange) -> None:
        """A message from the service is what the request asked for; one to it is of kind `message`. Both are judged by
        the policy of now. Nothing can be held any more."""
        message, opened, who = exchange.message, exchange.opened, exchange.principal
        if message is None or opened is None or opened.operation is None or opened.verdict is None or who is None:
            raise RuntimeError("there is no message, or nobody knows in what")
        asked = opened.operation
        if message.from_client:
            asked = Operation(
                asked.service, "message", asked.dataset, asked.declared, route=asked.route, column_scope="none"
            )
        exchange.operation = asked
        verdict = self._judge(exchange, who, asked)
        if verdict.effect == "hold" and not (opened.approval and set(verdict.rules) <= set(opened.verdict.rules)):
            raise Refusal(
                403,
                "messages-not-held",
                "Message not let through",
                " ".join(("A rule holds what this message does, and messages cannot be held.", *verdict.reasons)),
                next_step="Open the WebSocket anew, so that it can be approved.",
                rules=verdict.rules,
            )

    def _judge(self, exchange: Exchange, who: Principal, asked: Operation) -> Verdict:
        policy: Policy = exchange.in_force.get(self.name, self.part)
        context = self._context(policy, exchange)
        verdict = decide(policy, who, asked, context)
        exchange.verdict = verdict
        if verdict.reported:
            self.reported.update(verdict.reported)
        if verdict.effect not in ("allow", "hold"):
            raise denial(policy, who, asked, verdict, context)
        return verdict

    def _context(self, policy: Policy, exchange: Exchange) -> Context:
        findings = exchange.known
        if exchange.findings:
            findings = findings | _seen(exchange)
        who = exchange.principal
        use = self._usage.of(who, exchange.started) if policy.counts_use and who is not None else _NO_USE
        signed_in = who.authenticated if who is not None else None
        return Context(exchange.started, exchange.client, exchange.job, exchange.risk, findings, use, signed_in)


class AfterwardsAddon:
    """Judges anew where the response itself led to a finding, or something else that the person did at the same time,
    before it leaves.

    Nothing is held any more and nothing masked anew at that point: where the rules now say anything but what was
    decided, the response stays here. Whoever asks again is judged with the finding from the start, so that a rule
    that holds can hold, and one that masks can mask.
    """

    name = "afterwards"

    def __init__(self, policy: PolicyAddon, again: Callable[[Exchange], None] = lambda exchange: None) -> None:
        """`again` looks up anew what is known of the person (`detection`)."""
        self._policy = policy
        self._again = again

    def request(self, flow: Any, exchange: Exchange) -> None:
        """What was held has waited, and is judged by what is known of the person as of now, before it goes."""
        if exchange.approval is not None:
            self._again(exchange)
            if exchange.meanwhile:
                self.response(flow, exchange)

    def response(self, flow: Any, exchange: Exchange) -> None:
        if not exchange.meanwhile and not _seen(exchange):
            return
        policy: Policy = exchange.in_force.get(self._policy.name, self._policy.part)
        if not policy.looks_at_risk:
            return
        principal, operation, before = exchange.principal, exchange.operation, exchange.verdict
        if principal is None or operation is None or before is None:
            raise RuntimeError("there is no verdict to look at again")
        # What was taken already counts this request, so budgets are left out: they have been judged.
        findings = exchange.known | _seen(exchange)
        context = Context(
            exchange.started, exchange.client, exchange.job, exchange.risk, findings, signed_in=principal.authenticated
        )
        verdict = decide(policy, principal, operation, context)
        if verdict.effect == "deny":
            exchange.verdict = verdict
            raise denial(policy, principal, operation, verdict, context)
        further = set(verdict.rules) - set(before.rules) if verdict.effect == "hold" else set()
        if further or verdict.obligations != before.obligations:
            raise Refusal(
                403,
                "found-meanwhile",
                "Not handed over",
                " ".join(("Something was found meanwhile, and with it the policy asks for more:", *verdict.reasons)),
                next_step="Ask again: the request is then judged with the finding, and held or masked accordingly.",
                rules=tuple(sorted(further)) or verdict.rules,
            )


def _seen(exchange: Exchange) -> set[str]:
    """What was found in an exchange, as far as rules see it."""
    return {finding.indicator for finding in exchange.findings if not finding.silent}


class UsageAddon:
    """Counts what people take, for budgets. It stands where nothing holds requests or changes responses any more."""

    name = "usage"

    def __init__(self, usage: Usage, database: Database, clock: Clock) -> None:
        self._usage = usage
        self._kept = UsageKept(usage, database, clock)

    async def open(self) -> None:
        """Take up the counts of earlier runs. Raises Fault."""
        await self._kept.open()

    async def close(self) -> None:
        """Write what is left."""
        await self._kept.close()

    def request(self, flow: Any, exchange: Exchange) -> None:
        """Chunks count when they are asked for, so that requests in flight at once cannot share one budget."""
        if self._usage.counting and exchange.principal is not None and exchange.operation is not None:
            self._usage.asked(exchange.principal, exchange.operation, exchange.started)

    def response(self, flow: Any, exchange: Exchange) -> None:
        """Rows and bytes count when they leave."""
        if not self._usage.counting or exchange.principal is None or exchange.operation is None:
            return
        if flow.response is None or exchange.exposure is None:
            raise RuntimeError("what leaves is not known")
        passed = exchange.delivered
        size = len(flow.response.raw_content or b"") if passed is None else passed.size
        self._usage.left(exchange.principal, exchange.operation, exchange.started, exchange.exposure.rows, size)

    def socket_message(self, flow: Any, exchange: Exchange) -> None:
        """What a WebSocket hands out counts message by message."""
        message = exchange.message
        if message is None or exchange.principal is None or exchange.operation is None or exchange.exposure is None:
            raise RuntimeError("what leaves is not known")
        if self._usage.counting and not message.from_client:
            rows, size = exchange.exposure.rows, len(message.content)
            self._usage.left(exchange.principal, exchange.operation, exchange.started, rows, size)

    def error(self, flow: Any, exchange: Exchange) -> None:
        """What left before a response broke counts too, or nobody would wait for the end."""
        if exchange.delivered is not None and exchange.exposure is not None:
            self.response(flow, exchange)
