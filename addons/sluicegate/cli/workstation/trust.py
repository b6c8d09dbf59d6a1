"""What a workstation trusts: the gateway's authority, alone and beside the system's own, in forms that tools read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluicegate.cli import credential_store
from sluicegate.cli.truststore import java_store, system_roots, write
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from cryptography import x509

    from sluicegate.pipeline.constraints import Names

MAX_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Trust:
    """The files of a workstation, all in one folder of the user's."""

    authority: Path
    """The gateway's authority alone; Node adds it to what it trusts."""
    bundle: Path
    """The system's authorities and the gateway's; most tools trust nothing but this."""
    java: Path
    """The same as a store for Java."""
    wgetrc: Path

    def names(self) -> Names:
        """The hosts that the authority may sign for: those that the gateway governs."""
        from sluicegate.pipeline.authority import Authority

        return Authority.of(self.authority.read_bytes()).names


def folder() -> Path:
    """The user's own folder. Raises Fault when it cannot be made."""
    found = credential_store.place().parent
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Fault(f"The folder {found} cannot be made: {error.strerror}.") from None
    return found


def files() -> Trust:
    """Where the files are, whether or not they have been made."""
    base = credential_store.place().parent
    return Trust(base / "authority.pem", base / "bundle.pem", base / "truststore.p12", base / "wgetrc")


def prepare(named: Path | None, console: str | None, local: Path | None) -> Trust:
    """Get the gateway's authority and make the files from it, where they are not those already.

    `named`: the file that the user named. Else it is asked of the console, which is https or on this machine; else
    taken from `local`, the state folder of a gateway on this machine; else what was got before is used. Raises Fault.
    """
    folder()
    found = files()
    if named is not None:
        pem = _read(named)
    else:
        pem = _asked(console) or (_read(local) if local is not None and local.exists() else b"")
        if not pem and found.authority.exists():
            pem = _read(found.authority)
    if not pem:
        raise Fault(
            "The gateway's authority is not known here, so no tool could trust it.",
            hint="Get it from the gateway's operator (`sluicegate ca export`), and name it with --ca FILE.",
        )
    ours = _certificates(pem, strict=True)
    if not ours:
        raise Fault("What should be the gateway's authority holds no certificate.")
    system = system_roots()
    own = Path.home() / ".wgetrc"
    wgetrc = (own.read_bytes() if own.is_file() else b"") + f"\nca_certificate = {found.bundle}\n".encode()
    bundle = system.rstrip() + b"\n" + pem
    try:
        for path, content in ((found.authority, pem), (found.bundle, bundle), (found.wgetrc, wgetrc)):
            if not path.exists() or path.read_bytes() != content:
                write(path, content)
        mark = found.java.with_suffix(".made-from")
        digest = hashlib.sha256(bundle).hexdigest()
        if not found.java.exists() or not mark.exists() or mark.read_text() != digest:
            write(found.java, java_store([*_certificates(system), *ours]))
            write(mark, digest.encode())
    except OSError as error:
        raise Fault(f"The files for tools cannot be written to {found.bundle.parent}: {error.strerror}.") from None
    return found


def _asked(console: str | None) -> bytes:
    if console is None:
        return b""
    import httpx2

    with (
        contextlib.suppress(httpx2.HTTPError, httpx2.InvalidURL),
        httpx2.Client(trust_env=False, timeout=5, follow_redirects=False) as client,
    ):
        answer = client.get(f"{console}/authority.pem")
        if answer.status_code == 200 and len(answer.content) <= MAX_BYTES:
            return answer.content
    return b""


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise Fault(f"The gateway's authority {path} cannot be read: {os.strerror(error.errno or 0)}.") from None


def _certificates(pem: bytes, *, strict: bool = False) -> list[x509.Certificate]:
    """The certificates in a text; of a system's bundle without those that the library takes for malformed."""
    from cryptography import x509

    found = []
    marker = b"-----END CERTIFICATE-----"
    for part in pem.split(marker)[:-1]:
        try:
            with warnings.catch_warnings(action="ignore"):  # of authorities that count from zero
                found.append(x509.load_pem_x509_certificate(part[part.find(b"-----BEGIN CERTIFICATE") :] + marker))
        except ValueError:
            if strict:
                raise Fault("What should be the gateway's authority is no certificate.") from None
    return found
