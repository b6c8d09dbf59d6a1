"""How long a client waits for an answer before it gives up: one that is held longer fails without a word from us.

As measured without any setting of the user's. One who has set a longer time says so with `Prefer: wait=N`.
"""

from __future__ import annotations

_SECONDS = (
    ("python-httpx", 4.0),  # gives up after 5; httpx2 is named alike
    ("okhttp/", 8.0),  # after 10
    ("pip/", 12.0),  # after 15, and tries again
    ("boto3/", 50.0),  # after 60
    ("botocore/", 50.0),
    ("aws-cli/", 50.0),
    ("aws-sdk-", 50.0),
    ("ruby", 50.0),  # after 60
    ("faraday", 50.0),
)


def patience(user_agent: str) -> float | None:
    """Seconds that the client can be held, a little less than it waits; None for one that is not known to give up."""
    name = user_agent[:40].lower()
    for start, seconds in _SECONDS:
        if name.startswith(start):
            return seconds
    return None
