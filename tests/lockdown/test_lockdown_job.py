"""The header that declares a job: read once, and never handed on."""

import pytest

from sluicegate.errors import Refusal
from sluicegate.lockdown.head import read

HOST = (b"Host", b"chunks.test")


@pytest.mark.parametrize(
    ("fields", "job"),
    [
        ((), None),
        (((b"Sluicegate-Job", b"night"),), "night"),
        (((b"sluicegate-job", b""),), ""),
        (((b"SLUICEGATE-JOB", b"a"), (b"sluicegate-job", b"b")), "a, b"),
    ],
)
def test_the_job_is_said_to_the_gateway_alone(fields, job):
    head = read((HOST, *fields))
    assert head.job == job and head.onward == (HOST,)


@pytest.mark.parametrize(
    ("fields", "purpose", "ask_only"),
    [
        ((), "", False),
        (((b"Sluicegate-Reason", " Quarter’s end ".encode()),), "Quarter’s end", False),
        (((b"sluicegate-reason", b"a"), (b"SLUICEGATE-REASON", b"b")), "a b", False),
        (((b"Sluicegate-Ask", b"only"),), "", True),
        (((b"sluicegate-ask", b"no"),), "", True),
    ],
)
def test_what_is_said_to_the_approvers_ends_here(fields, purpose, ask_only):
    head = read((HOST, *fields))
    assert (head.purpose, head.ask_only, head.onward) == (purpose, ask_only, (HOST,))


@pytest.mark.parametrize("reason", [b"x" * 501, "a\u202eb".encode(), b"a\xff\tb"])
def test_a_reason_that_cannot_be_shown_is_refused(reason):
    with pytest.raises(Refusal) as caught:
        read((HOST, (b"Sluicegate-Reason", reason)))
    assert caught.value.status == 400
