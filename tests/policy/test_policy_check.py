"""What is wrong with rules and masks: all of it, on its line, with what was probably meant."""

import json

from sluicegate.policy import problems
from sluicegate.policy.schema import SHIPPED, schema
from sluicegate.settings import load

HEAD = """[identity]
issuer = "https://idp.test"
[dialects.chunks]
routes = [{ request = "GET /", kind = "read" }]
[services.chunks]
hosts = ["chunks.test"]
dialect = "chunks"
[services.second]
hosts = ["second.test"]
dialect = "chunks"
[datasets.customers]
service = "chunks"
columns = { ssn = "restricted", email = "personal" }
"""
LINES = HEAD.count("\n")


def found(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + text)
    return [(p.line - LINES, p.where, p.suggestion) for p in problems(load(path))]


def test_good_rules_have_no_problem(tmp_path):
    text = """[[rules]]
id = "a"
effect = "hold"
who = ["group:x", "person:y"]
approvers = ["group:z"]
dataset = ["customers", "public-*"]
columns = ["ssn", "personal"]
destination = ["s3://acme-*", "*"]
[[masks]]
id = "b"
path = "$.rows[*].ssn"
method = "null"
"""
    assert found(tmp_path, text) == []


def test_bad_rules(tmp_path):
    text = """[[rules]]
id = "a"
effect = "hold"
[[rules]]
id = "a"
effect = "allow"
who = ["groups:x", "fraud", "group:", "group: "]
service = ["chunk", "others", "tunnel"]
dataset = ["customer", "zzz"]
columns = ["snn", "Restricted", "zzz"]
destination = ["external", "bucket"]
approvers = ["persn:x"]
hold_seconds = 3.0
[[rules]]
id = "tunnel"
effect = "deny"
service = ["second"]
dataset = ["customers"]
"""
    assert found(tmp_path, text) == [
        (1, "rules.0", 'add approvers = ["group:..."]'),
        (5, "rules.1.id", "choose another id"),
        (7, "rules.1.who", "write `group:fraud`"),
        (7, "rules.1.who", "write the name behind the colon"),
        (7, "rules.1.who", "write the name behind the colon"),
        (7, "rules.1.who", "did you mean `group`?"),
        (8, "rules.1.service", "list hosts in gateway.tunnel_hosts instead"),
        (8, "rules.1.service", 'set gateway.others = "inspect"'),
        (8, "rules.1.service", "did you mean `chunks`?"),
        (9, "rules.1.dataset", "did you mean `customers`?"),
        (9, "rules.1.dataset", "declare it under [datasets], or write a glob for others"),
        (10, "rules.1.columns", "did you mean `restricted`?"),
        (10, "rules.1.columns", "did you mean `ssn`?"),
        (10, "rules.1.columns", "declare it under [datasets.*].columns"),
        (11, "rules.1.destination", "write a scheme, such as `s3://bucket`"),
        (11, "rules.1.destination", 'write destination = "external" without brackets'),
        (12, "rules.1.approvers", "did you mean `person`?"),
        (12, "rules.1.approvers", 'leave it out, or make the effect "hold"'),
        (13, "rules.1.hold_seconds", 'leave it out, or make the effect "hold"'),
        (15, "rules.2.id", "choose another id"),
        (18, "rules.2.dataset", ""),
    ]


def test_bad_terms_of_approvals(tmp_path):
    text = """[[rules]]
id = "a"
effect = "hold"
approvers = ["person:x"]
approval = { quorum = 2, conflicts = ["groups:x", "claim:manager", "team", "group:ok-*"], break_glass = ["machine:m"] }
[[rules]]
id = "b"
effect = "deny"
approval = { quorum = 1 }
[console]
operators = ["ops"]
"""
    assert found(tmp_path, text) == [
        (5, "rules.0.approval.break_glass", "people approve, and machines do not"),
        (5, "rules.0.approval.conflicts", "did you mean `group`?"),
        (5, "rules.0.approval.conflicts", ""),
        (5, "rules.0.approval.conflicts", "add it to relation_claims of [identity]"),
        (5, "rules.0.approval.quorum", "name more, or a group"),
        (9, "rules.1.approval", 'leave it out, or make the effect "hold"'),
        (11, "console.operators", "write `group:ops`"),
    ]


def test_bad_masks(tmp_path):
    text = """[[rules]]
id = "m"
effect = "deny"
[[masks]]
id = "m"
method = "null"
[[masks]]
id = "n"
method = "null"
columns = ["ssn"]
path = "$.a["
unless = ["fraud"]
[[masks]]
id = "o"
method = "null"
path = "$"
[[masks]]
id = "p"
method = "null"
path = "$..book[?(@.price)]"
service = ["chunky"]
"""
    assert [(line, where) for line, where, _ in found(tmp_path, text)] == [
        (4, "masks.0"),
        (5, "masks.0.id"),
        (7, "masks.1"),
        (11, "masks.1.path"),
        (12, "masks.1.unless"),
        (16, "masks.2.path"),
        (20, "masks.3.path"),
        (21, "masks.3.service"),
    ]


def test_others_may_be_named_when_they_are_inspected(tmp_path):
    path = tmp_path / "policy.toml"
    rule = '[[rules]]\nid = "a"\neffect = "allow"\nservice = ["others"]\n'
    path.write_text('[gateway]\nothers = "inspect"\n' + HEAD + rule)
    assert problems(load(path)) == []


def test_the_shipped_schema_is_that_of_the_model():
    """Write it anew with `python -m sluicegate.policy.schema`."""
    assert SHIPPED.read_text(encoding="utf-8") == schema()
    tables = json.loads(schema())["properties"]
    assert {"gateway", "identity", "services", "datasets", "rules", "masks"} <= set(tables)


def test_sealing_needs_somebody_who_can_open_it_and_something_that_passes(tmp_path):
    rules = """[[rules]]
id = "a"
effect = "allow"
seal = true
[[rules]]
id = "b"
effect = "deny"
seal = true
results_of_others = true
[console]
keepers = ["ops"]
"""
    assert found(tmp_path, rules) == [
        (4, "rules.0.seal", "name recipients under [recording]"),
        (8, "rules.1.seal", "leave it out"),
        (9, "rules.1.results_of_others", "leave it out"),
        (11, "console.keepers", "write `group:ops`"),
    ]
