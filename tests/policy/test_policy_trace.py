"""An explanation says what the decision does, whatever the policy and the request; and says it in words."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluicegate.exchange import Operation, Principal
from sluicegate.policy import Policy, decide
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.expect import owed
from sluicegate.policy.trace import explain
from tests.policy.generated import CONTEXTS, EVERY, MORE_KEYS, PEOPLE, WEDNESDAY, masks, rules, settings_of


@st.composite
def requests(draw):
    operation = draw(st.sampled_from(EVERY))
    return replace(operation, parts=tuple(draw(st.lists(st.sampled_from(EVERY), max_size=2))))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(rules(MORE_KEYS), max_size=4),
    st.lists(masks, max_size=3),
    st.sampled_from(PEOPLE),
    requests(),
    st.sampled_from(CONTEXTS),
)
def test_the_explanation_ends_where_the_decision_does(rule_list, mask_list, principal, operation, context):
    policy = Policy(settings_of(rule_list, mask_list), "")
    verdict = decide(policy, principal, operation, context)
    told = explain(policy, principal, operation, context)
    assert told.effect == verdict.effect
    applied = {rule.id for trace in told.traces for rule in trace.rules if rule.matched and rule.enforced}
    reported = {rule.id for trace in told.traces for rule in trace.rules if rule.matched and not rule.enforced}
    assert reported == set(verdict.reported)
    if verdict.effect != "deny":
        assert set(verdict.rules) <= applied
        shown = {(m.method, name) for t in told.traces for m in t.masks if m.outcome == "owed" for name in m.columns}
        assert {(o.method, c) for o in verdict.obligations for c in o.columns} == shown
        assert {m.id for t in told.traces for m in t.masks if m.outcome == "lifted"} == set(verdict.lifted)
    for trace in told.traces:
        for rule in trace.rules:
            assert rule.matched or rule.why


@settings(max_examples=60, deadline=None)
@given(rules(MORE_KEYS), st.sampled_from(PEOPLE), st.sampled_from(EVERY), st.sampled_from(CONTEXTS))
@example(
    # No key can be made to fit a dataset that the policy declares for another service.
    {"effect": "allow", "approvers": ["group:x"]},
    PEOPLE[0],
    Operation("second", "read", dataset="customers", columns=("ssn",), column_scope="listed"),
    CONTEXTS[0],
)
def test_the_key_that_is_blamed_is_to_blame(rule, principal, operation, context):
    made = settings_of([rule], [])
    (told,) = explain(Policy(made, ""), principal, operation, context).traces[0].rules
    if told.matched or not told.key:
        return
    # Taking out every other key does not help.
    kept = {"id": "r0", "effect": rule["effect"], "approvers": rule["approvers"], told.key: rule.get(told.key)}
    if kept[told.key] is not None:
        alone = settings_of([kept], [])
        (again,) = explain(Policy(alone, ""), principal, operation, context).traces[0].rules
        assert not again.matched


ADA = Principal("ada", "i", frozenset({"eng"}))
READ = Operation("chunks", "read", dataset="customers", declared=True, columns=("id", "ssn"), column_scope="listed")
EXPORT = replace(READ, kind="export", destination="s3://x/y", destination_side="external")
ALLOW, DENY = {"effect": "allow"}, {"effect": "deny"}


@pytest.mark.parametrize(
    ("rule", "operation", "why"),
    [
        (ALLOW | {"who": ["group:fraud", "person:eve"]}, READ, "it is for group:fraud or person:eve, and ada is in group:eng"),
        (ALLOW | {"service": ["second"]}, READ, "it is for service second, and this asks chunks"),
        (ALLOW | {"kind": ["export", "share"]}, READ, "it is for kind export or share, and this is of kind read"),
        (ALLOW, replace(READ, kind="unknown"), 'the request was not understood, and only a rule with kind = ["unknown"] can allow such a request'),
        (ALLOW, replace(READ, dataset="x", declared=False), "it names no dataset, and x is none that the policy declares for chunks"),
        (ALLOW, replace(READ, service="others", dataset=None), 'it names no service, and only a rule with service = ["others"] can allow other hosts'),
        (ALLOW | {"dataset": ["orders"]}, READ, "it is for dataset orders, and this is customers"),
        (DENY | {"dataset": ["orders"]}, replace(READ, dataset=None, declared=False, column_scope="none"), "it is for dataset orders, and this names none"),
        (ALLOW | {"columns": ["ssn"]}, READ, "it allows only ssn, and id and ssn are asked for"),
        (ALLOW | {"columns": ["ssn"]}, replace(READ, columns=(), column_scope="all"), "it allows only ssn, and all columns are asked for"),
        (DENY | {"columns": ["email"]}, READ, "it is about email, and none of those is asked for"),
        (ALLOW | {"destination": "internal"}, READ, "it is for destination internal, and this goes nowhere but back"),
        (ALLOW | {"destination": "internal"}, EXPORT, "it is for destination internal, and this goes to s3://x/y (external)"),
        (ALLOW | {"assurance": "bound"}, READ, "it wants an identity that is at least bound, and this one is bearer"),
        (DENY | {"assurance_below": "account"}, READ, "it is for an identity weaker than account, and this one is bearer"),
        (DENY | {"network": ["10.0.0.0/8"]}, READ, "it is for clients in 10.0.0.0/8, and this one is at 192.0.2.1"),
        (DENY | {"when": ["Sat,Sun Europe/Berlin"]}, READ, "it is for Sat,Sun Europe/Berlin, and it is Wed 13:00 Europe/Berlin"),
        (DENY | {"risk_above": 5.0}, READ, "it is for a risk over 5, and the risk is 0"),
        (ALLOW | {"sign_in_age_above": 60.0, "effect": "deny"}, READ, "it is for a sign-in more than 60 seconds ago, and this one was 50 seconds ago"),
        (DENY | {"finding": ["walk"]}, READ, "it is for a finding of walk, and there is no finding"),
        (ALLOW | {"job": ["day"]}, READ, "it is for the job day, and this is within none"),
        (DENY | {"rows_above": 10}, replace(READ, rows=5), "it is about more than 10 rows, and this asks for 5"),
        (DENY | {"statements": ["drop"]}, replace(READ, statement="s", statements=("select",)), "it is for drop statements, and this has select"),
        (DENY | {"commands": ["drop"]}, READ, "it is for text like drop, and this has no statement"),
        (DENY | {"budget": {"chunks": 5}}, READ, "its budget is not used up"),
    ],
)  # fmt: skip
def test_why_not_in_words(rule, operation, why):
    told = explain(
        Policy(settings_of([rule], []), ""), ADA, operation, Context(WEDNESDAY, "192.0.2.1", signed_in=WEDNESDAY - 50)
    )
    assert told.traces[0].rules[0].why == why


def test_masks_are_owed_overruled_lifted_apart_or_forbid():
    mask_list = [
        {"columns": ["ssn"], "method": "last4"},
        {"columns": ["ssn"], "method": "null"},
        {"columns": ["email"], "method": "hmac", "unless": ["group:eng"]},
        {"columns": ["restricted"], "method": "hmac", "service": ["second"]},
    ]
    policy = Policy(settings_of([ALLOW], mask_list), "")
    whole = replace(READ, columns=(), column_scope="all")
    (told,) = explain(policy, ADA, whole).traces
    assert [(m.outcome, m.columns) for m in told.masks] == [
        ("weaker", ("ssn",)),
        ("owed", ("ssn",)),
        ("lifted", ()),
        ("apart", ()),
    ]
    assert told.masks[2].why == "lifted for group:eng"
    (told,) = explain(policy, ADA, replace(READ, columns=("id",), statement="ssn = 1")).traces
    assert [m.outcome for m in told.masks][:2] == ["guards", "guards"]
    assert owed(decide(policy, ADA, whole, NOTHING).obligations) == {"ssn": "null"}


@pytest.mark.parametrize(
    ("mask", "context", "outcome", "why"),
    [
        ({"risk_above": 5}, Context(risk=4), "apart", "it is for a risk over 5, and the risk is 4"),
        ({"risk_above": 5}, Context(risk=6), "owed", ""),
        ({"finding": ["walk"]}, Context(), "apart", "it is for a finding of walk, and there is no finding"),
        ({"risk_above": 5, "unless": ["group:eng"]}, Context(risk=4), "lifted", "lifted for group:eng"),
        ({"risk_above": 5, "unless": ["group:eng"]}, Context(risk=6), "owed", ""),
    ],
)
def test_masks_of_a_risk_say_why(mask, context, outcome, why):
    policy = Policy(settings_of([ALLOW], [{"columns": ["ssn"], "method": "null", **mask}]), "")
    (told,) = explain(policy, ADA, replace(READ, columns=(), column_scope="all"), context).traces
    assert [(m.outcome, m.why) for m in told.masks] == [(outcome, why)]


def test_what_is_outside_of_a_job_is_said():
    policy = Policy(settings_of([ALLOW], []), "")
    told = explain(policy, ADA, READ, Context(WEDNESDAY, job="night"))
    assert told.effect == "deny" and "night" in told.outside
