"""The keys of a log: those that the verifier was given, and those that the folder itself offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sluicegate.recording.ledger.note import NoteError, Verifier
from sluicegate.recording.ledger.store import FOLDER
from sluicegate.recording.verify.report import Finding, Report

_LARGEST = 4096


def folder_keys(folder: Path) -> list[Verifier]:
    """The public keys that lie beside the log. Who could change the log could change them too: they prove that nothing
    was changed by somebody else, and no more."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.vkey")):
        try:
            found.append(Verifier.parse(_text(path)))
        except (OSError, NoteError, UnicodeDecodeError):
            continue
    return found


def check_files(folder: Path, trusted: Sequence[Verifier], report: Report) -> None:
    """The files of keys in the folder say what they should."""
    for path in sorted((folder / FOLDER).glob("*.vkey")) + sorted((folder / FOLDER).glob("*.pem")):
        name = f"{FOLDER}/{path.name}"
        try:
            key = _raw(path)
        except (OSError, ValueError):
            report.add(Finding("tampered", "The file of a public key cannot be read as one.", name))
            continue
        if key not in [verifier.key for verifier in trusted if verifier.id.hex() == path.stem]:
            report.add(Finding("tampered", "The public key in this file is not one that the log is trusted by.", name))


def _raw(path: Path) -> bytes:
    text = _text(path)
    if path.suffix == ".vkey":
        verifier = Verifier.parse(text)
        if text != f"{verifier.text()}\n":
            raise ValueError("not as it was written")
        return verifier.key
    key = serialization.load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("another kind of key")
    if text.encode() != key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo):
        raise ValueError("not as it was written")
    return key.public_bytes_raw()


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode()
