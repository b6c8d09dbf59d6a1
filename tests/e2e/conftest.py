"""The chunk service, and what every gateway of these tests must have kept to itself."""

from __future__ import annotations

import base64
import contextlib

import pytest

from tests.e2e.chunks import SECRET, ChunkService
from tests.running import Running


@pytest.fixture(scope="session")
def service(certs):
    """The demo's chunk service, with the certificates of the session."""
    running = ChunkService(certs.ca.parent)
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(provider, certs):
    """Makes gateways to use in a `with`; what one printed while it ran is looked through at its end."""

    @contextlib.contextmanager
    def made(folder, hosts, **changes):
        running = Running(**{"folder": folder, "issuer": provider.issuer, "ca": certs.ca, "hosts": hosts, **changes})
        with running:
            yield running
        said = "\n".join(running.lines)
        for secret in ("eyJ", SECRET, base64.b64encode(b"u:eyJ").decode()[:6], "Traceback", "123-45-6789"):
            assert secret not in said, said

    return made
