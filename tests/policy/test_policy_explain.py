"""Denials in words, the addon that raises them, and that every way out that is named is one."""

from dataclasses import replace

import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Exchange, Operation
from sluicegate.policy.addon import PolicyAddon
from sluicegate.policy.explain import asked, denial
from sluicegate.settings import Loaded

ENG = {"effect": "allow", "who": ["group:eng"], "id": "eng"}


def refusal(made, operation, principal):
    from sluicegate.policy import decide

    return denial(made.policy, principal, operation, decide(made.policy, principal, operation))


@pytest.fixture
def ada():
    from sluicegate.exchange import Principal

    return Principal("ada", "https://idp.test", frozenset({"eng"}), name="Ada")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"columns": ("id", "ssn")}, "read id, ssn of customers"),
        ({"columns": tuple(f"c{i}" for i in range(10))}, "read c0, c1, c2, c3, c4, c5, c6, c7 and 2 more of customers"),
        ({}, "read all columns of customers"),
        ({"kind": "admin", "column_scope": "none"}, "administer customers"),
        ({"kind": "export", "destination": "s3://x", "destination_side": "external"},
         "export all columns of customers to s3://x (external)"),
        ({"kind": "export", "destination_side": "external"},
         "export all columns of customers to an unnamed destination (external)"),
        ({"kind": "unknown", "dataset": None, "column_scope": "unknown"},
         "send a request that was not understood to chunks"),
        ({"kind": "upload", "service": OTHERS, "dataset": None, "column_scope": "none", "destination": "https://x.test",
          "destination_side": "external"}, "upload to another host to https://x.test (external)"),
    ],
)  # fmt: skip
def test_what_was_asked(ask, keys, text):
    assert asked(ask(*keys.get("columns", ()), **{k: v for k, v in keys.items() if k != "columns"})) == text


def test_a_denial_by_rule(bench, ask, ada):
    deny = {"effect": "deny", "id": "no-ssn", "columns": ["ssn"], "reason": "Nobody needs it."}
    refused = refusal(bench(ENG, deny), ask("id", "ssn"), ada)
    assert (refused.status, refused.code, refused.rules) == (403, "policy-denied", ("no-ssn",))
    assert refused.title == "Denied by policy rule no-ssn"
    assert (
        refused.detail == "Ada asked to read id, ssn of customers. The policy rule no-ssn denied it: Nobody needs it."
    )
    assert refused.next_step == "Leave out ssn."
    assert refused.members == {"reasons": ["Nobody needs it."]}


def test_several_rules_and_the_next_step_of_one(bench, ask, ada):
    rules = [{"effect": "deny", "id": "a"}, {"effect": "deny", "id": "b", "next_step": "Go home."}]
    refused = refusal(bench(ENG, *rules), ask(), ada)
    assert (refused.title, refused.rules, refused.next_step) == ("Denied by policy rules a, b", ("a", "b"), "Go home.")


def test_no_rule_has_a_code_of_its_own(bench, ask, ada):
    refused = refusal(bench(), ask(), ada)
    assert (refused.status, refused.code, refused.title, refused.rules) == (
        403,
        "no-rule",
        "No policy rule allows this",
        (),
    )
    assert refused.next_step == "If your work needs it, ask the operator of the gateway for a rule that allows it."


def test_ways_out_that_are_ways_out(bench, ask, ada):
    ops = {"effect": "allow", "who": ["group:ops"], "kind": ["admin"]}
    owners = {"effect": "hold", "who": ["group:own"], "kind": ["admin"], "approvers": ["group:x"]}
    assert refusal(bench(ENG | {"kind": ["read"]}, ops, owners), ask(kind="admin"), ada).next_step == (
        "Members of group:ops may do this: sign in as one, or ask one. "
        "Members of group:own may ask for an approval of this: sign in as one, or ask one."
    )
    outside = {"effect": "deny", "destination": "external"}
    export = ask(kind="export", destination="s3://x", destination_side="external")
    assert (
        refusal(bench(ENG, outside), export, ada).next_step == "Choose a destination that belongs to the organisation."
    )
    sensitive = {"effect": "deny", "columns": ["restricted"]}
    assert refusal(bench(ENG, sensitive), ask(), ada).next_step.startswith("Name the columns that you need")
    hold = {"effect": "hold", "approvers": ["group:x"]}
    assert refusal(bench(ENG, sensitive, hold), ask("id", "ssn", "card"), ada).next_step == (
        "Leave out ssn. It then needs an approval."
    )


def test_what_was_not_understood_says_why(bench, ask, ada):
    unknown = ask(
        kind="unknown", dataset=None, column_scope="unknown", route="GET /x: the query parameter 'y' is not known"
    )
    refused = refusal(bench(ENG), unknown, ada)
    assert refused.code == "no-rule" and "the query parameter 'y' is not known" in refused.detail
    assert "in a form that the service's dialect declares" in refused.next_step
    ruled = refusal(bench(ENG, {"effect": "deny", "id": "copied"}), unknown, ada)
    assert ruled.rules == ("copied",) and "in a form" not in ruled.next_step  # it would be denied in any


def test_a_masked_filter_says_what_to_leave_out(bench, ask, ada):
    made = bench(ENG, masks=[{"id": "ids", "columns": ["ssn"], "method": "null", "unless": ["group:fraud"]}])
    refused = refusal(made, ask("id", statement="ssn = 1"), ada)
    assert refused.rules == ("ids",) and refused.next_step == "Leave ssn and nested queries out of the statement."


def test_what_stands_in_the_way_has_its_own_word(bench, ask, ada):
    made = bench(ENG, masks=[{"id": "ids", "columns": ["ssn"], "method": "null"}])
    refused = refusal(made, ask("id", statement="ssn = 1"), ada)
    assert refused.title == "Denied by policy mask ids" and "The policy mask ids denied it" in refused.detail


def test_a_request_that_does_several_things_names_them(ask):
    parts = tuple(ask(dataset=name) for name in ("customers", "orders", "logs", "orders"))
    assert asked(replace(ask("id"), parts=parts)) == "read id of customers, and orders, logs"


def exchange_of(operation, principal):
    exchange = Exchange("1", 0.0)
    exchange.principal, exchange.operation = principal, operation
    return exchange


def test_the_addon_sets_the_verdict_and_refuses(bench, ask, ada, tmp_path):
    made = bench(ENG, {"effect": "hold", "kind": ["export"], "approvers": ["group:x"]})
    addon = PolicyAddon(Loaded(made.policy.settings, "f" * 64, tmp_path, {}))
    for operation, effect in [(ask(), "allow"), (ask(kind="export"), "hold")]:
        exchange = exchange_of(operation, ada)
        addon.request(None, exchange)
        assert (exchange.verdict.effect, exchange.verdict.policy) == (effect, "f" * 64)
    exchange = exchange_of(ask(dataset="x"), ada)
    with pytest.raises(Refusal) as caught:
        addon.request(None, exchange)
    assert exchange.verdict.effect == "deny" and caught.value.code == "no-rule"


def test_without_a_principal_or_an_operation_it_fails(bench, ask, ada, tmp_path):
    addon = PolicyAddon(Loaded(bench(ENG).policy.settings, "", tmp_path, {}))
    for exchange in (exchange_of(ask(), None), exchange_of(None, ada)):
        with pytest.raises(RuntimeError):
            addon.request(None, exchange)
        assert exchange.verdict is None


def test_a_denial_is_quick_even_with_many_rules(bench, ask, ada):
    rules = [{"effect": "allow", "who": [f"group:g{i}"]} for i in range(300)]
    refused = refusal(bench(*rules), ask(*(f"c{i}" for i in range(200))), ada)
    assert refused.next_step.count("group:") == 50


def test_hostile_text_stays_text(bench, ask, ada):
    operation = Operation(
        "chunks", "export", dataset="x\r\ny", destination="unreadable: <script>", destination_side="external"
    )
    refused = refusal(bench(ENG), operation, ada)
    assert "\r" not in refused.title and refused.code == "no-rule"
