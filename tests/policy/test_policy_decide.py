"""Verdicts: a table of cases for every key of a rule, with the doubtful ones on the side of no."""

from itertools import permutations

import pytest

from sluicegate.exchange import OTHERS, Operation, Verdict
from sluicegate.policy import index

ALLOW = {"effect": "allow"}
DENY = {"effect": "deny"}
HOLD = {"effect": "hold", "approvers": ["group:owners"]}
UNDECLARED = {"dataset": "public-1", "declared": False}


def test_without_rules_nothing_is_allowed(bench, ask):
    verdict = bench().verdict(ask())
    assert (verdict.effect, verdict.rules, len(verdict.reasons)) == ("deny", (), 1)
    assert verdict.policy == "d" * 64


@pytest.mark.parametrize("rules", list(permutations([ALLOW, HOLD, DENY])))
def test_deny_wins_in_any_order(bench, ask, rules):
    assert bench(*rules).effect(ask()) == "deny"


@pytest.mark.parametrize("rules", list(permutations([ALLOW, HOLD, ALLOW])))
def test_hold_wins_over_allow(bench, ask, rules):
    assert bench(*rules).effect(ask()) == "hold"


def test_all_ids_and_reasons_are_kept(bench, ask):
    denies = [{**DENY, "id": i, "reason": f"Because {i}.", "next_step": "Ask."} for i in ("b", "a", "c")]
    verdict = bench(ALLOW, *denies).verdict(ask())
    assert verdict.rules == ("a", "b", "c")
    assert verdict.reasons == ("Because a.", "Because b.", "Because c.")
    assert verdict.next_step == "Ask."


WHO = [
    (["group:eng"], ("eng",), "ada", True),
    (["group:eng"], ("ops", "eng"), "ada", True),
    (["group:eng"], (), "eng", False),
    (["group:eng"], ("group:eng",), "ada", False),
    (["group:eng"], ("Eng",), "ada", False),
    (["person:ada"], (), "ada", True),
    (["person:ada"], ("ada",), "eve", False),
    (["person:ada"], (), "Ada", False),
    (["group:x", "person:eve"], (), "eve", True),
    (["eng"], ("eng",), "eng", False),
    (["person:a:b"], (), "a:b", True),
]


@pytest.mark.parametrize(("who", "groups", "subject", "match"), WHO)
def test_who(bench, ask, who, groups, subject, match):
    made = bench({**ALLOW, "who": who})
    assert made.effect(ask(), *groups, subject=subject) == ("allow" if match else "deny")
    # Others before and after do not change what is remembered.
    assert made.effect(ask(), "nobody", subject="nobody") == "deny"
    assert made.effect(ask(), *groups, subject=subject) == ("allow" if match else "deny")


def test_what_is_remembered_of_one_person_is_not_given_to_another(bench, ask):
    masks = [{"columns": ["ssn"], "method": "null", "unless": ["person:eve"]}]
    made = bench({**ALLOW, "who": ["person:ada", "person:eve"]}, {**DENY, "who": ["person:mal"]}, masks=masks)
    for order in permutations(["ada", "bob", "eve", "mal"]):
        effects = {subject: made.effect(ask(), "eng", subject=subject) for subject in order}
        assert effects == {"ada": "allow", "bob": "deny", "eve": "allow", "mal": "deny"}
        assert made.verdict(ask(), "eng", subject="ada").lifted == ()
        assert made.verdict(ask(), "eng", subject="eve").lifted == ("m0",)


# rule keys, operation, does an allow match, does a deny match
CASES = [
    ({}, {}, True, True),
    ({"service": ["chunks"]}, {}, True, True),
    ({"service": ["second"]}, {}, False, False),
    # datasets
    ({"dataset": ["customers"]}, {}, True, True),
    ({"dataset": ["cust*"]}, {}, True, True),
    ({"dataset": ["CUSTOMERS"]}, {}, False, True),
    ({"dataset": ["orders"]}, {}, False, False),
    ({}, UNDECLARED, False, True),
    ({"dataset": ["*"]}, UNDECLARED, True, True),
    ({"dataset": ["public-*"]}, UNDECLARED, True, True),
    ({"dataset": ["PUBLIC-*"]}, UNDECLARED, False, True),
    ({"dataset": ["customers"]}, UNDECLARED, False, False),
    ({"dataset": ["customers"]}, {"dataset": "Customers", "declared": False}, False, True),
    ({"dataset": ["orders"]}, {"dataset": "PROD.orders", "declared": False}, False, True),
    ({"dataset": ["orders", "*"]}, {"dataset": "orders", "declared": False}, False, True),
    ({"dataset": ["far"]}, {"dataset": "far", "declared": False}, False, True),
    ({}, {"dataset": None}, True, True),
    ({"dataset": ["customers"]}, {"dataset": None}, False, True),
    ({"dataset": ["*"]}, {"dataset": None}, False, True),
    ({"dataset": ["customers"]}, {"dataset": None, "kind": "login", "column_scope": "none"}, False, False),
    # kinds
    ({"kind": ["read"]}, {}, True, True),
    ({"kind": ["export", "read"]}, {}, True, True),
    ({"kind": ["export"]}, {}, False, False),
    ({}, {"kind": "unknown", "dataset": None, "column_scope": "unknown"}, False, True),
    ({"kind": ["unknown"]}, {"kind": "unknown", "dataset": None, "column_scope": "unknown"}, True, True),
    ({"dataset": ["customers"]}, {"kind": "unknown", "dataset": None, "column_scope": "unknown"}, False, True),
    ({"kind": ["read"]}, {"kind": "unknown", "dataset": None, "column_scope": "unknown"}, False, False),
    # columns
    ({"columns": ["ssn"]}, {"columns": ("ssn",)}, True, True),
    ({"columns": ["restricted"]}, {"columns": ("ssn",)}, True, True),
    ({"columns": ["ssn"]}, {"columns": ("id", "ssn")}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("id",)}, False, False),
    ({"columns": ["personal", "ssn"]}, {"columns": ("email", "ssn")}, True, True),
    ({"columns": ["ssn"]}, {"columns": ("SSN",)}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("\uff53\uff53\uff4e",)}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("customers.ssn",)}, False, True),
    ({"columns": ["ssn"]}, {"column_scope": "all"}, False, True),
    ({"columns": ["ssn"]}, {"column_scope": "unknown"}, False, True),
    ({"columns": ["ssn"]}, {"column_scope": "none"}, False, False),
    ({"columns": ["card"]}, {"column_scope": "all"}, False, False),
    ({"columns": ["card"]}, {"columns": ("card",)}, True, True),
    ({"columns": ["restricted"]}, {"dataset": "logs", "declared": True, "column_scope": "all"}, False, False),
    ({"columns": ["restricted"]}, {"columns": ("restricted",)}, False, False),
    ({"columns": ["restricted"]}, {"columns": ("card",)}, False, False),
    ({"columns": ["restricted"], "dataset": ["*"]}, {**UNDECLARED, "columns": ("card",)}, True, True),
    ({"columns": ["restricted"], "dataset": ["*"]}, {**UNDECLARED, "column_scope": "all"}, False, True),
    ({"columns": ["restricted"], "dataset": ["*"]}, {**UNDECLARED, "columns": ("iban",)}, False, False),
    # columns that only a statement names
    ({"columns": ["ssn"]}, {"columns": ("id",), "statement": "SSN like '1%'"}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("id",), "statement": "country = 'DE'"}, False, False),
    ({"columns": ["ssn"]}, {"columns": ("ssn",), "statement": "country = 'DE'"}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("id",), "statement": "id in (SELECT id)"}, False, True),
    ({"columns": ["ssn"]}, {"columns": ("id",), "statement": 'U&"\\0073sn" = 1'}, False, True),
    # destinations
    ({"destination": "external"}, {}, False, False),
    ({"destination": "external"}, {"destination_side": "external"}, True, True),
    ({"destination": "internal"}, {"destination_side": "external"}, False, False),
    ({"destination": "external"}, {"kind": "script", "column_scope": "unknown"}, False, True),
    ({"destination": ["s3://acme-*"]}, {"destination": "s3://acme-x/k/l", "destination_side": "internal"}, True, True),
    ({"destination": ["s3://acme-x"]}, {"destination": "s3://acme-xy", "destination_side": "external"}, False, False),
    ({"destination": ["s3://acme-x/in/*"]}, {"destination": "s3://acme-x/in/a/b", "destination_side": "external"}, True, True),
    ({"destination": ["s3://acme-x/in/*"]}, {"destination": "s3://acme-x/out", "destination_side": "external"}, False, False),
    ({"destination": ["https://*.acme.test/*"]}, {"destination": "https://evil.test/.acme.test/x", "destination_side": "external"}, False, True),
    ({"destination": ["https://*.acme.test"]}, {"destination": "https://evil.test/x.acme.test", "destination_side": "external"}, False, True),
    ({"destination": ["s3://acme-*"]}, {"destination": "unreadable: s3://acme-x@evil", "destination_side": "external"}, False, True),
    ({"destination": ["*"]}, {"destination": "unreadable: s3://acme-x@evil", "destination_side": "external"}, False, True),
    ({"destination": ["*"]}, {"destination": "s3://x", "destination_side": "external"}, True, True),
    ({"destination": ["s3://acme-*"]}, {"destination": None, "destination_side": "external"}, False, True),
    ({"destination": ["s3://acme-*"]}, {}, False, False),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "asked", "allowed", "denied"), CASES)
def test_keys(bench, ask, keys, asked, allowed, denied):
    operation = ask(*asked.get("columns", ()), **{k: v for k, v in asked.items() if k != "columns"})
    assert bench({**ALLOW, **keys}).effect(operation) == ("allow" if allowed else "deny")
    everything = [
        {**ALLOW, "id": "all"},
        {**ALLOW, "id": "any-kind", "kind": [operation.kind]},
        {**ALLOW, "id": "any-dataset", "dataset": ["*"], "kind": [operation.kind]},
    ]
    for effect, keys_of in (("deny", DENY), ("hold", HOLD)):
        verdict = bench(*everything, {**keys_of, **keys, "id": "it"}).verdict(operation)
        if denied and verdict.rules:
            assert (verdict.effect, verdict.rules) == (effect, ("it",))
        else:
            assert "it" not in verdict.rules


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        (ALLOW, "deny"),
        ({**ALLOW, "service": ["others"]}, "allow"),
        ({**ALLOW, "service": ["chunks", "others"]}, "allow"),
        ({**ALLOW, "kind": ["upload"], "destination": "external"}, "deny"),
        ({**HOLD, "kind": ["upload"]}, "deny"),
        ({**HOLD, "service": ["others"]}, "hold"),
    ],
)
def test_other_hosts_are_covered_only_when_they_are_named(bench, rule, effect):
    operation = Operation(OTHERS, "upload", destination="https://x.test", destination_side="external")
    assert bench(rule).effect(operation) == effect


def test_denies_reach_other_hosts_unnamed(bench):
    operation = Operation(OTHERS, "upload", destination="https://x.test", destination_side="external")
    everything = {**ALLOW, "service": ["others"]}
    assert bench(everything, {**DENY, "destination": "external"}).effect(operation) == "deny"
    assert bench(everything, {**HOLD, "kind": ["upload"]}).effect(operation) == "hold"
    assert bench(everything, {**DENY, "dataset": ["*"]}).effect(operation) == "allow"


def test_a_hold_that_matched_in_doubt_is_no_way_in(bench, ask):
    unknown = ask(kind="unknown", dataset=None, column_scope="unknown")
    assert bench(HOLD).effect(unknown) == "deny"
    assert bench({**HOLD, "kind": ["unknown"]}).effect(unknown) == "hold"
    assert bench({**HOLD, "columns": ["ssn"]}).effect(ask("id", "ssn")) == "deny"
    assert bench({**HOLD, "columns": ["ssn"]}, ALLOW).effect(ask("id", "ssn")) == "hold"
    assert bench(HOLD).effect(ask(**UNDECLARED)) == "deny"


def test_an_unknown_service_has_no_rules(bench, ask):
    assert bench(ALLOW).effect(ask(service="nowhere")) == "deny"
    assert bench(ALLOW).effect(ask(dataset="nowhere", declared=True)) == "deny"


def test_holds_together_narrow_the_circle_of_approvers(bench, ask):
    first = {**HOLD, "approvers": ["group:owners", "group:legal"], "hold_seconds": 30.0}
    second = {**HOLD, "approvers": ["group:legal", "group:security"], "hold_seconds": 5.0}
    verdict = bench(first, second, HOLD | {"who": ["group:none"]}).verdict(ask())
    assert (verdict.effect, verdict.approvers, verdict.hold_seconds) == ("hold", ("group:legal",), 5.0)
    nobody = bench(first, {**HOLD, "approvers": ["group:security"]}).verdict(ask())
    assert (nobody.effect, nobody.rules, nobody.approvers) == ("deny", ("r0", "r1"), ())
    assert "no approver in common" in nobody.reasons[0]


def test_a_verdict_of_allow_says_nothing_that_it_need_not(bench, ask):
    assert bench({**ALLOW, "reason": "Why."}, ALLOW).verdict(ask()) == Verdict(
        "allow", ("r0", "r1"), ("Why.",), policy="d" * 64
    )


def test_people_cannot_fill_the_memory(bench, ask, monkeypatch):
    monkeypatch.setattr(index, "KEPT", 10)
    made = bench({**ALLOW, "who": ["group:g7"]})
    effects = [made.effect(ask(), f"g{number}") for number in range(50)]
    assert effects.count("allow") == 1 and effects[7] == "allow"
    assert len(made.policy._standings) <= 10


def test_holds_together_take_the_strictest_of_each_term(bench, ask):
    first = {
        **HOLD,
        "approval": {
            "quorum": 2,
            "uses": 5,
            "fresh_seconds": 60.0,
            "conflicts": ["group:a*"],
            "break_glass": ["group:x"],
        },
    }
    second = {
        **HOLD,
        "approval": {
            "reason": True,
            "uses": 3,
            "grant_seconds": 9.0,
            "conflicts": ["group:b*"],
            "break_glass": ["group:x"],
        },
    }
    terms = bench(first, second).verdict(ask()).terms
    assert (terms.quorum, terms.reason, terms.fresh_seconds, terms.uses) == (2, True, 60.0, 3)
    assert (terms.grant_seconds, terms.conflicts, terms.break_glass) == (9.0, ("group:a*", "group:b*"), ("group:x",))
    # A rule that says nothing of an emergency permits none, and wants one yes that is good once.
    plain = bench(first, HOLD).verdict(ask()).terms
    assert (plain.quorum, plain.uses, plain.break_glass) == (2, 1, ())


@pytest.mark.parametrize("rules", list(permutations([ALLOW, {**ALLOW, "seal": True}])))
def test_one_rule_that_seals_is_enough(bench, ask, rules):
    assert bench(*rules).verdict(ask()).seal


def test_holds_seal_and_rules_that_do_not_match_do_not(bench, ask):
    assert bench(ALLOW, {**HOLD, "seal": True}).verdict(ask()).seal
    assert bench({**ALLOW, "seal": True}, HOLD).verdict(ask()).seal, "once it is approved it is allowed as well"
    assert not bench(ALLOW, {**ALLOW, "seal": True, "kind": ["export"]}).verdict(ask()).seal
    assert not bench(ALLOW, {**ALLOW, "seal": True, "mode": "report"}).verdict(ask()).seal
    assert not bench({**ALLOW, "seal": True}, DENY).verdict(ask()).seal
