"""What a client sends through a WebSocket: nobody has read it, so only a rule that names it lets it pass."""

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Message, Verdict
from sluicegate.policy.addon import PolicyAddon
from sluicegate.settings import Loaded, Settings
from tests.policy.conftest import BASE, person


def test_only_a_rule_that_names_messages_allows_them(bench, ask):
    asked = ask(kind="message", column_scope="none")
    assert bench({"effect": "allow", "who": ["*"]}).effect(asked) == "deny"
    assert bench({"effect": "allow", "kind": ["read", "unknown"]}).effect(asked) == "deny"
    assert bench({"effect": "allow", "kind": ["message"]}).effect(asked) == "allow"
    both = bench({"effect": "allow", "kind": ["message"]}, {"effect": "deny", "service": ["chunks"]})
    assert both.effect(asked) == "deny", "a deny needs not name them"


def judged(ask, *rules, from_client, **opened):
    """The exchange of a message in a WebSocket that was opened as a read, after the policy's stage."""
    named = [{"id": f"r{index}", **rule} for index, rule in enumerate(rules)]
    stage = PolicyAddon(Loaded(Settings.model_validate({**BASE, "rules": named}), "d" * 64, None, {}))
    before = Exchange("opened", 0.0, principal=person("g"), service="chunks", operation=ask("ssn"), **opened)
    exchange = Exchange("one", 1.0, principal=person("g"), service="chunks", opened=before, approval=before.approval)
    exchange.message = Message(from_client, True, b"{}")
    stage.socket_message(None, exchange)
    return exchange


READ, SPEAK = {"effect": "allow", "kind": ["read"]}, {"effect": "allow", "kind": ["message"]}
HOLD = {"effect": "hold", "kind": ["read"], "approvers": ["group:x"]}


def test_each_direction_is_judged_as_what_it_is(ask):
    came = judged(ask, READ, from_client=False, verdict=Verdict("allow", ("r0",)))
    assert came.operation.kind == "read" and came.operation.columns == ("ssn",)
    sent = judged(ask, READ, SPEAK, from_client=True, verdict=Verdict("allow", ("r0",)))
    assert sent.operation.kind == "message" and sent.operation.dataset == "customers" and not sent.operation.columns
    with pytest.raises(Refusal):
        judged(ask, READ, from_client=True, verdict=Verdict("allow", ("r0",)))
    with pytest.raises(Refusal):
        judged(ask, SPEAK, from_client=False, verdict=Verdict("allow", ("r0",)))


@pytest.mark.parametrize(
    ("approval", "rules", "passes"), [("a1", ("r0",), True), (None, ("r0",), False), ("a1", ("other",), False)]
)
def test_what_is_held_passes_only_under_the_approval_that_opened_it(ask, approval, rules, passes):
    opened = {"verdict": Verdict("hold", rules), "approval": approval}
    if passes:
        assert judged(ask, HOLD, READ, from_client=False, **opened).verdict.effect == "hold"
        return
    with pytest.raises(Refusal) as refused:
        judged(ask, HOLD, READ, from_client=False, **opened)
    assert refused.value.code == "messages-not-held"
