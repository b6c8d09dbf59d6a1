"""The bench of labelled events: tests of rules are read as text, and written as the requests that they were."""

from __future__ import annotations

import zipfile

from bench.labelled import Labelled, labelled, request, said, settings
from sluicegate.clock import SystemClock
from sluicegate.operations import Reader

RULE = """
raise SystemExit("never run")


class CopiedIntoStage(Rule):
    tests = [
        RuleTest(name="out", expected_result=True, mocks=[Mock(x())], log={"QUERY_TEXT": "COPY INTO '@s/x' FROM hr.emp"}),
        RuleTest(name="in", expected_result=False, log={"QUERY_TEXT": "COPY INTO t FROM @s/x"}),
    ]
"""
POLICY = {
    "eventSource": "s3.amazonaws.com",
    "eventName": "PutBucketPolicy",
    "requestParameters": {"bucketName": "b", "bucketPolicy": {"Statement": []}},
}


def test_tests_of_the_chosen_rules_are_read_and_never_run(tmp_path):
    wheel = tmp_path / "rules.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("rules/snowflake_stream_table_copied_into_stage.py", RULE)
        packed.writestr("rules/about_something_else.py", RULE)
    assert [(one.name, one.bad) for one in labelled(wheel)] == [("out", True), ("in", False)]


def test_an_event_is_written_as_its_request_and_read_by_the_dialect():
    service, view = request(POLICY)
    assert (service, view.method, view.path, view.query) == ("s3", "PUT", "/b", "policy")
    assert request({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}) is None
    told = settings()
    kind, found = said(Labelled("r", "n", True, POLICY), Reader(told, SystemClock()), told)
    assert kind.startswith("share") and "new-destination" in found
