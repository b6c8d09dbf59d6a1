"""Prefer (RFC 7240): what clients may write, and what they write in order to break it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.approvals.patience import patience
from sluicegate.approvals.prefer import Preferences, preferences


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Preferences()),
        (["respond-async"], Preferences(None, True)),
        (["Respond-Async, WAIT=10"], Preferences(10.0, True)),
        (["wait=100", "respond-async"], Preferences(100.0, True)),
        (["wait = 5"], Preferences(5.0)),
        (['wait="7"'], Preferences(7.0)),
        (["wait=0"], Preferences(0.0)),
        (["wait=300"], Preferences(300.0)),
        (["wait=301"], Preferences(300.0)),
        (["wait=10, wait=20"], Preferences(10.0)),
        (["wait=10", "wait=20"], Preferences(10.0)),
        (['foo; a="x, respond-async"; b, wait=3'], Preferences(3.0)),
        (['return=minimal; foo="some parameter", respond-async;x'], Preferences(None, True)),
        (["wait=-1"], Preferences()),
        (["wait=1.5"], Preferences()),
        (["wait=nan"], Preferences()),
        (["wait=inf"], Preferences()),
        (["wait=1e9"], Preferences()),
        (["wait="], Preferences()),
        (["wait"], Preferences()),
        (["wait=\u0661"], Preferences()),
        (["wait=" + "9" * 5000], Preferences()),
        (["not-respond-async"], Preferences()),
        (['x="respond-async'], Preferences()),
        ([" , ,, wait=1 , "], Preferences(1.0)),
    ],
)
def test_examples(values: list[str], expected: Preferences) -> None:
    assert preferences(values) == expected


@given(st.lists(st.text() | st.text('wait=0 ,;"\\respond-async')))
def test_anything_is_read_and_bounded(values: list[str]) -> None:
    found = preferences(values)
    assert found.wait is None or 0 <= found.wait <= 300


def test_a_long_header_takes_no_long_time() -> None:
    preferences(['a=";' + '";"' * 50_000, "," * 100_000, "a;" * 100_000, " " * 100_000 + "\0"])


@pytest.mark.parametrize(
    ("agent", "seconds"),
    [
        ("python-httpx/0.28.1", 4.0),
        ("python-httpx2/2.16.2", 4.0),
        ("okhttp/4.12.0", 8.0),
        ('pip/26.3 {"ci":null}', 12.0),
        ("Boto3/1.44.5 md/Botocore#1.44.5", 50.0),
        ("aws-cli/2.1", 50.0),
        ("curl/7.88.1", None),
        ("python-requests/2.34.2", None),
        ("Mozilla/5.0 python-httpx/0.28.1", None),
        ("", None),
    ],
)
def test_nobody_is_held_longer_than_their_client_waits(agent: str, seconds: float | None) -> None:
    assert patience(agent) == seconds
