"""Other hosts that are reached: run by test_e2e_others.py in a namespace where 11.0.0.7 is an address of this machine.

`mirror.example.org` is listed in tunnel_hosts, `web.example.org` is inspected. Both are on 11.0.0.7.
"""

from __future__ import annotations

import datetime
import json
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.investigating import kept, listed
from tests.origin import Origin, json_response
from tests.running import Wire

MIRROR, WEB = "mirror.example.org", "web.example.org"
RULES = '[[rules]]\nid = "web"\neffect = "allow"\nservice = ["others"]\nkind = ["read"]\n'
BODY = b'{"from":"the other host"}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Key and certificate for both names, which is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another host")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(MIRROR), x509.DNSName(WEB)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("other") / "other.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + signed.public_bytes(pem))
    return path


@pytest.fixture(scope="module")
def other(certificate):
    server = Origin(certificate, lambda request: json_response(BODY), "11.0.0.7", 443)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, certificate, tmp_path_factory):
    """Inspects what is not listed; believes the other host's certificate and nobody else's."""
    lines = f'others = "inspect"\ntunnel_hosts = ["{MIRROR}"]'
    with gateway(
        tmp_path_factory.mktemp("gate"), ["localhost:9"], gateway=lines, more=RULES, ca=certificate
    ) as running:
        yield running


def through(gate, host, token, ca, sni=None):
    wire = Wire(gate.port)
    assert wire.connect(host, 443, token).startswith(b"HTTP/1.1 200 ")
    return wire.tls(ca, sni or host)


def get(wire, host, method="GET", extra="", body=""):
    return wire.ask(f"{method} /file HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n{body}".encode())


def test_a_listed_host_is_reached_untouched(gate, other, certificate, provider):
    token = provider.token("ada")
    wire = through(gate, MIRROR, token, certificate)  # its own certificate, not one of the gateway's
    pem = ssl.DER_cert_to_PEM_cert(wire.socket.getpeercert(binary_form=True))
    assert pem.strip() in certificate.read_text()
    before = len(other.received)
    assert get(wire, MIRROR)[::2] == (200, BODY)
    assert bytes(other.received[before:]) == f"GET /file HTTP/1.1\r\nHost: {MIRROR}\r\n\r\n".encode()
    wire.close()
    while not (found := [e for e in listed(gate).exchanges if e["service"] == "tunnel"]):
        pass  # it is written down when the tunnel has ended
    (line,) = found
    assert (line["subject"], line["service"], line["rules"]) == ("ada", "tunnel", ["tunnel"]), line
    assert not [path for path, data in kept(gate.state) if token.encode() in data or BODY in data]


def test_a_listed_host_is_not_reached_by_nobody(gate, other):
    before = other.connections
    assert Wire(gate.port).connect(MIRROR, 443).startswith(b"HTTP/1.1 407 ")
    assert other.connections == before


def test_listed_and_another_name_inside_is_judged_as_what_it_is(gate, other, provider):
    before = other.connections
    for host, sni in ((MIRROR, WEB), (WEB, MIRROR)):
        wire = through(gate, host, provider.token("ada"), gate.gateway_ca, sni)
        assert get(wire, host)[0] == 421
        wire.close()
    assert other.connections == before


def test_an_inspected_host_is_reached_judged_and_recorded(gate, other, provider):
    token = provider.token("ada")
    wire = through(gate, WEB, token, gate.gateway_ca)
    before = len(other.received)
    assert get(wire, WEB, extra="Accept: */*\r\n")[::2] == (200, BODY)
    sent = bytes(other.received[before:])
    assert sent.startswith(b"GET /file HTTP/1.1\r\n") and b"eyJ" not in sent and b"the-service-secret" not in sent
    status, _, answer = get(wire, WEB, "POST", "Content-Length: 4\r\n", "data")
    assert status == 403 and json.loads(answer)["type"] == "urn:sluicegate:no-rule"
    assert len(other.received) == before + len(sent)
    wire.close()
    found = [e for e in listed(gate).exchanges if e["service"] == "others"]
    lines = [(e["subject"], e["service"], e["kind"], e["verdict"], e["status"]) for e in found]
    assert lines == [
        ("ada", "others", "read", "allow", 200),
        ("ada", "others", "upload", "refused: no-rule", 403),
    ]
    assert not [path for path, data in kept(gate.state) if token.encode() in data]


def test_an_inspected_host_with_a_certificate_that_nobody_signed(gateway, certs, other, provider, tmp_path):
    with gateway(tmp_path, ["localhost:9"], gateway='others = "inspect"', more=RULES, ca=certs.ca) as gate:
        before = len(other.received)
        wire = through(gate, WEB, provider.token("ada"), gate.gateway_ca)
        status, _, answer = get(wire, WEB)
        assert status == 502 and BODY not in answer and len(other.received) == before
        wire.close()
