"""What an allowed response owes: which masks, for whom, and the strictest where there are several."""

from itertools import permutations

import pytest

from sluicegate.exchange import OTHERS, Obligation, Operation
from sluicegate.policy.context import Context

ALLOW = {"effect": "allow", "dataset": ["*"]}
ALL = {"effect": "allow"}


def owed(verdict):
    return {(o.method, column) for o in verdict.obligations for column in o.columns} | {
        (o.method, o.path) for o in verdict.obligations if o.path
    }


def columns_of(verdict):
    return {column for o in verdict.obligations for column in o.columns}


def test_classes_become_the_columns_of_the_dataset(bench, ask):
    made = bench(ALLOW, masks=[{"columns": ["restricted"], "method": "last4"}])
    assert made.verdict(ask()).obligations == (Obligation("m0", "last4", frozenset({"ssn"}), dataset="customers"),)
    assert columns_of(made.verdict(ask(dataset="orders"))) == {"card"}
    assert made.verdict(ask(dataset="logs")).obligations == ()


def test_masks_are_owed_whatever_the_request_names(bench, ask):
    # The service may send more than was asked for.
    made = bench(ALLOW, masks=[{"columns": ["ssn"], "method": "redact"}])
    for operation in (ask("id"), ask("ssn"), ask(), ask(column_scope="none"), ask(column_scope="unknown")):
        assert columns_of(made.verdict(operation)) == {"ssn"}


def test_columns_are_masked_by_name_where_no_class_says_it(bench, ask):
    made = bench(ALLOW, masks=[{"columns": ["ssn"], "method": "null"}])
    assert columns_of(made.verdict(ask(dataset="logs"))) == {"ssn"}


def test_undeclared_datasets_are_masked_by_all_that_is_known(bench, ask):
    masks = [
        {"columns": ["restricted"], "method": "last4"},
        {"columns": ["notes"], "method": "redact"},
        {"path": "$.a", "method": "null"},
        {"columns": ["email"], "method": "hmac", "dataset": ["customers"]},
    ]
    made = bench(ALLOW, ALL, masks=masks)
    everything = {("last4", "ssn"), ("last4", "card"), ("redact", "notes"), ("null", "$.a")}
    assert owed(made.verdict(ask(dataset="public", declared=False))) == everything
    assert owed(made.verdict(ask(dataset="CUSTOMERS", declared=False))) == everything | {("hmac", "email")}
    assert owed(made.verdict(ask(dataset=None))) == everything | {("hmac", "email")}


def test_where_a_mask_applies(bench, ask):
    masks = [
        {"columns": ["ssn"], "method": "null", "service": ["second"]},
        {"columns": ["notes"], "method": "null", "dataset": ["orders"]},
        {"columns": ["email"], "method": "null", "dataset": ["cust*"], "service": ["chunks"]},
    ]
    made = bench(ALLOW, ALL, masks=masks)
    assert columns_of(made.verdict(ask())) == {"email"}
    assert columns_of(made.verdict(ask(dataset="far", service="second"))) == {"ssn"}


def test_other_hosts_owe_masks_only_when_they_are_named(bench):
    rule = {"effect": "allow", "service": ["others"]}
    operation = Operation(OTHERS, "read", destination="https://x.test", destination_side="external")
    masks = [
        {"columns": ["ssn"], "method": "null"},
        {"columns": ["restricted"], "method": "null", "service": ["others"]},
    ]
    assert bench(rule, masks=masks[:1]).verdict(operation).obligations == ()
    assert columns_of(bench(rule, masks=masks).verdict(operation)) == {"ssn", "card", "iban"}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_strictest_mask_wins(bench, ask, order):
    masks = [
        {"id": "a", "columns": ["ssn", "email"], "method": "last4"},
        {"id": "b", "columns": ["personal"], "method": "hmac"},
        {"id": "c", "columns": ["email"], "method": "redact"},
        {"id": "d", "columns": ["email", "phone"], "method": "last4"},
    ]
    verdict = bench(ALLOW, masks=[masks[i] for i in order]).verdict(ask())
    assert verdict.obligations == (
        Obligation("a", "last4", frozenset({"ssn"}), dataset="customers"),
        Obligation("b", "hmac", frozenset({"phone"}), dataset="customers"),
        Obligation("c", "redact", frozenset({"email"}), dataset="customers"),
    )


@pytest.mark.parametrize(
    ("methods", "winner"),
    [
        (("last4", "hmac"), "hmac"),
        (("hmac", "redact"), "redact"),
        (("hmac", "null"), "null"),
        (("redact", "null"), "null"),
        (("last4", "null"), "null"),
    ],
)
def test_strictness(bench, ask, methods, winner):
    for two in (methods, methods[::-1]):
        by_column = [{"columns": ["ssn"], "method": method} for method in two]
        by_path = [{"path": "$.rows[*].x", "method": method} for method in two]
        assert owed(bench(ALLOW, masks=by_column).verdict(ask())) == {(winner, "ssn")}
        assert owed(bench(ALLOW, masks=by_path).verdict(ask())) == {(winner, "$.rows[*].x")}


def test_exempt_people_see_it_and_that_is_said(bench, ask):
    masks = [
        {"columns": ["ssn"], "method": "null", "unless": ["group:fraud", "person:eve"]},
        {"columns": ["ssn"], "method": "last4"},
    ]
    made = bench(ALLOW, masks=masks)
    verdict = made.verdict(ask(), "fraud")
    assert (owed(verdict), verdict.lifted) == ({("last4", "ssn")}, ("m0",))
    assert made.verdict(ask(), subject="eve").lifted == ("m0",)
    assert owed(made.verdict(ask(), "fraudulent", subject="ada")) == {("null", "ssn")}
    assert made.verdict(ask("id"), "fraud").lifted == ()
    assert made.verdict(ask("id", "SSN"), "fraud").lifted == ("m0",)


def test_a_hold_carries_its_masks(bench, ask):
    hold = {"effect": "hold", "approvers": ["group:o"]}
    verdict = bench(hold, masks=[{"columns": ["ssn"], "method": "null"}]).verdict(ask())
    assert (verdict.effect, owed(verdict)) == ("hold", {("null", "ssn")})


STATEMENTS = [
    ("country = 'DE' and balance > 1000", "allow"),
    ("ssn like '1%'", "deny"),
    ("SsN = 1", "deny"),
    ('"ssn" = 1', "deny"),
    ("[ssn]=1", "deny"),
    ("t.ssn=1", "deny"),
    ("ssns = 1", "allow"),
    ("\uff53\uff53\uff4e = 1", "deny"),
    ("id in (select 1)", "deny"),
    ("(TABLE x) > (1)", "deny"),
    ("customers::text like '%1%'", "deny"),
    ('U&"\\0073sn" = 1', "deny"),
    ("s/**/sn = 1", "deny"),
    ("x" * 70_000, "deny"),
    ("", "allow"),
]


@pytest.mark.parametrize(("statement", "effect"), STATEMENTS)
def test_a_masked_column_cannot_be_searched_by(bench, ask, statement, effect):
    made = bench(ALLOW, masks=[{"columns": ["restricted"], "method": "last4", "unless": ["group:fraud"]}])
    verdict = made.verdict(ask("id", statement=statement))
    assert verdict.effect == effect
    assert verdict.rules == (("r0",) if effect == "allow" else ("m0",))
    assert made.effect(ask("id", statement=statement), "fraud") == "allow"


def test_a_masked_path_guards_its_last_name(bench, ask):
    made = bench(ALLOW, masks=[{"path": "$.rows[*].iban", "method": "last4"}])
    assert made.effect(ask("id", statement="IBAN = 1")) == "deny"
    assert made.effect(ask("id", statement="id = 1")) == "allow"


def test_globs_and_aliases_become_names_and_stay_globs(bench, ask):
    made = bench(ALLOW, masks=[{"columns": ["ss*"], "aliases": ["tax_*"], "method": "redact"}])
    assert columns_of(made.verdict(ask())) == {"ss*", "ssn", "tax_*"}


def test_a_column_that_a_glob_means_chooses_no_rows(bench, ask):
    masks = [{"columns": ["s?n"], "aliases": ["tax_*"], "method": "redact"}]
    made = bench(ALLOW, masks=masks)
    for column in ("ssn", "SSN", "customers.ssn", "tax_id"):
        refused = made.verdict(ask("id", predicates=(column,)))
        assert (refused.effect, refused.rules) == ("deny", ("m0",)), column
    assert made.verdict(ask("id", predicates=("city",))).effect == "allow"
    assert made.verdict(ask(statement="select * from customers where tax_id > 3")).effect == "deny"


def test_a_mask_that_only_reports_stops_no_statement_and_never_beats_another(bench, ask):
    masks = [
        {"columns": ["ssn"], "method": "drop", "on_match": "report"},
        {"columns": ["email"], "method": "last4"},
        {"columns": ["email"], "method": "drop", "on_match": "report"},
    ]
    made = bench(ALLOW, masks=masks)
    assert made.verdict(ask("id", predicates=("ssn",))).effect == "allow"
    owed = {(o.mask, o.manner.on_match) for o in made.verdict(ask()).obligations}
    assert owed == {("m0", "report"), ("m1", "mask")}


def test_a_mask_that_refuses_beats_every_method(bench, ask):
    masks = [{"columns": ["ssn"], "method": "drop"}, {"columns": ["ssn"], "method": "last4", "on_match": "refuse"}]
    for order in (masks, masks[::-1]):
        (owed,) = bench(ALLOW, masks=order).verdict(ask()).obligations
        assert (owed.method, owed.manner.on_match) == ("last4", "refuse")


def test_of_two_masks_of_one_method_the_one_that_shows_less_wins(bench, ask):
    masks = [
        {"columns": ["ssn"], "method": "last", "keep": 6},
        {"columns": ["ssn"], "method": "last", "keep": 2},
        {"columns": ["ssn"], "method": "last4"},
    ]
    for order in permutations(masks):
        (owed,) = bench(ALLOW, masks=list(order)).verdict(ask()).obligations
        assert owed.manner.keep == 2


def test_detectors_are_owed_everywhere_and_stop_no_statement(bench, ask):
    masks = [
        {"detect": ["email", "card"], "method": "redact"},
        {"detect": ["email"], "method": "drop", "unless": ["group:fraud"]},
    ]
    made = bench(ALLOW, masks=masks)
    verdict = made.verdict(ask("id", predicates=("email",), statement="select id from customers where email = 'x'"))
    assert {(o.mask, o.detect) for o in verdict.obligations} == {
        ("m0", frozenset({"card"})), ("m1", frozenset({"email"})),
    }  # fmt: skip


RISKY = {"columns": ["ssn"], "method": "null", "risk_above": 50}


@pytest.mark.parametrize(
    ("context", "method"),
    [
        (Context(risk=50.0), "last4"),
        (Context(risk=50.5), "null"),
        (Context(risk=float("nan")), "null"),  # not known: it could be above
    ],
)
def test_masks_are_harder_above_a_risk(bench, ask, context, method):
    made = bench(ALLOW, masks=[RISKY, {"columns": ["ssn"], "method": "last4"}])
    assert owed(made.verdict(ask(), context=context)) == {(method, "ssn")}
    assert owed(made.verdict(ask("ssn"), context=context)) == {(method, "ssn")}


def test_a_mask_above_a_risk_is_none_below(bench, ask):
    made = bench(ALLOW, masks=[RISKY])
    for _ in range(2):  # what is kept of the first answer is not said to the second
        assert owed(made.verdict(ask(), context=Context(risk=1.0))) == set()
        assert owed(made.verdict(ask(), context=Context(risk=99.0))) == {("null", "ssn")}


def test_exemptions_end_at_a_risk(bench, ask):
    made = bench(ALLOW, masks=[RISKY | {"unless": ["group:fraud"]}])
    calm, risky = Context(risk=50.0), Context(risk=51.0)
    for context in (calm, risky):
        assert owed(made.verdict(ask(), "engineering", context=context)) == {("null", "ssn")}
    before, after = (made.verdict(ask(), "fraud", context=context) for context in (calm, risky))
    assert (owed(before), before.lifted) == (set(), ("m0",))
    assert (owed(after), after.lifted) == ({("null", "ssn")}, ())


def test_masks_once_there_is_a_finding(bench, ask):
    made = bench(ALLOW, masks=[{"columns": ["ssn"], "method": "null", "finding": ["taint", "w*"]}])
    for found, masked in ((frozenset(), False), ({"probing"}, False), ({"walk"}, True), ({"taint"}, True)):
        assert bool(owed(made.verdict(ask(), context=Context(findings=frozenset(found))))) is masked
    assert owed(made.verdict(ask(), context=Context(risk=float("nan"))))


def test_both_must_be_so(bench, ask):
    made = bench(ALLOW, masks=[RISKY | {"finding": ["walk"]}])
    for risk, found, masked in ((60, "walk", True), (60, "taint", False), (10, "walk", False)):
        verdict = made.verdict(ask(), context=Context(risk=risk, findings=frozenset({found})))
        assert bool(owed(verdict)) is masked


def test_a_statement_does_not_get_round_a_mask_at_a_risk(bench, ask):
    made = bench(ALLOW, masks=[RISKY])
    guess = ask("id", statement="select id from customers where ssn = '1'", predicates=("ssn",))
    assert made.verdict(guess, context=Context(risk=10)).effect == "allow"
    verdict = made.verdict(guess, context=Context(risk=60))
    assert (verdict.effect, verdict.rules) == ("deny", ("m0",))


def test_parts_owe_it_too(bench, ask):
    made = bench(ALLOW, masks=[RISKY | {"columns": ["restricted"]}])
    whole = ask(parts=(ask(dataset="orders"),))
    assert owed(made.verdict(whole, context=Context(risk=10))) == set()
    assert owed(made.verdict(whole, context=Context(risk=60))) == {("null", "ssn"), ("null", "card")}
