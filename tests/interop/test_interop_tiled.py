"""Tiled with its own Python client: partitions in Arrow, columns as nodes, and links that lead back through the gate."""

from __future__ import annotations

import pytest

from tests.interop.denials import NEXT, REASON, asked_once, assert_said_once, since
from tests.interop.environments import Environment

pytestmark = pytest.mark.interop

CHECKED = [("tiled", "Tiled 0.2.20", "its Python client 0.2.20, curl")]

TILED = Environment("tiled", ("tiled[all]==0.2.20",))
APP = """
import dask.array as da, numpy as np, pandas as pd
from tiled.adapters.array import ArrayAdapter
from tiled.adapters.mapping import MapAdapter
from tiled.adapters.table import TableAdapter
df = pd.DataFrame({"id": range(100), "ssn": [f"123-45-{n:04}" for n in range(100)], "salary": range(100)})
tree = MapAdapter({
    "emp": TableAdapter.from_pandas(df, npartitions=5),
    "img": ArrayAdapter.from_array(da.from_array(np.arange(10_000).reshape(100, 100), chunks=(25, 25))),
})
"""
POLICY = """
[services.tiled]
hosts = ["tiled.acme.example"]
dialect = "tiled"
connect = "http://127.0.0.1:@SERVICE@"
addresses = ["127.0.0.0/8"]

[datasets.emp]
service = "tiled"
columns = { ssn = "restricted", salary = "pay" }

[datasets.img]
service = "tiled"

[[rules]]
id = "people-read"
effect = "allow"
who = ["group:engineering", "group:fraud"]
kind = ["read", "poll"]

[[rules]]
id = "no-salaries"
effect = "deny"
columns = ["salary"]
reason = "Salaries are for payroll."
next_step = "Leave the column out."

[[rules]]
id = "writes-wait"
effect = "hold"
kind = ["write"]
approvers = ["group:data-stewards"]
reason = "Tables are changed by data stewards."

[[masks]]
id = "national-ids"
dataset = ["emp"]
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]
"""
CONNECT = """
import json, sys
from tiled.client import from_uri
client = from_uri("https://tiled.acme.example/api/v1")
"""


@pytest.fixture(scope="module")
def gate(make_gate, make_server, tmp_path_factory):
    TILED.make()
    folder = tmp_path_factory.mktemp("tiled")
    (folder / "tiled_app.py").write_text(APP)
    serve = [TILED.run("tiled"), "serve", "pyobject", "--public", "--host", "127.0.0.1", "tiled_app:tree", "--port"]
    server = make_server(lambda port: [*serve, str(port)], folder, TILED_SINGLE_USER_API_KEY="k" * 32, PYTHONPATH=".")
    with make_gate(folder, POLICY.replace("@SERVICE@", str(server.port))) as running:
        yield running


def ask(gate, code, person="ada"):
    return gate.workstation(person).python(TILED, CONNECT + code)


def test_partitions_arrive_masked_and_whole(gate):
    before = len(gate.recorded())
    rows = ask(gate, "print(json.dumps(client['emp'].read(['id', 'ssn']).values.tolist()))").json()
    assert rows == [[n, f"****{n:04}"] for n in range(100)]
    paths = " ".join(exchange["request"] for exchange in since(gate, before))
    assert all(f"partition={n}" in paths for n in range(5))


def test_somebody_else_sees_them(gate):
    rows = ask(gate, "print(json.dumps(client['emp'].read(['id', 'ssn']).values.tolist()))", "grace").json()
    assert rows == [[n, f"123-45-{n:04}"] for n in range(100)]


def test_columns_and_arrays_that_owe_nothing_pass(gate):
    assert ask(gate, "print(json.dumps(client['emp'].read(['id'])['id'].tolist()))").json() == list(range(100))
    assert ask(gate, "print(json.dumps(client['img'].read_block((1, 1))[0].tolist()))").json() == list(
        range(2525, 2550)
    )


@pytest.mark.parametrize(
    "code",
    [
        "client['emp'].read(['id', 'salary'])",
        "client['emp'].read()",
        "client['emp/salary'].read()",
        "client['emp'].export('out.csv')",
    ],
)
def test_a_denial_is_said_once(gate, code):
    before = len(gate.recorded())
    with asked_once(gate, "Tiled's Python client", pieces=True):
        said = ask(gate, f"""
try:
    print({code})
except Exception as error:
    sys.exit(str(error))
""")  # fmt: skip
    assert said.code == 1
    assert_said_once(said, REASON, NEXT)
    said.lacks("123-45-")
    refused = [exchange for exchange in since(gate, before) if exchange["verdict"].startswith("refused")]
    partitions = {exchange["request"] for exchange in refused}
    assert len(refused) == len(partitions) <= 5  # each partition was asked for once: nothing was tried again


def test_a_column_as_a_node_never_leaves_unmasked(gate):
    said = ask(gate, "print(client['emp/ssn'].read())")
    assert said.code != 0
    said.lacks("123-45-")


def test_a_write_waits_for_an_approver(gate):
    said = gate.workstation().run(
        ["curl", "-sS", "-X", "DELETE", "https://tiled.acme.example/api/v1/metadata/emp"]
    )  # fmt: skip
    assert "detail" in said.out  # an admin operation: nothing allows it
    said = gate.workstation().run(
        ["curl", "-sS", "-X", "PUT", "-H", "Prefer: wait=0", "--data-binary", "x",
         "https://tiled.acme.example/api/v1/table/full/emp"]
    )  # fmt: skip
    assert said.out.count("Tables are changed by data stewards.") == 1
