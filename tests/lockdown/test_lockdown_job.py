"""The header that declares a job: read once, and never handed on."""

import pytest

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
