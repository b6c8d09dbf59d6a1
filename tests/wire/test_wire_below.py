"""`hosts = ["*.domain"]` on the wire: every host below is the service, each under its own name, and no other host is."""

import pytest

from tests.origin import Origin
from tests.running import Running, Wire

PATH = "/datasets/things/chunks/1"


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    """`wide` owns everything below buckets.test, `narrow` one host of it; each has an origin of its own."""
    wide, narrow = Origin(None), Origin(None)
    running = Running(
        folder=tmp_path_factory.mktemp("below"), issuer=provider.issuer, ca=certs.ca, hosts=["chunks.test"]
    )
    for name, host, origin in (("wide", "*.buckets.test", wide), ("narrow", "payroll.buckets.test", narrow)):
        running.more += (
            f'[services.{name}]\nhosts = ["{host}"]\ndialect = "chunks"\nconnect = "http://127.0.0.1:{origin.port}"\n'
            'addresses = ["127.0.0.0/8"]\n'
        )
    running.more += '[[rules]]\nid = "wide"\neffect = "allow"\nservice = ["wide"]\ndataset = ["*"]\n'
    running.wide, running.narrow = wide, narrow
    with running:
        yield running
    for server in (wide, narrow):
        server.close()


def ask(gate, provider, host, *, sni=None, header=None, port=443):
    wire = Wire(gate.port)
    status = int(wire.connect(host, port, provider.token("ada")).split()[1])
    if status != 200:
        return status
    wire.tls(gate.gateway_ca, sni or host)
    return wire.ask(f"GET {PATH} HTTP/1.1\r\nHost: {header or host}\r\n\r\n".encode())[0]


@pytest.mark.parametrize("host", ["a.buckets.test", "a.b.buckets.test", "A.Buckets.Test", "x.payroll.buckets.test"])
def test_every_host_below_is_the_service_under_its_own_name(gate, provider, host):
    before = len(gate.wide.received)
    assert ask(gate, provider, host) == 200
    assert f"\r\nhost: {host}\r\n".lower().encode() in bytes(gate.wide.received[before:]).lower()


@pytest.mark.parametrize(
    ("host", "options", "status"),
    [
        ("payroll.buckets.test", {}, 403),
        ("PAYROLL.buckets.test", {}, 403),
        ("buckets.test", {}, 403),
        ("evilbuckets.test", {}, 403),
        ("a.buckets.test.evil.test", {}, 403),
        ("a.buckets.test", {"header": "b.buckets.test"}, 421),
        ("a.buckets.test", {"header": "payroll.buckets.test"}, 421),
        ("a.buckets.test", {"sni": "payroll.buckets.test"}, 421),
        ("a.buckets.test", {"header": "a.buckets.test:8443"}, 421),
    ],
)
def test_no_other_host_is(gate, provider, host, options, status):
    before = [len(origin.received) for origin in (gate.wide, gate.narrow)]
    assert ask(gate, provider, host, **options) == status
    assert [len(origin.received) for origin in (gate.wide, gate.narrow)] == before


def test_another_port_is_another_place(gate, provider):
    before = gate.wide.connections
    assert ask(gate, provider, "a.buckets.test", port=8443, header="a.buckets.test:8443") == 403
    assert gate.wide.connections == before
