"""What the tests on the wire share: an identity provider, and certificates."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from demo.certificates import certificates
from tests.postgres import Missing, Postgres
from tests.provider import Provider

# How long an example takes says something about the machine, not about the code.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is judged by what it changed; `make fuzz` looks for new ones.
settings.register_profile("repeat", settings.get_profile("search"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


LONG = (
    *("wire", "e2e", "console", "interop", "transparent", "approvals", "identity", "detection", "recording"),
    *("workstation", "leak_matrix", "masking", "sql"),
)
"""Folders whose files take long. They go first, so that at the end there is something short for whoever is free."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: index for index, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(Path(item.nodeid.partition("::")[0]).parent.name, len(LONG)))


@pytest.fixture(autouse=True, scope="session")
def nobody_signed_in(tmp_path_factory):
    """The sign-in of whoever runs the tests is no part of them."""
    before = os.environ.get("SLUICEGATE_CONFIG")
    os.environ["SLUICEGATE_CONFIG"] = str(tmp_path_factory.mktemp("config"))
    yield
    if before is None:
        del os.environ["SLUICEGATE_CONFIG"]
    else:
        os.environ["SLUICEGATE_CONFIG"] = before


@pytest.fixture(scope="session")
def provider():
    """A real OIDC provider on loopback."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """An authority and a certificate for localhost and 127.0.0.1."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL on a socket of its own."""
    try:
        server = Postgres()
    except Missing as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()
