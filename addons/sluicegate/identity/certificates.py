"""Client certificates on the way to the proxy: the chain is verified here, because mitmproxy verifies nothing.

TLS has proved that the client holds the key. Whether anybody vouches for it, and for whom, is found out by this file
(RFC 5280 section 6, RFC 9525 for what names are).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from sluicegate.errors import Fault
from sluicegate.identity.refusals import certificate as refused

MAX_CHAIN = 8
"""Most certificates that a client may send."""

_OF_AUTHORITIES = ExtensionPolicy.webpki_defaults_ca()
_OF_CLIENTS = ExtensionPolicy.webpki_defaults_ee().may_be_present(
    x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
)
"""As the web has it, but that a common name is enough: devices are often given no other."""


@dataclass(frozen=True, slots=True)
class Certified:
    """Whom a certificate that was verified is for."""

    names: frozenset[str]
    """Its common name, and the e-mail addresses, URIs and DNS names among its alternative names."""
    device: str
    """SHA-256 of the certificate, hex."""
    ends: float
    """When it ends, seconds since the epoch."""


class ClientCertificates:
    """The configured authorities, and what they vouch for."""

    def __init__(self, path: str) -> None:
        """Reads the authorities. Raises Fault."""
        try:
            self._store = Store(x509.load_pem_x509_certificates(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            raise Fault(f"The authorities of client certificates in {path} cannot be read: {error}.") from None

    def check(self, chain: Sequence[x509.Certificate], now: float) -> Certified:
        """Whom the first certificate of a chain is for, at event time `now`. Raises Refusal."""
        if len(chain) > MAX_CHAIN:
            raise refused(f"The client sent more than {MAX_CHAIN} certificates.")
        policy = PolicyBuilder().store(self._store).time(datetime.fromtimestamp(now, UTC))
        verifier = policy.extension_policies(ca_policy=_OF_AUTHORITIES, ee_policy=_OF_CLIENTS).build_client_verifier()
        leaf = chain[0]
        try:
            verifier.verify(leaf, list(chain[1:]))
            names = frozenset(_names(leaf))
        except (VerificationError, ValueError, x509.ExtensionNotFound):
            raise refused(
                "The client certificate was not issued by an authority that is trusted here, or is not in force."
            ) from None
        if not names:
            raise refused("The client certificate names nobody.")
        return Certified(names, leaf.fingerprint(hashes.SHA256()).hex(), leaf.not_valid_after_utc.timestamp())


def _names(leaf: x509.Certificate) -> list[str]:
    common = [str(one.value) for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        others = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return common
    kinds = (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName)
    return [*common, *(name for kind in kinds for name in others.get_values_for_type(kind))]
