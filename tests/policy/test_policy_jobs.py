"""Jobs: what is outside of one is denied whatever the rules say, and a job allows nothing by itself."""

from dataclasses import replace

import pytest

from sluicegate.exchange import Output, Principal
from sluicegate.policy import Context, Policy, decide
from sluicegate.settings import Settings
from tests.policy.conftest import BASE

DATASETS = {
    **BASE["datasets"],
    "customers": {**BASE["datasets"]["customers"], "all_columns": ["id", "notes", "ssn", "email", "phone"]},
}
NIGHT = {"dataset": "customers", "columns": ["id", "free"], "who": ["group:ml"], "chunks": ["0..9", "x-*"],
         "hours": "01:00-05:00 UTC", "bound": ["machine:embedder"]}  # fmt: skip
OTHER = {"dataset": "orders", "who": ["group:ml"]}
ML = Principal("ada", "i", frozenset({"ml"}))
MACHINE = Principal("embedder", "i", kind="machine")
AT = 2 * 3600.0


def policy(*rules, **jobs):
    rules = rules or ({"id": "all", "effect": "allow"},)
    return Policy(
        Settings.model_validate(
            {**BASE, "datasets": DATASETS, "jobs": jobs or {"night": NIGHT, "other": OTHER}, "rules": list(rules)}
        ),
        "d",
    )


def verdict(operation, job="night", who=ML, now=AT, made=None):
    return decide(made or policy(), who, operation, Context(now, job=job))


@pytest.mark.parametrize(
    ("columns", "more", "outside"),
    [
        (("id", "notes"), {}, ""),
        (("id", "ssn"), {}, "the columns ssn"),
        ((), {}, "all columns"),
        (("id",), {"chunks": ("10",)}, "the chunk 10"),
        (("id",), {"chunks": ("07",)}, "the chunk 07"),
        (("id",), {"chunks": ("x-1", "9")}, ""),
        (("id",), {"chunks": ()}, "requests that name no chunk"),
        (("id",), {"dataset": "orders"}, "the dataset orders"),
        (("id",), {"dataset": "customers", "declared": False}, "the dataset customers"),
        (("id",), {"kind": "script"}, "what cannot be read"),
        (("id",), {"predicates": ("ssn",), "outputs": (Output("id"),), "statement": "s"}, "the columns ssn"),
        (("id",), {"predicates": ("notes",), "outputs": (Output("id"),), "statement": "s"}, ""),
        (("id",), {"statement": "ssn = 1"}, "the columns ssn"),
        (("id",), {"statement": "notes = 'a'"}, ""),
        (("id",), {"statement": "id in (select 1)"}, "what the statement may read"),
        ((), {"dataset": None, "kind": "login", "column_scope": "none"}, ""),
    ],
)
def test_what_is_in_a_job(ask, columns, more, outside):
    found = verdict(ask(*columns, **{"chunks": ("3",), **more}))
    if outside:
        assert (found.effect, found.rules) == ("deny", ("night",))
        assert outside in found.reasons[0] and found.next_step
    else:
        assert found.effect == "allow"


def test_without_a_job_the_rules_alone_judge(ask):
    assert verdict(ask(), job=None).effect == "allow"


def test_hours_people_and_names(ask):
    inside = ask("id", chunks=("3",))
    assert verdict(inside, now=6 * 3600.0).reasons == ("The job night does not include this hour.",)
    assert verdict(inside, who=Principal("eve", "i")).reasons == ("The job night is not this person's.",)
    unknown = verdict(inside, job="nigth")
    assert (unknown.effect, unknown.rules, unknown.reasons) == ("deny", (), ("The policy has no job nigth.",))
    assert verdict(inside, job="night, other").effect == verdict(inside, job="").effect == "deny"


def test_the_bound_are_always_within(ask):
    inside, outside = ask("id", chunks=("3",)), ask("ssn")
    assert verdict(inside, None, MACHINE).effect == "allow"
    assert verdict(outside, None, MACHINE).effect == "deny"
    assert verdict(inside, "other", MACHINE).effect == "deny"
    assert verdict(outside, None, Principal("embedder", "i")).effect == "deny"  # a name that could mean it
    both = policy(a={**OTHER, "bound": ["group:ml"]}, b={**OTHER, "dataset": "logs", "bound": ["group:ml"]})
    orders, logs = ask(dataset="orders"), ask(dataset="logs")
    assert verdict(orders, None, made=both).effect == verdict(logs, None, made=both).effect == "allow"
    assert verdict(replace(orders, parts=(logs,)), None, made=both).effect == "deny"


def test_a_job_allows_nothing_and_rules_can_ask_for_one(ask):
    inside = ask("id", chunks=("3",))
    nothing = policy({"id": "no", "effect": "allow", "who": ["group:else"]})
    assert verdict(inside, made=nothing).effect == "deny"
    only = policy({"id": "jobs-only", "effect": "allow", "job": ["night"]})
    assert verdict(inside, made=only).rules == ("jobs-only",)
    assert verdict(inside, None, made=only).effect == "deny"
    assert verdict(ask(dataset="orders"), "other", made=only).effect == "deny"
    assert decide(only, ML, inside, Context(AT, within=frozenset({"night"}))).effect == "deny"  # not for callers to say
    not_in = policy({"id": "all", "effect": "allow"}, {"id": "no", "effect": "deny", "job": ["night"]})
    assert verdict(inside, made=not_in).rules == ("no",)


def test_every_part_is_within(ask):
    inside = ask("id", chunks=("3",))
    assert verdict(replace(inside, parts=(inside,))).effect == "allow"
    assert verdict(replace(inside, parts=(ask("ssn", chunks=("3",)),))).effect == "deny"
