"""The gateway's own keys of the ledger: one that signs heads, one that makes pseudonyms. Made at the first start."""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluicegate.errors import Fault
from sluicegate.recording.ledger.note import Signer

LEDGER_KEY = "ledger.key"
NEXT_KEY = "ledger.next"
"""The key that comes next, until a gateway has taken it into use."""
NAME = "ledger.name"
"""The name of the log, once its first key is no longer there to make it from."""
PSEUDONYM_KEY = "pseudonym.key"


def signing_key(folder: Path, name: str = LEDGER_KEY) -> Ed25519PrivateKey:
    """The key that signs heads (PEM, PKCS 8); made when there is none. Raises Fault when it cannot be read or written.

    It is on the disk, its folder entry too, before it signs anything.
    """
    path = folder / name
    try:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            _create(path, data)
        key = serialization.load_pem_private_key(data, None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is no Ed25519 key")
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = getattr(error, "strerror", None) or "it is no Ed25519 key in PEM"
        raise Fault(f"The key of the ledger in {path} cannot be used: {why}.", hint="Put the right one back.") from None
    return key


def default_origin(key: Ed25519PrivateKey) -> str:
    """The name of a log that nobody named: bound to its first key."""
    return f"sluicegate/{hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]}"


def origin_of(folder: Path, key: Ed25519PrivateKey) -> str:
    """The name of a log that nobody named, also behind a rotation of its key. Raises Fault."""
    try:
        return (folder / NAME).read_text().strip()
    except FileNotFoundError:
        return default_origin(key)
    except (OSError, UnicodeDecodeError):
        raise Fault(f"The name of the ledger in {folder / NAME} cannot be read.", hint="Put it back.") from None


def prepare_next(folder: Path, name: str) -> Ed25519PrivateKey:
    """Make the key that comes next, and keep the name of the log, which its first key has given it. Raises Fault."""
    current = signing_key(folder)
    try:
        if not name and not (folder / NAME).exists():
            _create(folder / NAME, f"{default_origin(current)}\n".encode())
    except OSError as error:
        raise Fault(f"The name of the ledger cannot be kept in {folder}: {error.strerror}.") from None
    return signing_key(folder, NEXT_KEY)


def public_files(signer: Signer) -> dict[str, bytes]:
    """The public key as files for others to verify with: the C2SP form, and PEM for openssl."""
    verifier = signer.verifier
    pem = signer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {f"{verifier.id.hex()}.vkey": verifier.text().encode() + b"\n", f"{verifier.id.hex()}.pem": pem}


class Pseudonyms:
    """Names of people for the ledger: a person has one, and without the key nobody knows whose it is."""

    def __init__(self, folder: Path) -> None:
        """Raises Fault when the key cannot be read or made."""
        path = folder / PSEUDONYM_KEY
        try:
            try:
                key = path.read_bytes()
            except FileNotFoundError:
                key = os.urandom(32)
                _create(path, key)
        except OSError as error:
            raise Fault(f"The key of pseudonyms in {path} cannot be used: {error.strerror}.") from None
        if len(key) != 32:
            raise Fault(f"The key of pseudonyms in {path} has not 32 bytes.", hint="Put the right one back.")
        self._key = key
        self.of = lru_cache(4096)(self._of)

    def _of(self, issuer: str, subject: str) -> str:
        text = f"{issuer}\0{subject}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")[:16].hex()


def _create(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.link(beside, path)  # of two that start at once, one has its key in place and the other fails
    beside.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
