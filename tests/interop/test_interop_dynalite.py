"""boto3 against dynalite: segments in threads, filters on what is masked, and exports."""

from __future__ import annotations

import json
import os

import pytest

from tests.interop.aws_calls import CALLS, PAGES
from tests.interop.aws_environments import CLIENTS, DYNALITE
from tests.interop.serving import Workstation

pytestmark = pytest.mark.interop

CHECKED = [("dynamodb", "dynalite 4.0.0", "boto3 1.44.5")]

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-nobody",
    "AWS_EC2_METADATA_DISABLED": "true",
}
URL = "https://items.acme.example"
POLICY = """
[services.items]
hosts = ["items.acme.example"]
dialect = "dynamodb"
connect = "http://127.0.0.1:@SERVER@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "items"
columns = { ssn = "restricted" }

[[rules]]
id = "reading"
effect = "allow"
who = ["group:engineering"]
kind = ["read", "poll", "write"]

[[rules]]
id = "no-writes"
effect = "deny"
kind = ["write"]
reason = "Items are not changed through the gate."

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "hmac"
unless = ["group:fraud"]
"""


@pytest.fixture(scope="module")
def gate(make_server, make_gate, tmp_path_factory):
    for environment in (DYNALITE, CLIENTS):
        environment.make()
    server = make_server(lambda port: [DYNALITE.run("dynalite"), "--port", str(port), "--createTableMs", "0"], tmp_path_factory.mktemp("dynalite"))  # fmt: skip
    folder = tmp_path_factory.mktemp("dynalite-gate")
    direct = Workstation(folder, {"PATH": os.environ["PATH"], "HOME": str(folder), **KEYS})
    table = {"TableName": "emp", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
             "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}  # fmt: skip
    place = f"http://127.0.0.1:{server.port}"
    direct.python(CLIENTS, CALLS, json.dumps([["dynamodb", "create_table", table]]), place)
    for _ in range(50):
        (said,) = direct.python(
            CLIENTS, CALLS, json.dumps([["dynamodb", "describe_table", {"TableName": "emp"}]]), place
        ).json()
        if isinstance(said, dict) and said["Table"]["TableStatus"] == "ACTIVE":
            break
    puts = [["dynamodb", "put_item", {"TableName": "emp", "Item": {"id": {"S": str(n)}, "ssn": {"S": f"123-45-{n:04}"}}}] for n in range(40)]  # fmt: skip
    said = direct.python(CLIENTS, CALLS, json.dumps(puts), place).json()
    assert not [one for one in said if isinstance(one, str)], said
    with make_gate(folder, POLICY.replace("@SERVER@", str(server.port))) as made:
        yield made


def call(gate, *calls):
    return gate.workstation("ada", **KEYS).python(CLIENTS, CALLS, json.dumps(calls), URL).json()


def test_segments_in_threads_are_masked(gate):
    rows = gate.workstation("ada", **KEYS).python(CLIENTS, PAGES, URL).json()
    assert len(rows) == 40 and len({ssn for _, ssn in rows}) == 40 and "123-45-" not in json.dumps(rows)


def test_one_item_keeps_its_types(gate):
    (item,) = call(gate, ["dynamodb", "get_item", {"TableName": "emp", "Key": {"id": {"S": "7"}}}])
    assert item["Item"]["id"] == {"S": "7"} and list(item["Item"]["ssn"]) == ["S"] and "123-45-" not in json.dumps(item)


def test_guesses_and_writes_are_refused_with_a_reason(gate):
    before = len(gate.recorded())
    guess = {"TableName": "emp", "FilterExpression": "#s = :v", "ExpressionAttributeNames": {"#s": "ssn"}, "ExpressionAttributeValues": {":v": {"S": "123-45-0007"}}}  # fmt: skip
    guessed, wrote = call(
        gate, ["dynamodb", "scan", guess], ["dynamodb", "put_item", {"TableName": "emp", "Item": {"id": {"S": "x"}}}]
    )
    assert "AccessDenied" in guessed and "AccessDenied" in wrote
    assert wrote.count("Items are not changed through the gate.") == 1
    assert len(gate.recorded()) == before + 2
