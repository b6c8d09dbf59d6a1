"""What the tests on the wire share: an identity provider, and certificates."""

from __future__ import annotations

import pytest

from demo.certificates import certificates
from tests.provider import Provider


@pytest.fixture(scope="session")
def provider():
    """A real OIDC provider on loopback."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """An authority and a certificate for localhost and 127.0.0.1."""
    return certificates(tmp_path_factory.mktemp("certificates"))
