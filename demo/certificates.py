"""The demo's own certificates: a small authority, and a certificate for `localhost` and `127.0.0.1` signed by it.

The authority's key is thrown away as soon as it has signed, so that a `ca.pem` somebody trusts for the demo can never
be used to sign for another host.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 30
"""How long the certificates are good for."""
_RENEW = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are: `ca` is what clients trust, `service` is key and certificate of the service."""

    ca: Path
    service: Path


def certificates(folder: Path, host: str = "localhost") -> Certificates:
    """The certificates in the folder, for a host and 127.0.0.1.

    Made when there are none, when they do not fit each other, or when they end soon.
    Raises OSError when the folder cannot be written.
    """
    files = Certificates(folder / "ca.pem", folder / "service.pem")
    if not _usable(files):
        folder.mkdir(parents=True, exist_ok=True)
        ca, service = _make(host)
        _write(files.service, service, 0o600)
        _write(files.ca, ca, 0o644)
    return files


def _usable(files: Certificates) -> bool:
    """Whether both files are there, belong together, and last at least another day."""
    try:
        ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
        pem = files.service.read_bytes()
        leaf = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(pem, None)
        leaf.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    ends = min(ca.not_valid_after_utc, leaf.not_valid_after_utc)
    return key.public_key() == leaf.public_key() and ends - _RENEW > datetime.datetime.now(datetime.UTC)


def _make(host: str) -> tuple[bytes, bytes]:
    """A fresh authority's certificate, and the service's key and certificate, both PEM."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _name("Sluicegate demo authority")
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(authority, authority, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
    leaf = (
        _builder(_name("Sluicegate demo service"), authority, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python 3.13 verifies strictly (RFC 5280 section 4.2.1.1): without this a chain is refused.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ca.public_bytes(pem), private + leaf.public_bytes(pem)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write whole or not at all, never readable wider than `mode`."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)
