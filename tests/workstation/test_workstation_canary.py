"""What a canary's answer shows about masks: each method's form, values that are known, and gateways that do not mask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluicegate.cli.workstation import canary
from sluicegate.cli.workstation.canary import hashed, judge
from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner, Method
from sluicegate.masking.methods import Methods
from tests.origin import Origin, json_response
from tests.running import Running

CLEAR = "078-05-1120"
JSON = "application/json; charset=utf-8"
METHODS: list[tuple[Method, Manner]] = [
    ("null", Manner()), ("redact", Manner()), ("hmac", Manner()), ("hmac", Manner(domain="people")), ("last4", Manner()),
    ("last", Manner(keep=2)), ("first", Manner(keep=3)), ("template", Manner(text="SSN {last:4} of {hmac}.")),
    ("template", Manner(text="none (of it)")), ("last4", Manner(typed=True)),
]  # fmt: skip


def owes(method: Method, manner: Manner = Manner(), column: str = "ssn") -> tuple[Obligation, ...]:  # noqa: B008
    return (Obligation("m", method, frozenset({column}), manner=manner),)


def level(value: Any, *known: str, owed: Any = None, kind: str = JSON) -> str:
    body = value if isinstance(value, bytes) else json.dumps({"rows": [{"id": 1, "ssn": value}]}).encode()
    found = judge(body, kind, owes("last4") if owed is None else owed, known)
    assert CLEAR not in found.said
    return found.level


@pytest.mark.parametrize(("method", "manner"), METHODS, ids=str)
def test_the_form_of_each_method_is_known_and_a_clear_value_is_not_taken_for_it(method: Method, manner: Manner) -> None:
    masker = Methods(b"k" * 32).masker(method, "ssn", manner)
    for clear in (CLEAR, "a", "x" * 300, 123456789, ["078", "05"], {"number": CLEAR}, True, "two\nlines"):
        (masked,) = masker([clear])
        assert level(masked, owed=owes(method, manner)) == "ok", (clear, masked)
        assert level(clear, owed=owes(method, manner)) == "fail", clear


def test_what_is_to_be_left_out_must_not_be_there() -> None:
    assert level(b'{"rows":[{"id":1}]}', owed=owes("drop")) == "ok"
    assert level(None, owed=owes("drop")) == "fail"


@pytest.mark.parametrize("method", ["fpe", "number", "date"])
def test_methods_that_leave_what_looks_like_a_value_need_a_known_one(method: Method) -> None:
    assert level("123-45-6789", owed=owes(method)) == "warn"
    assert level("123-45-6789", CLEAR, owed=owes(method)) == "ok"
    assert level(CLEAR, CLEAR, owed=owes(method)) == level(CLEAR, hashed(CLEAR), owed=owes(method)) == "fail"


def test_a_known_value_is_found_wherever_it_stands() -> None:
    for body in ({"rows": [{"ssn": "****1120", "note": f"it is {CLEAR}"}]}, {"other": [[CLEAR]]}, {CLEAR: 1}):
        assert level(json.dumps(body).encode(), CLEAR) == "fail"
    assert level(json.dumps({"ssn": "****1120", "name": "Zoë Ångström"}).encode(), "Zoë Ångström") == "fail"
    assert level(f"<ssn>{CLEAR}</ssn>".encode(), CLEAR, kind="text/xml") == "fail"
    assert level(f"<ssn>{CLEAR}</ssn>".encode(), hashed(CLEAR), kind="text/xml") == "fail"
    assert level(json.dumps({"ssn": "****1120", "copy": CLEAR}).encode(), hashed(CLEAR)) == "fail"
    assert level("****1120", CLEAR, hashed(CLEAR)) == "ok"
    assert CLEAR not in hashed(CLEAR) and hashed(CLEAR) != hashed(CLEAR)


@pytest.mark.parametrize(
    ("kind", "clear", "masked"),
    [
        ("text/csv", f"id,ssn\n1,{CLEAR}\n", "id,ssn\n1,****1120\n"),
        ("application/x-ndjson", f'{{"ssn":"****1"}}\n{{"ssn":"{CLEAR}"}}\n', '{"ssn":"****1120"}\n\n'),
        (JSON, f'{{"columns":["id","ssn"],"rows":[[1,"{CLEAR}"]]}}', '{"columns":["id","ssn"],"rows":[[1,"****1120"]]}'),
        (JSON, f'{{"columns":[{{"name":"SSN"}}],"rows":[["{CLEAR}"]]}}', '{"columns":[{"name":"SSN"}],"rows":[["****11"]]}'),
        (JSON, f'[{{"S_S_N":{{"v":"{CLEAR}"}}}}]', '[{"S_S_N":"****1120"}]'),
    ],
)  # fmt: skip
def test_forms_of_answers(kind: str, clear: str, masked: str) -> None:
    assert level(clear.encode(), kind=kind) == "fail" and level(masked.encode(), kind=kind) == "ok"


def test_an_answer_that_shows_nothing_is_said_to_show_nothing() -> None:
    for body, kind in ((b'{"rows":[]}', JSON), (b"{", JSON), (b"", JSON), (b"PAR1", "application/vnd.apache.parquet")):
        assert level(body, kind=kind) == "warn" and level(body, CLEAR, kind=kind) == "ok"
    assert level(b"[" * 100_000, kind=JSON) == "warn"
    assert level(CLEAR, owed=()) == "ok"


def test_the_strictest_mask_is_what_is_owed() -> None:
    both = (*owes("last4"), *owes("null"))
    assert (
        level("****1120", owed=both) == level("****1120", owed=both[::-1]) == "fail" and level(None, owed=both) == "ok"
    )
    assert level(CLEAR, owed=owes("last4", Manner(on_match="report"))) == "warn"  # it masks nothing


def test_hashing_ends() -> None:
    rows = [{"ssn": "****", "n": f"value {number}"} for number in range(5_000)]
    assert level(json.dumps(rows).encode(), hashed(CLEAR)) == "ok" and canary.MOST_HASHED < 5_000


@dataclass
class Unmasked(Running):
    """A gateway whose policy has lost its masks."""

    def write_policy(self) -> Path:
        path = super().write_policy()
        path.write_text(path.read_text().partition("[[masks]]")[0])
        return path


DECLARED = """
[services.chunks.canary]
request = "GET /datasets/customers/chunks/7?columns=id,ssn,email"
known = ["078-05-1120", "{hashed}"]
"""


@pytest.fixture(scope="module")
def origin(certs: Any) -> Iterator[Origin]:
    row = {"id": 7, "ssn": CLEAR, "email": "nobody@example.org"}
    running = Origin(certs.service, lambda request: json_response(json.dumps({"rows": [row]}).encode()))
    yield running
    running.close()


@pytest.mark.parametrize("kind", [Running, Unmasked])
def test_doctor_sends_what_was_declared_and_finds_a_gateway_that_does_not_mask(
    kind: Any, origin: Origin, provider: Any, certs: Any, tmp_path: Path
) -> None:
    declared = DECLARED.format(hashed=hashed("nobody@example.org"))
    gate = kind(tmp_path, provider.issuer, certs.ca, [f"localhost:{origin.port}"], with_console=True, more=declared)
    with gate:
        own = tmp_path / "own"
        own.mkdir()
        whole = Running.write_policy(gate).rename(own / "policy.toml")
        environment = {"PATH": os.environ["PATH"], "HOME": str(own), "SLUICEGATE_CONFIG": str(own)}
        environment |= {"SLUICEGATE_TOKEN": provider.token("ada")}
        asked = [sys.executable, "-m", "sluicegate.cli", "doctor", "--json", "--policy", str(whole)]
        done = subprocess.run(
            [*asked, "--ca", str(gate.gateway_ca)], env=environment, capture_output=True, text=True, timeout=100
        )
    found = [check for check in json.loads(done.stdout) if check["name"].startswith("canary ")]
    assert len(found) == 1, done.stdout
    (check,) = found
    assert CLEAR not in done.stdout and "nobody@" not in done.stdout
    if kind is Unmasked:
        assert check["level"] == "fail" and "in clear" in check["said"] and check["mend"] and done.returncode == 2
    else:
        assert check["level"] == "ok" and "came back masked: email, ssn" in check["said"], check


def test_hash_prints_what_a_policy_takes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sluicegate.cli", "doctor", "--hash"], input=f"{CLEAR}\n", capture_output=True, text=True
    )
    assert done.returncode == 0 and level(CLEAR, done.stdout.strip(), owed=owes("fpe")) == "fail"
