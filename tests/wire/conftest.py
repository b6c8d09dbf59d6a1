"""A gateway of each kind in front of an origin that keeps every byte."""

from __future__ import annotations

import pytest

from tests.origin import Origin, json_response
from tests.running import Running, Wire


@pytest.fixture(scope="module", params=["up", "script"])
def gate(request, provider, certs, tmp_path_factory):
    """A running gateway with three origins: `origin` (governed), `rebound` (named, but private) and `other`."""
    origin, rebound, other = Origin(certs.service), Origin(certs.service), Origin(certs.service)
    running = Running(
        folder=tmp_path_factory.mktemp(f"gate-{request.param}"),
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}", f"127.0.0.1:{origin.port}"],
        way=request.param,
        alone=True,
    )
    running.more = f"""
[services.rebound]
hosts = ["localhost:{rebound.port}"]
dialect = "chunks"

[services.metadata]
hosts = ["http://169.254.169.254"]
dialect = "chunks"
addresses = ["169.254.0.0/16"]

[services.loop]
hosts = ["http://localhost:{running.port}"]
dialect = "chunks"
addresses = ["127.0.0.0/8", "::1/128"]

[[rules]]
id = "loop-and-rebound"
effect = "allow"
service = ["rebound", "metadata", "loop"]
dataset = ["*"]
kind = ["read", "unknown"]
"""
    running.origin, running.rebound, running.other = origin, rebound, other
    with running:
        yield running
    for server in (origin, rebound, other):
        server.close()


@pytest.fixture
def ada(provider):
    """A token of ada, who may read customers."""
    return provider.token("ada")


@pytest.fixture
def tunnel(gate, ada):
    """Opens a tunnel to the governed origin; the bytes that reach any origin are checked at the end by the test."""
    opened = []

    def open_tunnel(host="localhost", port=None, sni="localhost", token=ada, tls=True, alpn=None):
        wire = Wire(gate.port)
        opened.append(wire)
        head = wire.connect(host, port or gate.origin.port, token)
        assert b" 200 " in head.split(b"\r\n")[0], head
        # Of another name no client would believe our certificate; one that means ill does not care.
        return wire.tls(gate.gateway_ca if sni in (None, "localhost") else None, sni, alpn) if tls else wire

    yield open_tunnel
    for wire in opened:
        wire.close()


@pytest.fixture
def origin(certs):
    server = Origin(certs.service, lambda request: json_response(b'{"rows":[{"ssn":"123-45-6789"}]}'))
    yield server
    server.close()


@pytest.fixture
def make(provider, certs, origin, tmp_path):
    """A gateway that is not started yet."""

    def made(way="up", **changes):
        values = dict(folder=tmp_path, issuer=provider.issuer, ca=certs.ca, hosts=[f"localhost:{origin.port}"], way=way)
        return Running(**{**values, **changes})

    return made
