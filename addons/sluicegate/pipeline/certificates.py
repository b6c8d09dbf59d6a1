"""What the gateway signs for clients: certificates for hosts that its authority may sign for, each for one name.

A tunnel to any other host would end in a TLS error of the client's own. So it is refused before it opens, where at
least the status and the reason phrase are shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from mitmproxy import certs, http
from mitmproxy.addons import tlsconfig
from mitmproxy.proxy import context

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange
from sluicegate.pipeline import authority, constraints
from sluicegate.pipeline.constraints import Names
from sluicegate.settings import Loaded, State


class AuthorityAddon:
    """Stands behind identity: who asks is known by then, or is told to sign in. Raises Fault as `prepare` does."""

    name = "authority"

    def __init__(self, loaded: Loaded, state: State, environ: Mapping[str, str] = os.environ) -> None:
        self.part = constraints.of_policy(loaded.settings)
        """What the policy governs; once open, what the authority may sign for, which is that or more."""
        self._state = state
        self._environ = environ
        self._signs: authority.Authority | None = None

    async def open(self) -> None:
        """Raises Fault where there is no authority that may sign for the policy's hosts."""
        self._signs = authority.prepare(self._state.ca, self.part, self._environ)
        self.part = self._signs.names

    def prepare(self, loaded: Loaded) -> Names:
        """Raises Fault where another policy governs a host that the authority may not sign for."""
        if self._signs is not None:
            authority.check(self._signs, constraints.of_policy(loaded.settings))
        return self.part

    def adopt(self, part: Names) -> None:
        """What it may sign for stays what it is."""
        self.part = part

    def http_connect(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Refuse a host for which no client would believe us. TLS that passes untouched needs no certificate."""
        if self.part.cover(flow.request.host) or (exchange.service == "tunnel" and exchange.principal is not None):
            return
        if exchange.principal is None:
            raise Refusal(
                511,
                "sign-in-required",
                "Sign in again: the credential for the gateway is not accepted",
                "The credential that came with CONNECT is not accepted.",
                next_step="Run `sluicegate login`, or get a new token from your identity provider.",
            )
        raise Refusal(
            403,
            "unknown-host",
            "Host not in the policy: ask the gateway's operator to add it",
            "No service of the policy is at that host, and other hosts are not let through.",
            next_step="Ask the gateway's operator to add it under [services] or [gateway] in policy.toml.",
        )


def for_one_name(addon: tlsconfig.TlsConfig) -> None:
    """Have each certificate name what the client asked for and nothing else.

    mitmproxy adds its own address and whatever the service's certificate names. One of them that the authority may not
    sign for, and the client refuses the whole.
    """

    def get_cert(conn: context.Context) -> certs.CertStoreEntry:
        address = conn.server.address or conn.client.sockname
        name = tlsconfig._ip_or_dns_name(conn.client.sni or address[0])
        # OpenSSL holds a common name against the constraints for names, and an address is none.
        common = str(name.value) if isinstance(name, x509.DNSName) else None
        return addon.certstore.get_cert(common, [name])

    patched: Any = addon
    patched.get_cert = get_cert
