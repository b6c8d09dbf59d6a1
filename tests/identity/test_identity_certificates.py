"""Client certificates: who vouches for whom, and what a certificate of anybody's own making is worth."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mitmproxy.certs import Cert

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.errors import Fault, Refusal
from sluicegate.identity.addon import IdentityAddon
from sluicegate.identity.certificates import ClientCertificates
from sluicegate.settings.model import Identity
from tests.identity.test_identity_addon import basic, connect_of, flow_of, refused, run
from tests.provider import Provider

NOW = 1_750_000_000.0
DAY = datetime.timedelta(days=1)


class Authority:
    """A small authority, with an intermediate when asked."""

    def __init__(self, name: str = "Acme Devices", signer: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._make(signer)

    def _make(self, signer: Authority | None) -> x509.Certificate:
        now, by = datetime.datetime.fromtimestamp(NOW, datetime.UTC), signer or self
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            x509.CertificateBuilder(by.name, self.name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 100 * DAY)
            .not_valid_after(now + 100 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), False)
            .sign(by.key, hashes.SHA256())
        )

    def issue(
        self,
        common: str = "ada",
        *,
        names: tuple[x509.GeneralName, ...] = (x509.RFC822Name("ada@corp.example"),),
        days: int = 10,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        key: Any = None,
    ) -> x509.Certificate:
        key, now = key or ec.generate_private_key(ec.SECP256R1()), datetime.datetime.fromtimestamp(NOW, datetime.UTC)
        builder = (
            x509.CertificateBuilder(
                self.name,
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]),
                key.public_key(),
                x509.random_serial_number(),
            )
            .not_valid_before(now - 20 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.ExtendedKeyUsage([usage]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self.key, hashes.SHA256())

    def pem(self, folder: Path) -> str:
        path = folder / "clients.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


ACME = Authority()


@pytest.fixture
def certificates(tmp_path: Path) -> ClientCertificates:
    return ClientCertificates(ACME.pem(tmp_path))


def test_whom_a_certificate_is_for(certificates: ClientCertificates) -> None:
    others = (
        x509.RFC822Name("ada@corp.example"),
        x509.UniformResourceIdentifier("urn:person:ada"),
        x509.DNSName("laptop"),
    )
    found = certificates.check([ACME.issue(names=others)], NOW)
    assert found.names == {"ada", "ada@corp.example", "urn:person:ada", "laptop"}
    assert len(found.device) == 64 and found.ends == NOW + 10 * 86_400


def test_an_intermediate_may_stand_between(certificates: ClientCertificates) -> None:
    between = Authority("Acme Devices 2", ACME)
    assert certificates.check([between.issue(), between.certificate], NOW).names >= {"ada"}
    with pytest.raises(Refusal, match="certificate-untrusted"):
        certificates.check([between.issue()], NOW)


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(lambda: [Authority().issue()], id="of another authority of the same name"),
        pytest.param(lambda: [Authority("x").certificate], id="signed by itself"),
        pytest.param(lambda: [ACME.issue(days=-1)], id="ended"),
        pytest.param(lambda: [ACME.issue(usage=ExtendedKeyUsageOID.SERVER_AUTH)], id="for servers"),
        pytest.param(lambda: [ACME.certificate], id="the authority itself"),
        pytest.param(lambda: [ACME.issue()] * 9, id="too many"),
    ],
)
def test_what_nobody_vouches_for(certificates: ClientCertificates, chain: Any) -> None:
    with pytest.raises(Refusal) as caught:
        certificates.check(chain(), NOW)
    assert caught.value.code == "certificate-untrusted"


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_authorities_that_cannot_be_read_are_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pem").write_bytes(content)
    with pytest.raises(Fault):
        ClientCertificates(str(tmp_path / "x.pem"))


@pytest.fixture
async def addon(provider: Provider, clock: SetClock, database: Database, tmp_path: Path) -> Any:
    addon = IdentityAddon(Identity(issuer=provider.issuer, client_ca=ACME.pem(tmp_path)), database, clock)
    await addon.open()
    yield addon
    await addon.close()


def shown(flow: Any, *chain: x509.Certificate) -> Any:
    flow.client_conn.certificate_list = [Cert(one) for one in chain]
    return flow


async def test_a_certificate_of_the_same_person_makes_it_bound(addon: IdentityAddon, provider: Provider) -> None:
    connect = shown(connect_of((b"Proxy-Authorization", basic(provider.token("ada")))), ACME.issue())
    assert (await run(addon, "http_connect", connect)).principal.assurance == "bound"
    connect.client_conn.certificate_list = []  # as mitmproxy does when the inner TLS begins
    for _ in range(2):
        who = (await run(addon, "request", flow_of(connection=connect))).principal
        assert who is not None and (who.subject, who.assurance) == ("ada", "bound")
        assert who.device is not None and len(who.device) == 64
    plain = shown(flow_of((b"Proxy-Authorization", basic(provider.token("ada")))), ACME.issue())
    assert (await run(addon, "request", plain)).principal.assurance == "bound"


async def test_without_a_certificate_it_is_bearer(addon: IdentityAddon, provider: Provider) -> None:
    exchange = await run(addon, "request", flow_of((b"Proxy-Authorization", basic(provider.token("ada")))))
    assert exchange.principal is not None and exchange.principal.assurance == "bearer"


async def test_a_certificate_of_somebody_else_is_refused(addon: IdentityAddon, provider: Provider) -> None:
    connect = shown(connect_of((b"Proxy-Authorization", basic(provider.token("mallory")))), ACME.issue())
    exchange = await run(addon, "http_connect", connect)
    assert exchange.principal is None
    assert (await refused(addon, "request", flow_of(connection=connect))).code == "credential-mismatch"


async def test_a_certificate_of_ones_own_making_is_refused(addon: IdentityAddon, provider: Provider) -> None:
    own = Authority("Acme Devices").issue("ceo@corp.example")
    connect = shown(connect_of((b"Proxy-Authorization", basic(provider.token("ada")))), own)
    await run(addon, "http_connect", connect)
    assert (await refused(addon, "request", flow_of(connection=connect))).code == "certificate-untrusted"


async def test_a_certificate_alone_is_no_credential(addon: IdentityAddon) -> None:
    assert (await refused(addon, "http_connect", shown(connect_of(), ACME.issue()))).status == 407


async def test_a_certificate_ends_in_a_tunnel_too(addon: IdentityAddon, provider: Provider, clock: SetClock) -> None:
    clock.time = NOW
    token = provider.token("ada", iat=int(NOW), exp=int(NOW) + 86_400)
    connect = shown(connect_of((b"Proxy-Authorization", basic(token))), ACME.issue(days=0))
    clock.time = NOW - 60
    await run(addon, "http_connect", connect)
    connect.client_conn.certificate_list = []
    clock.time = NOW + 1
    assert (await refused(addon, "request", flow_of(connection=connect))).code == "certificate-untrusted"


async def test_the_connection_of_one_certificate_does_not_serve_another(
    addon: IdentityAddon, provider: Provider
) -> None:
    token = provider.token("ada")
    connect = shown(connect_of((b"Proxy-Authorization", basic(token))), ACME.issue())
    await run(addon, "http_connect", connect)
    again = connect_of((b"Proxy-Authorization", basic(token)))
    again.client_conn = connect.client_conn
    again.client_conn.certificate_list = []
    await run(addon, "http_connect", again)
    exchange = await run(addon, "request", flow_of(connection=connect))
    assert exchange.principal is not None and exchange.principal.assurance == "bearer"
