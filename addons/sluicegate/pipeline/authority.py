"""The gateway's own certificate authority: made at the first start, bound to the policy's hosts, looked at before
anything listens.

Who has its key can stand in for every host that it may sign for, with everybody who trusts it. So it may sign for the
hosts that the policy governs and for no other, its key is for the gateway's user alone, and the key may be encrypted.

What clients trust is a root whose key is thrown away as soon as it has signed the one certificate that the gateway
signs with. Java takes what it trusts at its word, constraints or not; it looks at those of the certificates below.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sluicegate.errors import Fault
from sluicegate.pipeline import constraints
from sluicegate.pipeline.constraints import Names

logger = logging.getLogger(__name__)

NAME = "mitmproxy"
"""How mitmproxy calls the files in its confdir."""
DAYS = 730
"""How long a new authority is good for."""
PASSPHRASE = "SLUICEGATE_CA_PASSPHRASE"
PASSPHRASE_FILE = "SLUICEGATE_CA_PASSPHRASE_FILE"
"""Variables that hold the passphrase of the key, or name a file with it."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority as its certificates say it. The key stays in its file."""

    certificate: x509.Certificate
    """The root, which clients trust."""
    signer: x509.Certificate
    """What certificates for hosts are signed with; the root itself where there is no other."""

    @classmethod
    def of(cls, pem: bytes) -> Authority:
        """From the certificates in a file: the one that signs first, the root last. Raises ValueError."""
        found = x509.load_pem_x509_certificates(pem)
        return cls(found[-1], found[0])

    @property
    def names(self) -> Names:
        """What it may sign for."""
        return constraints.of_certificate(self.signer)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as tools show it."""
        digest = self.certificate.fingerprint(hashes.SHA256()).hex().upper()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    @property
    def ends(self) -> datetime:
        return min(self.certificate.not_valid_after_utc, self.signer.not_valid_after_utc)

    @property
    def pem(self) -> bytes:
        """The root's certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def file_of(folder: Path) -> Path:
    """Key and certificate of the authority that signs, where mitmproxy looks for them."""
    return folder / f"{NAME}-ca.pem"


def passphrase(environ: Mapping[str, str]) -> bytes | None:
    """The passphrase of the key, or None. Raises Fault where the file that should hold it does not."""
    if environ.get(PASSPHRASE):
        if not environ[PASSPHRASE].isascii():
            raise Fault(f"The passphrase in {PASSPHRASE} must be plain ASCII.")
        return environ[PASSPHRASE].encode()
    named = environ.get(PASSPHRASE_FILE)
    if not named:
        return None
    try:
        found = Path(named).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Fault(f"The passphrase file {named} cannot be read: {error.strerror}.") from None
    if not found or not found.isascii():
        raise Fault(f"The passphrase file {named} must hold one line of plain ASCII.")
    return found


def prepare(folder: Path, wanted: Names, environ: Mapping[str, str] = os.environ) -> Authority:
    """The authority that signs; made where there is none yet.

    Raises Fault, one line, where it cannot be made or read, where others can read its key, where it has ended, and
    where the policy governs a host that it may not sign for.
    """
    secret = passphrase(environ)
    file = file_of(folder)
    if not file.exists():
        put(file, create(wanted, secret), 0o600)
        publish(folder)
    found = load(file, secret)
    if found.ends <= datetime.now(UTC):
        raise Fault(
            f"The gateway's own authority ended on {found.ends:%Y-%m-%d}, so no client believes it any more.",
            hint="Run `sluicegate ca rotate`, give the new one to every workstation, "
            "then run `sluicegate ca rotate --switch`.",
        )
    check(found, wanted)
    if found.names.everything and not wanted.everything:
        logger.warning(
            "the gateway's own authority may sign for every host; "
            "`sluicegate ca rotate` makes one for those of the policy alone"
        )
    _taken_by_mitmproxy(folder, secret)
    return found


def options(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """The options of mitmproxy that have it sign with what `prepare` found."""
    secret = passphrase(environ)
    return {"confdir": str(folder), "cert_passphrase": secret.decode() if secret else None}


def check(found: Authority, wanted: Names) -> None:
    """Raises Fault where the policy governs a host that the authority may not sign for."""
    missing = found.names.lack(wanted)
    if missing:
        raise Fault(
            f"The gateway's own authority may not sign for {', '.join(missing)}: clients would refuse what it signs.",
            hint="Run `sluicegate ca rotate`, give the new authority to every workstation, then run "
            "`sluicegate ca rotate --switch` and start the gateway anew.",
        )


def create(names: Names, secret: bytes | None, *, days: int = DAYS) -> bytes:
    """A new authority for these names, as PEM: the key that signs (encrypted where there is a passphrase), and the two
    certificates."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # Two authorities are trusted at the same time while one takes the place of the other: people tell them by name.
    name = f"Sluicegate authority {secrets.token_hex(4)}"
    root, signer = _named(name), _named(f"{name} signer")
    until = datetime.now(UTC) + timedelta(days=days)
    certificates = (
        _certificate(signer, root, key.public_key(), names, until, below=0)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256()),
        _certificate(root, root, root_key.public_key(), names, until, below=1).sign(root_key, hashes.SHA256()),
    )
    encryption = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return private + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, names: Names, until: datetime, *, below: int
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=2))  # clocks differ, and mitmproxy dates back as well
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    limits = constraints.extension(names)
    return builder if limits is None else builder.add_extension(limits, critical=True)


def load(file: Path, secret: bytes | None) -> Authority:
    """An authority from the file of its key and certificate. Raises Fault."""
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise Fault(
            f"The gateway's own authority {file} cannot be read: {error.strerror}.",
            hint="Nothing is let through without it.",
        ) from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Fault(
            f"The key in {file} can be read by others than the gateway's user.",
            hint=f"Run: chmod 600 {file} - and where somebody could have read it, `sluicegate ca rotate`.",
        )
    try:
        found = Authority.of(content)
        constraints.of_certificate(found.signer)
        key = serialization.load_pem_private_key(content, _needed(content, secret, file))
        found.signer.verify_directly_issued_by(found.certificate)
        fits = key.public_key() == found.signer.public_key()
    except (ValueError, TypeError, InvalidSignature):
        # Of a wrong passphrase and of a broken file the library says the same.
        fits = False
    if not fits:
        also = " or the passphrase is wrong" if b"ENCRYPTED" in content else ""
        raise Fault(
            f"The gateway's own authority {file} is not a certificate with its key{also}.",
            hint="Restore it from a backup; with a new one, every client has to trust that anew.",
        )
    return found


def publish(folder: Path, *others: Authority) -> None:
    """Write the file for clients: the certificate of the authority that signs, and those that are to be trusted too."""
    first = Authority.of(file_of(folder).read_bytes())
    put(folder / f"{NAME}-ca-cert.pem", b"".join(each.pem for each in (first, *others)), 0o644)


def _needed(content: bytes, secret: bytes | None, file: Path) -> bytes | None:
    if b"ENCRYPTED" not in content:
        return None
    if secret is None:
        raise Fault(
            f"The key in {file} is encrypted, and nothing says its passphrase.",
            hint=f"Put it into {PASSPHRASE}, or into a file named by {PASSPHRASE_FILE}.",
        )
    return secret


def _taken_by_mitmproxy(folder: Path, secret: bytes | None) -> None:
    """Have mitmproxy read it once, here, where what goes wrong is one line."""
    from mitmproxy import certs

    try:
        certs.CertStore.from_store(folder, NAME, 2048, secret)
    except Exception as error:  # mitmproxy and its libraries raise many kinds
        raise Fault(
            f"The gateway's own authority {file_of(folder)} cannot be used: {error}.",
            hint="Nothing is let through without it.",
        ) from None


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def put(path: Path, content: bytes, mode: int) -> None:
    """Write whole or not at all, never readable wider than `mode`. Raises Fault."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise Fault(
            f"The gateway's own authority {path} cannot be made: {error.strerror or error}.",
            hint="Nothing is let through without it.",
        ) from None
