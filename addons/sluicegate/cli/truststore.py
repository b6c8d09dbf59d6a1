"""Certificates in the forms that tools read: a PEM bundle beside the system's own, and a store for Java."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

JAVA_PASSWORD = "changeit"
"""What Java itself uses for stores of certificates, which hold no secret."""

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
)


def system_roots() -> bytes:
    """The certificates that this machine trusts anyway, as PEM: the system's bundle, else certifi's."""
    named = ssl.get_default_verify_paths().openssl_cafile
    for path in (*_BUNDLES, named):
        try:
            content = Path(path).read_bytes()
        except OSError:
            continue
        if b"-----BEGIN CERTIFICATE-----" in content:
            return content
    import certifi

    return Path(certifi.where()).read_bytes()


def java_store(certificates: Sequence[x509.Certificate]) -> bytes:
    """A PKCS #12 store of trusted certificates, as Java since 8u301 reads it. Its password is `JAVA_PASSWORD`."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    entries = [
        pkcs12.PKCS12Certificate(certificate, f"{number:04d}".encode())
        for number, certificate in enumerate(certificates)
    ]
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .build(JAVA_PASSWORD.encode())
    )
    return pkcs12.serialize_java_truststore(entries, encryption)


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write whole or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    part.replace(path)
