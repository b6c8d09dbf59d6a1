"""The fingerprint: the same request is the same, and a difference in anything a grant is bound to is another."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sluicegate import codings
from sluicegate.approvals.fingerprint import fingerprint, normal_target
from sluicegate.exchange import Operation, Output, Principal

BASE: dict[str, Any] = {
    "principal": Principal("ada", "https://idp"),
    "rules": ("external-export",),
    "method": "POST",
    "origin": "https://chunks:8443",
    "target": "/datasets/customers/exports?a=1&b=2",
    "headers": (("content-type", "application/json"),),
    "body": b'{"destination":"s3://b/k"}',
    "operation": Operation("chunks", "export", dataset="customers", columns=("id", "ssn"), destination="s3://b/k"),
}
CHANGES: list[dict[str, Any]] = [
    {"principal": Principal("Ada", "https://idp")},
    {"principal": Principal("ada", "https://idp/")},
    {"principal": Principal("ada", "https://idp", kind="machine")},
    {"rules": ("other",)},
    {"rules": ("external-export", "other")},
    {"rules": ()},
    {"method": "PUT"},
    {"origin": "http://chunks:8443"},
    {"origin": "https://chunks:8444"},
    {"target": "/datasets/customers/exports?a=1&b=3"},
    {"target": "/datasets/customers/exports?a=1"},
    {"target": "/datasets/customers/exports/?a=1&b=2"},
    {"target": "/datasets/Customers/exports?a=1&b=2"},
    {"headers": (("content-type", "text/plain"),)},
    {"headers": ()},
    {"headers": (("content-type", "application/json"), ("content-encoding", "gzip"))},
    {"body": b'{"destination":"s3://b/k" }'},
    {"body": b""},
    *(
        {"operation": replace(BASE["operation"], **change)}
        for change in (
            {"service": "other"},
            {"kind": "read"},
            {"dataset": None},
            {"dataset": "other"},
            {"columns": ("id",)},
            {"columns": ("idssn",)},
            {"columns": ("ssn", "id")},
            {"columns": (), "chunks": ("id", "ssn")},
            {"column_scope": "all"},
            {"chunks": ("1",)},
            {"destination": "s3://b/k2"},
            {"destination": None},
            {"statement": "select 1"},
            {"script_digest": "00"},
            {"declared": True},
            {"destination_side": "external"},
            {"predicates": ("ssn",)},
            {"outputs": (Output("ssn"),)},
            {"outputs": (Output("ssn", None),)},
            {"outputs": (Output("ssn", frozenset({("customers", "ssn")})),)},
            {"outputs": (Output("ssn", copied=True),)},
            {"rows": 1},
            {"statements": ("select",)},
            {"opaque": "no"},
            {"result": "query:1"},
            {"claims": ("role=admin",)},
            {"parts": (Operation("chunks", "read", dataset="staff"),)},
            {"parts": (Operation("chunks", "read", dataset="staff", predicates=("ssn",)),)},
        )
    ),
]


def test_is_stable_across_versions() -> None:
    # Grants outlive an upgrade of the gateway, so this value must not change by accident.
    assert fingerprint(**BASE) == "8be0b20547f584edd0cb98b8ee5c8924b85d2c1be2d0e7d7d013c24849390233"


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_any_change_is_another_request(change: dict[str, Any]) -> None:
    assert fingerprint(**BASE | change) != fingerprint(**BASE)


def test_all_changes_differ_from_each_other() -> None:
    assert len({fingerprint(**BASE | change) for change in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize(
    "same",
    [
        {"principal": Principal("ada", "https://idp", groups=frozenset({"g"}), session="s", name="Ada", expires=9.0)},
        {"rules": ("external-export", "external-export")},
        {"target": "/datasets/customers/exports?b=2&a=1"},
        {"headers": (("Content-Type", "application/json"),)},
        {"operation": replace(BASE["operation"], route="another template")},
    ],
    ids=str,
)
def test_what_does_not_matter(same: dict[str, Any]) -> None:
    assert fingerprint(**BASE | same) == fingerprint(**BASE)


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(1, 255))
def test_one_byte_of_the_body_changed_is_another_request(body: bytes, where: int, flip: int) -> None:
    assume(body)
    changed = bytearray(body)
    changed[where % len(body)] ^= flip
    assert fingerprint(**BASE | {"body": bytes(changed)}) != fingerprint(**BASE | {"body": body})


NAMES = st.lists(st.text(max_size=4), max_size=4).map(tuple)


@given(NAMES, NAMES, NAMES, NAMES)
def test_names_never_run_into_each_other(a: Any, b: Any, c: Any, d: Any) -> None:
    one, other = (Operation("s", "read", columns=x, chunks=y) for x, y in ((a, b), (c, d)))
    same = fingerprint(**BASE | {"operation": one}) == fingerprint(**BASE | {"operation": other})
    assert same == ((a, b) == (c, d))


@given(st.text(), st.text(), st.text(), st.text())
def test_people_never_run_into_each_other(issuer: str, subject: str, issuer2: str, subject2: str) -> None:
    marks = [fingerprint(**BASE | {"principal": Principal(s, i)}) for i, s in ((issuer, subject), (issuer2, subject2))]
    assert (marks[0] == marks[1]) == ((issuer, subject) == (issuer2, subject2))


PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("012")), max_size=6)


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_matters_only_within_a_name(pairs: list[tuple[str, str]], random: Any) -> None:
    def target(of: list[tuple[str, str]]) -> str:
        return "/p?" + "&".join(f"{name}={value}" for name, value in of)

    def by_name(of: list[tuple[str, str]]) -> dict[str, list[str]]:
        return {name: [v for n, v in of if n == name] for name, _ in of}

    mixed = random.sample(pairs, len(pairs))
    assert (normal_target(target(mixed)) == normal_target(target(pairs))) == (by_name(mixed) == by_name(pairs))


@given(st.text(st.characters(codec=None)))
def test_any_target_has_a_fingerprint(target: str) -> None:
    assert len(fingerprint(**BASE | {"target": target})) == 64


ONCE = {
    "target": "/q?requestId=1&a=1",
    "headers": (("content-type", "application/json"), ("x-amz-date", "1")),
    "body": b'{"sqlText": "select 1", "sequenceId": 1, "n": 1.0, "inner": {"sequenceId": 1}}',
    "operation": Operation("w", "read", statement="select 1", once=("query:requestId", "$.sequenceId", "header:x-amz-date"), place="a.b"),
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"target": "/q?requestId=2&a=1"},
        {"target": "/q?a=1"},
        {"headers": (("content-type", "application/json"), ("x-amz-date", "2"))},
        {"body": ONCE["body"].replace(b'"sequenceId": 1, "n"', b'"sequenceId": 2, "n"')},
        {
            "body": codings.encode(ONCE["body"], "gzip"),
            "headers": (*ONCE["headers"], ("content-encoding", "gzip")),
        },
    ],
    ids=str,
)
def test_what_is_new_each_time_is_no_other_request(change: dict[str, Any]) -> None:
    assert fingerprint(**BASE | ONCE | change) == fingerprint(**BASE | ONCE)


@pytest.mark.parametrize(
    "change",
    [
        {"target": "/q?requestId=1&a=2"},
        {"target": "/q?RequestId=1&a=1"},
        {"target": "/q?requestId=1&a=1&sequence=1"},
        {"headers": (("content-type", "application/json"), ("x-amz-acl", "1"))},
        {"headers": (("content-type", "text/json"), ("x-amz-date", "1"))},
        {"body": ONCE["body"].replace(b"select 1", b"select 2")},
        {"body": ONCE["body"].replace(b"1.0", b"1.00")},
        {"body": ONCE["body"].replace(b"1.0", b"1")},
        {"body": ONCE["body"].replace(b"1.0", b'"1.0"')},
        {"body": ONCE["body"].replace(b"1.0", b'{"number": "1.0"}')},
        {"body": ONCE["body"].replace(b'{"sequenceId": 1}', b'{"sequenceId": 2}')},
        {"body": ONCE["body"].replace(b'"n"', b'"sqlText": "select 2", "n"')},
        {"body": ONCE["body"].replace(b'"n"', b'"sequenceId": 2, "n"')},
        {"body": ONCE["body"] + b"x"},
        {"body": codings.encode(ONCE["body"], "gzip")},
        {"operation": replace(ONCE["operation"], place="a.c")},
        {"operation": replace(ONCE["operation"], once=("query:requestId", "$.sequenceId"))},
        {"operation": replace(ONCE["operation"], parts=(Operation("w", "read", dataset="other"),))},
    ],
    ids=str,
)
def test_all_else_is(change: dict[str, Any]) -> None:
    assert fingerprint(**BASE | ONCE | change) != fingerprint(**BASE | ONCE)


@given(st.binary(max_size=100), st.sampled_from(["", "gzip", "br", "zstd", "identity", "x", "gzip, gzip"]))
def test_any_body_has_a_fingerprint(body: bytes, coding: str) -> None:
    headers = (*ONCE["headers"], ("content-encoding", coding))
    assert len(fingerprint(**BASE | ONCE | {"body": body, "headers": headers})) == 64


def test_a_body_that_nothing_selects_in_is_never_looked_into() -> None:
    # What is stored, byte for byte, is not the same when its spaces differ.
    put = ONCE | {
        "operation": replace(ONCE["operation"], once=("query:requestId", "header:sequenceId", "query:sequenceId"))
    }
    for body in (ONCE["body"].replace(b'"sequenceId": 1, "n"', b'"sequenceId": 2, "n"'), ONCE["body"] + b" "):
        assert fingerprint(**BASE | put | {"body": body}) != fingerprint(**BASE | put)
