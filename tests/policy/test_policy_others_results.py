"""Results that were handed to somebody else: what allows them says so, what denies them need not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluicegate.policy.explain import denial
from sluicegate.policy.sentences import rule_sentence
from sluicegate.policy.trace import explain
from sluicegate.settings import model
from tests.policy.conftest import person

ALLOW = {"id": "all", "effect": "allow"}
OTHERS = {"id": "others", "effect": "allow", "results_of_others": True}
HOLD = {"id": "held", "effect": "hold", "approvers": ["group:data-stewards"]}
DENY = {"id": "none", "effect": "deny"}


@pytest.mark.parametrize(
    ("rules", "own", "of_others"),
    [
        ([ALLOW], "allow", "deny"),
        ([OTHERS], "allow", "allow"),
        ([ALLOW, OTHERS], "allow", "allow"),
        ([OTHERS, DENY], "deny", "deny"),
        ([HOLD], "hold", "deny"),
        ([{**HOLD, "results_of_others": True}], "hold", "hold"),
        ([ALLOW, HOLD], "hold", "deny"),
        ([OTHERS, HOLD], "hold", "hold"),
    ],
)
def test_which_rules_cover_them(bench, ask, rules, own, of_others):
    made = bench(*rules)
    mine = ask("id")
    theirs = replace(mine, result="query:1", owner="idp eve")
    for _ in range(2):  # the second answer comes from what was kept of the first
        assert made.verdict(mine).effect == own
        assert made.verdict(theirs).effect == of_others
    assert made.verdict(replace(mine, parts=(theirs,))).effect == of_others
    statement = {"statement": "select id from customers", "statements": ("select",), "outputs": ()}
    assert made.verdict(replace(theirs, **statement)).effect == of_others


def test_the_reason_says_whose_it_is_and_not_who_that_is(bench, ask):
    refused = bench(ALLOW).verdict(replace(ask("id"), owner="idp eve"))
    assert "handed to somebody else" in refused.reasons[0] and "eve" not in refused.reasons[0]


def test_it_is_said_why_a_rule_does_not_cover_them_and_what_one_can_do(bench, ask):
    made = bench(ALLOW, {**HOLD, "kind": ["write"]})
    theirs = replace(ask("id"), result="query:1", owner="idp eve")
    who = person("engineering")
    (rule, _) = explain(made.policy, who, theirs).traces[0].rules
    assert (rule.matched, rule.key) == (False, "results_of_others") and "somebody else" in rule.why
    refused = denial(made.policy, who, theirs, made.verdict(theirs))
    assert refused.code == "no-rule" and refused.next_step == "Run it yourself, and use the handle that you are given."
    assert "eve" not in str(vars(refused))
    (said,) = [rule_sentence(model.Rule.model_validate(one)) for one in [OTHERS]]
    assert "results of others included" in said
