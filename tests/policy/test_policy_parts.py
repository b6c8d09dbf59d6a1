"""Requests that touch several datasets, and statements that were read to the last column."""

from dataclasses import replace

import pytest

from sluicegate.exchange import Obligation, Operation, Output
from sluicegate.policy.decide import MAX_PARTS

READ = {"effect": "allow", "id": "read", "dataset": ["customers"], "kind": ["read"]}
ORDERS = {"effect": "allow", "id": "orders", "dataset": ["orders"], "kind": ["read"]}
MASK = {"id": "ids", "columns": ["restricted"], "method": "last4", "unless": ["group:fraud"]}


def exact(dataset="customers", columns=("id",), predicates=(), origins=None, **more):
    made = [Output(c, frozenset({(dataset, c)})) for c in columns] if origins is None else origins
    return Operation("chunks", **{"kind": "read", "dataset": dataset, "declared": True, "columns": tuple(columns),
                     "column_scope": "listed", "predicates": tuple(predicates), "outputs": tuple(made),
                     "statement": "SELECT ssn FROM t", "statements": ("select",), **more})  # fmt: skip


def join(one, *parts):
    return replace(one, parts=parts)


def test_every_part_must_be_allowed(bench):
    both = join(exact(), exact("orders"))
    assert bench(READ).effect(both) == "deny"
    assert "orders" in bench(READ).verdict(both).reasons[0]
    verdict = bench(READ, ORDERS).verdict(both)
    assert (verdict.effect, verdict.rules) == ("allow", ("orders", "read"))


def test_a_deny_or_hold_of_any_part_wins(bench):
    both = join(exact(), exact("orders"))
    deny = {"effect": "deny", "id": "no", "dataset": ["orders"]}
    hold = {"effect": "hold", "id": "wait", "dataset": ["orders"], "approvers": ["group:x", "group:y"]}
    other = {"effect": "hold", "id": "also", "dataset": ["customers"], "approvers": ["group:y"]}
    assert bench(READ, ORDERS, deny).verdict(both).rules == ("no",)
    assert bench(READ, ORDERS, hold, deny).effect(both) == "deny"
    verdict = bench(READ, ORDERS, hold, other).verdict(both)
    assert (verdict.effect, verdict.rules, verdict.approvers) == ("hold", ("also", "wait"), ("group:y",))


def test_obligations_add_up_and_say_whose_columns(bench):
    masks = [
        MASK,
        {"id": "all", "path": "$.a", "method": "hmac"},
        {"id": "sum", "path": "$.a", "method": "null", "dataset": ["orders"]},
    ]
    verdict = bench(READ, ORDERS, masks=masks).verdict(join(exact(), exact("orders")))
    assert verdict.obligations == (
        Obligation("ids", "last4", frozenset({"ssn"}), dataset="customers"),
        Obligation("ids", "last4", frozenset({"card"}), dataset="orders"),
        Obligation("sum", "null", path="$.a"),
    )
    lifted = bench(READ, ORDERS, masks=[MASK]).verdict(join(exact(), exact("orders", ("card",))), "fraud")
    assert (lifted.obligations, lifted.lifted) == ((), ("ids",))


def test_too_many_parts_are_denied(bench):
    many = join(exact(), *[exact()] * (MAX_PARTS + 1))
    assert bench(READ).effect(many) == "deny"
    assert bench(READ).effect(join(exact(), *[exact()] * MAX_PARTS)) == "allow"


LINEAGE = [
    # what the statement does, its effect for somebody who owes the mask
    (exact(), "allow"),
    (exact(columns=("id", "ssn")), "allow"),  # masked by position
    (exact(predicates=("country",)), "allow"),
    (exact(predicates=("SSN",)), "deny"),
    (exact(predicates=("c.ssn",)), "deny"),
    (exact(statement="SELECT id FROM t WHERE note = 'ssn'"), "allow"),  # the word alone is nothing
    (exact(opaque="a function that nobody knows"), "deny"),
    (exact(outputs=None, columns=(), column_scope="all"), "deny"),
    (exact(outputs=None, columns=(), column_scope="unknown"), "deny"),
    (exact(outputs=None), "allow"),  # rows by name, and nothing chosen by
    (exact(outputs=None, predicates=("ssn",)), "deny"),
    (exact(outputs=None, columns=(), column_scope="none"), "allow"),
    (exact(kind="write", columns=("ssn",)), "deny"),  # a copy that no mask reaches
    (exact(kind="write", origins=[Output("x", None)]), "deny"),
    (exact(kind="write"), "allow"),
    (exact("logs", outputs=None, columns=(), column_scope="all", statement="SELECT * FROM logs"), "allow"),
    (exact(predicates=("ssn",), statement=None, statements=(), outputs=None), "deny"),
]


@pytest.mark.parametrize(("operation", "effect"), LINEAGE)
def test_masks_and_what_statements_tell(bench, operation, effect):
    allow = {"effect": "allow", "dataset": ["*"]}
    made = bench(allow, masks=[MASK])
    verdict = made.verdict(operation)
    assert verdict.effect == effect
    if effect == "deny":
        assert verdict.rules == ("ids",) and "ssn" in verdict.reasons[0] and verdict.next_step
    assert made.effect(operation, "fraud") == "allow"


def test_a_mask_may_allow_predicates(bench):
    allow = {"effect": "allow", "dataset": ["*"]}
    made = bench(allow, masks=[{**MASK, "predicates": "allow"}])
    assert made.effect(exact(predicates=("ssn",))) == "allow"
    assert made.effect(exact(kind="write", columns=("ssn",))) == "deny"
    assert made.effect(exact(outputs=None, column_scope="all")) == "deny"


def test_rules_with_columns_read_exact_statements_exactly(bench):
    some = {"effect": "allow", "id": "some", "columns": ["email", "ssn"]}
    assert bench(some).effect(exact(columns=("email",), predicates=("ssn",))) == "allow"
    assert bench(some).effect(exact(columns=("email",), predicates=("id",))) == "deny"
    assert bench(some).effect(exact(columns=("email",), outputs=None)) == "deny"
    never = {"effect": "deny", "id": "never", "columns": ["ssn"]}
    assert bench(READ, never).effect(exact()) == "allow"
    assert bench(READ, never).effect(exact(predicates=("ssn",))) == "deny"
    assert bench(READ, never).effect(exact(opaque="why")) == "deny"
