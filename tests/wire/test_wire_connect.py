"""`connect`: the client keeps the service's name, and the gateway dials where the policy says, and nowhere else."""

import json

import pytest

from demo.certificates import certificates
from tests.origin import Origin
from tests.running import Running, Wire

PATH = "/datasets/things/chunks/1"
NAME = "acct.warehouse.test"


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A certificate for the vendor's name, and its authority."""
    return certificates(tmp_path_factory.mktemp("named"), NAME)


@pytest.fixture(scope="module")
def gate(provider, named, certs, tmp_path_factory):
    """`clear` speaks plain HTTP, `tls` has a certificate for the vendor's name, `wrong` one for another name."""
    clear, tls, wrong = Origin(None), Origin(named.service), Origin(certs.service)
    both = tmp_path_factory.mktemp("both") / "ca.pem"
    both.write_bytes(named.ca.read_bytes() + certs.ca.read_bytes())
    running = Running(
        folder=tmp_path_factory.mktemp("connect"), issuer=provider.issuer, ca=both, hosts=["chunks.test"], way="up"
    )
    services = {
        "clear": ("clear.test", f"http://127.0.0.1:{clear.port}", '["127.0.0.0/8"]'),
        "tls": (NAME, f"127.0.0.1:{tls.port}", '["127.0.0.0/8"]'),
        "byname": ("byname.test", f"http://localhost:{clear.port}", '["127.0.0.0/8"]'),
        "wrong": ("wrong.test", f"127.0.0.1:{wrong.port}", '["127.0.0.0/8"]'),
        "private": ("private.test", f"http://localhost:{clear.port}", "[]"),
        "itself": ("itself.test", f"http://localhost:{running.port}", '["127.0.0.0/8", "::1/128"]'),
    }
    running.more = "".join(
        f'[services.{name}]\nhosts = ["{host}"]\ndialect = "chunks"\nconnect = "{connect}"\naddresses = {networks}\n'
        for name, (host, connect, networks) in services.items()
    )
    running.more += f'[[rules]]\nid = "all"\neffect = "allow"\nservice = {list(services)}\ndataset = ["*"]\n'.replace(
        "'", '"'
    )
    running.clear, running.tls, running.wrong = clear, tls, wrong
    with running:
        yield running
    for server in (clear, tls, wrong):
        server.close()


def through(gate, provider, host, sni=None, alpn=None):
    wire = Wire(gate.port)
    assert b" 200 " in wire.connect(host, 443, provider.token("ada"))
    return wire.tls(gate.gateway_ca, sni or host, alpn)


def ask(host, extra=""):
    return f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode()


@pytest.mark.parametrize("host", ["clear.test", "byname.test"])
def test_a_clear_text_service_is_dialled_and_told_the_client_used_https(gate, provider, host):
    before = len(gate.clear.received)
    wire = through(gate, provider, host)
    status, _, body = wire.ask(ask(host, "X-Forwarded-Proto: http\r\n"))
    assert (status, json.loads(body)) == (200, {"rows": []}), body
    sent = bytes(gate.clear.received[before:]).lower()
    assert f"\r\nhost: {host}\r\n".encode() in sent and sent.startswith(b"get " + PATH.encode() + b" http/1.1\r\n")
    assert sent.count(b"x-forwarded-proto") == 1 and b"\r\nx-forwarded-proto: https\r\n" in sent


def test_tls_is_verified_against_the_services_name(gate, provider):
    before = len(gate.tls.received)
    status, _, _ = through(gate, provider, NAME).ask(ask(NAME))
    sent = bytes(gate.tls.received[before:]).lower()
    assert status == 200 and f"\r\nhost: {NAME}\r\n".encode() in sent and b"x-forwarded-proto" not in sent


def test_a_certificate_for_the_place_and_not_for_the_name_is_refused(gate, provider):
    before = len(gate.wrong.received)
    assert through(gate, provider, "wrong.test").ask(ask("wrong.test"))[0] == 502
    assert len(gate.wrong.received) == before


def test_one_connection_serves_many_requests(gate, provider):
    wire = through(gate, provider, "clear.test")
    before = gate.clear.connections
    assert [wire.ask(ask("clear.test"))[0] for _ in range(5)] == [200] * 5
    assert gate.clear.connections == before + 1


@pytest.mark.parametrize("host", ["private.test", "itself.test"])
def test_what_is_dialled_is_checked_like_any_other_address(gate, provider, host):
    before = gate.clear.connections
    status, _, body = through(gate, provider, host).ask(ask(host))
    assert status == 502 and b"rows" not in body
    assert gate.clear.connections == before


@pytest.mark.parametrize(
    ("host", "sni", "header"),
    [
        ("clear.test", "clear.test", "127.0.0.1"),
        ("clear.test", NAME, "clear.test"),
        ("clear.test", "clear.test", NAME),
        ("127.0.0.1", "clear.test", "clear.test"),
        ("localhost", "localhost", "localhost"),
    ],
)
def test_the_clients_names_have_to_agree_on_the_service(gate, provider, host, sni, header):
    before = gate.clear.connections, gate.tls.connections
    wire = Wire(gate.port)
    status = int(wire.connect(host, 443, provider.token("ada")).split()[1])
    if status == 200:
        status, _, _ = wire.tls(gate.gateway_ca, sni).ask(ask(header))
    assert status in (403, 421)
    assert (gate.clear.connections, gate.tls.connections) == before


def test_the_place_itself_is_no_service(gate, provider):
    wire = Wire(gate.port)
    before = gate.clear.connections
    assert b" 403 Host not in the policy" in wire.connect("127.0.0.1", gate.clear.port, provider.token("ada"))
    assert gate.clear.connections == before
