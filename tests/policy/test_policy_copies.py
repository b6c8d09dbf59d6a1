"""Copies and views of sensitive columns: not for who owes the mask, and for others only by a rule that says `share`."""

import pytest

from sluicegate.exchange import Operation

MASKS = [{"columns": ["restricted"], "method": "last4", "unless": ["group:fraud"]}]
ALL = {"effect": "allow", "kind": ["read", "write", "admin"]}
ANY = {**ALL, "dataset": ["*"]}
SHARE = {"effect": "allow", "kind": ["share"], "dataset": ["customers"], "who": ["group:fraud"]}


def copy(*columns, kind="share", **changes):
    """`create table logs as select columns from customers`."""
    part = {
        "dataset": "customers", "declared": True, "columns": columns, "column_scope": "listed",
        "statements": ("create_table_as",), "into": ("logs",), **changes,
    }  # fmt: skip
    return Operation(
        "chunks", "write", "logs", True, column_scope="all", statement="create table logs as ...",
        statements=("create_table_as",), parts=(Operation("chunks", kind, **part),),
    )  # fmt: skip


def test_reading_and_writing_is_not_sharing(bench):
    made = bench(ALL, ANY, masks=MASKS)
    for groups in ((), ("fraud",)):
        verdict = made.verdict(copy("ssn", "email"), *groups)
        assert verdict.effect == "deny"
        assert any("share on customers (rows of it would go into logs)" in reason for reason in verdict.reasons)


def test_a_rule_can_let_those_share_who_see_it_anyway(bench):
    made = bench(ALL, ANY, SHARE, masks=MASKS)
    assert made.verdict(copy("ssn"), "fraud").effect == "allow"
    assert made.verdict(copy("ssn")).effect == "deny"


@pytest.mark.parametrize(
    "taken",
    [
        copy("ssn"),
        copy("id", "SSN"),
        copy(column_scope="all"),
        copy(column_scope="unknown", opaque="not understood"),
        copy("ssn", kind="read"),
        copy("id", opaque="not understood"),
    ],
)
def test_whoever_owes_a_mask_takes_nothing_elsewhere_whatever_is_allowed(bench, taken):
    anything = {"effect": "allow", "dataset": ["*"]}
    made = bench(anything, {"effect": "allow"}, masks=MASKS)
    verdict = made.verdict(taken)
    assert verdict.effect == "deny" and verdict.rules == ("m0",)
    assert "elsewhere than into the response" in verdict.reasons[0]
    assert made.verdict(taken, "fraud").effect == "allow"


def test_what_no_mask_is_about_may_be_copied(bench):
    made = bench(ANY, ALL, masks=MASKS)
    assert made.verdict(copy("id", kind="read")).effect == "allow"


def test_a_copy_can_be_held_by_its_kind(bench):
    hold = {"effect": "hold", "kind": ["share"], "columns": ["restricted"], "approvers": ["group:stewards"]}
    made = bench(ANY, ALL, hold, SHARE, masks=MASKS)
    assert made.verdict(copy("ssn"), "fraud").effect == "hold"


def test_a_copy_and_a_read_of_the_same_columns_are_told_apart_when_they_come_again(bench):
    made = bench({"effect": "allow", "dataset": ["*"]}, {"effect": "allow"}, masks=MASKS)
    read = copy("ssn", kind="read").parts[0]
    plain = Operation(
        "chunks", "read", "customers", True, columns=("ssn",), column_scope="listed", statements=read.statements
    )
    for _ in range(2):
        assert made.verdict(plain).effect == "allow" and made.verdict(read).effect == "deny"
