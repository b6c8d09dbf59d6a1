"""The policy at the root of the repository: sound, and deciding what the demo's story says for each of its people."""

import json
from pathlib import Path

import pytest

from sluicegate import operations, policy
from sluicegate.clock import SetClock
from sluicegate.exchange import Principal
from sluicegate.operations import Reader, RequestView
from sluicegate.policy import Policy, decide
from sluicegate.settings import load

PATH = Path(__file__).parent.parent.parent / "policy.toml"
LOADED = load(PATH)
READER = Reader(LOADED.settings, SetClock())
POLICY = Policy(LOADED.settings, LOADED.digest)
PEOPLE = {"ada": ("engineering",), "grace": ("fraud",), "linus": ("data-stewards",), "mallory": ()}
MASKED = {("last4", "ssn"), ("hmac", "email"), ("hmac", "phone"), ("hmac", "name")}


def verdict(person, request, body=None):
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    headers = {} if body is None else {"content-type": ("application/json",)}
    data = b"" if body is None else json.dumps(body).encode()
    operation = READER.read(
        RequestView(method, path, query, headers, data), "chunks", "https://localhost:9443", "somebody"
    )
    return decide(POLICY, Principal(person, "i", frozenset(PEOPLE[person])), operation)


def masked(found):
    return {(o.method, column) for o in found.obligations for column in o.columns}


def test_it_has_no_problems_and_names_its_schema():
    assert operations.problems(LOADED) == [] and policy.problems(LOADED) == []
    first = PATH.read_text().splitlines()[0]
    assert first == "#:schema ./addons/sluicegate/settings/policy.schema.json"
    assert (PATH.parent / first.removeprefix("#:schema ")).exists()


CHUNK = ("GET /datasets/customers/chunks/0?columns=id,ssn,email", None)
QUERY = ("POST /datasets/customers/query", {"columns": ["id"], "filter": "country = 'DE'", "limit": 5})
OUTSIDE = ("POST /datasets/customers/exports", {"destination": "s3://elsewhere/customers"})
INSIDE = ("POST /datasets/customers/exports", {"destination": "s3://acme-lake/customers", "chunks": [0]})
SCRIPT = ("POST /scripts", {"dataset": "customers", "code": "print(1)"})
DROP = ("DELETE /datasets/customers", None)
STORY = [
    (CHUNK, "allow", ("read-customers",), None),
    (("GET /datasets/customers", None), "allow", ("read-customers",), None),
    (QUERY, "allow", ("read-customers",), None),
    (OUTSIDE, "hold", ("external-export",), None),
    (INSIDE, "allow", ("internal-export",), None),
    (SCRIPT, "deny", ("no-scripts",), ("no-scripts",)),
    (DROP, "deny", ("no-admin",), ("no-admin",)),
    (("GET /datasets/payroll", None), "deny", (), None),
    (("GET /", None), "deny", (), None),
    (("POST /scripts", {"dataset": "customers"}), "deny", (), None),
]


@pytest.mark.parametrize(("request_", "effect", "rules", "anybody"), STORY)
def test_what_each_of_them_may_do(request_, effect, rules, anybody):
    for person in ("ada", "grace", "linus"):
        found = verdict(person, *request_)
        assert (found.effect, found.rules) == (effect, rules), person
    found = verdict("mallory", *request_)
    assert (found.effect, found.rules) == ("deny", anybody or ())


def test_only_the_fraud_group_reads_in_the_clear():
    assert masked(verdict("ada", *CHUNK)) == masked(verdict("linus", *CHUNK)) == MASKED
    clear = verdict("grace", *CHUNK)
    assert (clear.obligations, clear.lifted) == ((), ("contact-details", "national-ids"))


def test_the_stewards_decide_and_get_no_easier_way():
    for person in ("ada", "linus"):
        held = verdict(person, *OUTSIDE)
        assert (held.effect, held.approvers) == ("hold", ("group:data-stewards",))
        assert masked(held) == MASKED


def test_masked_columns_cannot_be_guessed_by_filters():
    guess = ("POST /datasets/customers/query", {"columns": ["id"], "filter": "ssn like '123%'"})
    assert verdict("ada", *guess).rules == ("national-ids",)
    assert verdict("grace", *guess).effect == "allow"
