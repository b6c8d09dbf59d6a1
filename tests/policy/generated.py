"""Policies, people and operations out of a small world, for tests that try everything in it."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

from sluicegate.exchange import OTHERS, Operation, Principal
from sluicegate.policy.context import Context
from sluicegate.settings import Settings

KINDS = ["read", "export", "admin", "script", "unknown"]
WEDNESDAY = 1_767_787_200.0  # 2026-01-07 12:00 UTC
GLOBS = ["customers", "orders", "pub*", "public", "*", "p?b*"]
COLUMNS = ["ssn", "email", "restricted", "card", "personal"]
DESTINATIONS: list[Any] = [
    *("internal", "external", ["s3://acme-*"], ["*"], ["s3://acme-x"], ["s3://acme-x/a*"]),
    *(["s3://acme-x/"], ["s3://*", "https://b"], ["s3://acme-x/a?c"]),
]
WHO = ["group:a", "group:b", "person:ada", "machine:ada", "kind:machine"]
HOURS = ["Mon-Fri 08:00-18:00 UTC", "Wed UTC", "22:00-06:00 UTC", "00:00-24:00 UTC", "Sat,Sun UTC"]


def some(values: list[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


PLAIN_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "who": some(WHO),
    "service": some(["chunks", "second", OTHERS]),
    "dataset": some(GLOBS),
    "kind": some(KINDS, 3),
    "columns": some(COLUMNS),
    "destination": st.sampled_from(DESTINATIONS),
}
MORE_KEYS: dict[str, st.SearchStrategy[Any]] = {
    **PLAIN_KEYS,
    "mode": st.sampled_from(["enforce", "enforce", "report"]),
    "assurance": st.sampled_from(["account", "bearer", "bound"]),
    "assurance_below": st.sampled_from(["account", "bearer", "bound"]),
    "network": some(["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0"]),
    "statements": some(["select", "drop", "create_*", "*", "create_udf"]),
    "commands": some(["drop", "select.*", "(?i)DROP"]),
    "rows_above": st.sampled_from([0, 10, 100]),
    "results_of_others": st.booleans(),
    "job": some(["night", "day"]),
    "when": some(HOURS),
    "risk_above": st.sampled_from([0.0, 5.0]),
    "finding": some(["walk", "w*", "*"]),
    "sign_in_age_above": st.sampled_from([0.0, 900.0]),
}


def rules(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"effect": st.sampled_from(["allow", "allow", "deny", "hold"]), "approvers": some(["group:x", "group:y"])},
        optional={**keys, "hold_seconds": st.sampled_from([1.0, 5.0])},
    )


masks = st.fixed_dictionaries(
    {
        "columns": some(COLUMNS),
        "method": st.sampled_from(["redact", "null", "hmac", "last4"]),
        "unless": st.lists(st.sampled_from(["group:a", "person:ada"]), max_size=2),
    },
    optional={
        "dataset": some(["customers", "pub*", "*", "logs"]),
        "service": some(["chunks", "second", OTHERS]),
        "predicates": st.sampled_from(["refuse", "allow"]),
        "risk_above": st.sampled_from([0.0, 5.0]),
        "finding": some(["walk", "w*", "probing"]),
    },
)


def settings_of(rule_list: list[dict[str, Any]], mask_list: list[dict[str, Any]], **more: Any) -> Settings:
    """Built in dialects behind both services, so that every operation is thought possible."""
    document = {
        "identity": {"issuer": "https://idp.test"},
        "gateway": {"others": "inspect"},
        "services": {
            "chunks": {"hosts": ["chunks.test"], "dialect": "built-in"},
            "second": {"hosts": ["second.test"], "dialect": "built-in"},
        },
        "datasets": {
            "customers": {"service": "chunks", "columns": {"ssn": "restricted", "email": "personal"}},
            "orders": {"service": "chunks", "name": "prod", "columns": {"card": "restricted"}},
            "logs": {"service": "second"},
        },
        "jobs": {
            "night": {"dataset": "customers", "who": ["group:a"], "hours": "22:00-06:00 UTC"},
            "day": {"dataset": "orders", "who": ["kind:machine"], "columns": ["card"]},
        },
        "rules": [{"id": f"r{index}", **rule} for index, rule in enumerate(rule_list)],
        "masks": [{"id": f"m{index}", **mask} for index, mask in enumerate(mask_list)],
    }
    return Settings.model_validate({**document, **more})


PEOPLE = [
    Principal(subject, "i", frozenset(groups), kind=kind, assurance=assurance)
    for subject, groups, kind, assurance in [
        ("ada", "", "person", "bearer"),
        ("ada", "ab", "machine", "bound"),
        ("eve", "a", "person", "network"),
        ("eve", "b", "machine", "account"),
        ("eve", "", "person", "bearer"),
    ]
]
CONTEXTS = [
    Context(WEDNESDAY, "10.1.2.3"),
    Context(WEDNESDAY + 12 * 3600, "10.9.9.9", job="night", risk=7.0, findings=frozenset({"walk"})),
    Context(WEDNESDAY + 3.5 * 86400, "", job="day", signed_in=WEDNESDAY + 3.5 * 86400 - 60),
    Context(WEDNESDAY, "2001:db8::1", job="no-such-job", risk=float("nan")),
]
_PLACES = [
    *(("chunks", "customers", True), ("chunks", "orders", True), ("chunks", "public", False), ("chunks", None, False)),
    *(("chunks", "Customers", False), ("second", "logs", True), ("second", "customers", False), (OTHERS, None, False)),
]
_ASKS: list[dict[str, Any]] = [
    {"columns": ("ssn",), "column_scope": "listed"},
    {"columns": ("ssn", "email"), "column_scope": "listed"},
    {"columns": ("card",), "column_scope": "listed"},
    {"columns": ("id",), "column_scope": "listed", "statement": "ssn = 1"},
    {"columns": ("id",), "column_scope": "listed", "rows": 50, "predicates": ("email",)},
    {"column_scope": "all"},
    {"column_scope": "all", "statement": "drop table x", "statements": ("drop",), "rows": 5},
    {"column_scope": "all", "statement": "create", "statements": ("create_udf", "select")},
    {"column_scope": "all", "statement": "x udf", "statements": ("opaque",), "opaque": "why"},
    {"column_scope": "all", "owner": "i zoe", "result": "query:1"},
    {
        "columns": ("ssn",),
        "column_scope": "listed",
        "owner": "i zoe",
        "statement": "drop table x",
        "statements": ("drop",),
    },
    {"column_scope": "none"},
    {"column_scope": "unknown", "script": "drop", "script_digest": "d"},
]
_SENT: list[tuple[str | None, str | None]] = [
    *((None, None), (None, "external"), ("s3://acme-x", "internal"), ("s3://acme-x/abc", "internal")),
    *(("s3://acme-x/ab?q=1", "external"), ("unreadable: s3://acme-x", "external"), ("https://b", "external")),
    *(("s3://acme-x/", "internal"), ("S3://ACME-X/a", "external")),
]


def every_operation() -> list[Operation]:
    """All of the world, for going through it. Of other hosts only what is ever read of them."""
    return [
        Operation(service, kind, dataset=dataset, declared=declared, destination=where, destination_side=side, **ask)  # type: ignore[arg-type]
        for (service, dataset, declared), kind, ask, (where, side) in itertools.product(_PLACES, KINDS, _ASKS, _SENT)
        if service != OTHERS or (kind == "read" and ask["column_scope"] == "none" and side is not None)
    ]


EVERY = every_operation()
