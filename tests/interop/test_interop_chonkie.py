"""chonkie's own server with the client of its cloud, which insists on its vendor's host name."""

from __future__ import annotations

import pytest

from tests.interop.denials import NEXT, REASON, asked_once, assert_said_once, since
from tests.interop.environments import Environment

pytestmark = pytest.mark.interop

CHECKED = [("chonkie", "chonkie 1.7.0", "`chonkie.cloud` 1.7.0, curl")]

CHONKIE = Environment("chonkie", ("chonkie[api,cli]==1.7.0", "greenlet==3.5.6"))
POLICY = """
[services.chonkie]
hosts = ["api.chonkie.ai"]
dialect = "chonkie"
connect = "http://127.0.0.1:@SERVICE@"
addresses = ["127.0.0.0/8"]

[[rules]]
id = "engineers-chunk"
effect = "allow"
who = ["group:engineering", "group:data-stewards"]
kind = ["poll", "upload"]

[[rules]]
id = "fraud-looks"
effect = "allow"
who = ["group:fraud"]
kind = ["poll"]

[[rules]]
id = "not-everybody"
effect = "deny"
who = ["group:fraud"]
kind = ["upload"]
reason = "Salaries are for payroll."
next_step = "Leave the column out."

[[rules]]
id = "stewards-ask"
effect = "hold"
who = ["group:data-stewards"]
kind = ["upload"]
approvers = ["group:engineering"]
hold_seconds = 1.0
reason = "Documents of stewards are looked at first."

[[masks]]
id = "texts"
path = "$[*].text"
method = "redact"
unless = ["person:ada"]
"""
CODE = """
import json, sys
from chonkie.cloud import TokenChunker
try:
    chunker = TokenChunker(tokenizer="character", chunk_size=24, chunk_overlap=4, api_key="k")
    print(json.dumps([chunk.text for chunk in chunker.chunk("Patient Jane Roe, SSN 123-45-6789, was admitted.")]))
except ValueError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def gate(make_gate, make_server, tmp_path_factory):
    CHONKIE.make()
    folder = tmp_path_factory.mktemp("chonkie")
    serve = [CHONKIE.run("chonkie"), "serve", "--host", "127.0.0.1", "--port"]
    server = make_server(lambda port: [*serve, str(port)], folder)
    with make_gate(folder, POLICY.replace("@SERVICE@", str(server.port)), with_console=True) as running:
        yield running


def test_a_text_comes_back_in_chunks(gate):
    before = len(gate.recorded())
    chunks = gate.workstation("ada").python(CHONKIE, CODE).json()
    assert "".join(chunk[:20] for chunk in chunks).startswith("Patient Jane Roe, SSN 123-45")
    assert [exchange["kind"] for exchange in since(gate, before)] == ["poll", "upload"]


def test_a_denial_is_said_once_and_not_tried_again(gate):
    before = len(gate.recorded())
    with asked_once(gate, "chonkie.cloud"):
        said = gate.workstation("grace").python(CHONKIE, CODE)
    assert said.code == 1
    assert_said_once(said, REASON, NEXT)
    assert [exchange["kind"] for exchange in since(gate, before)] == ["poll", "upload"]


def test_a_document_is_denied_in_the_services_words(gate):
    said = gate.workstation("grace").run(
        ["curl", "-sS", "--json", '{"text": "x"}', "https://api.chonkie.ai/v1/chunk/token"]
    )  # fmt: skip
    assert_said_once(said, REASON, NEXT)


def test_a_held_document_is_said_once_and_chunked_once_it_was_approved(gate):
    before = len(gate.recorded())
    said = gate.workstation("linus").python(CHONKIE, CODE)
    assert said.code == 1
    assert_said_once(said, "Documents of stewards are looked at first.")
    assert [exchange["kind"] for exchange in since(gate, before)] == ["poll", "upload"]
    gate.approve("stewards-ask", "ada")
    assert gate.workstation("linus").python(CHONKIE, CODE).json() == ["[redacted]"] * 3
