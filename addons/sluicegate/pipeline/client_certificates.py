"""Asks clients that speak TLS to the proxy for a certificate. What it is worth, identity finds out.

mitmproxy's own option would ask inside of each intercepted connection too, where browsers would show a dialogue.
"""

from __future__ import annotations

from mitmproxy.proxy.layers import ClientTLSLayer, modes
from mitmproxy.tls import TlsData
from OpenSSL import SSL

_SESSIONS = b"sluicegate"


class AsksForCertificates:
    """Stands behind mitmproxy's `tlsconfig`, which makes the connection that is changed here."""

    name = "sluicegate.client_certificates"

    def tls_start_client(self, data: TlsData) -> None:
        """Ask, on the outer connection alone. Whoever has none goes on without."""
        layers = data.context.layers
        outer = isinstance(layers[0], modes.HttpProxy) and isinstance(layers[1], ClientTLSLayer)
        if data.ssl_conn is None or not outer or any(isinstance(layer, ClientTLSLayer) for layer in layers[2:]):
            return
        # Without a name for its sessions OpenSSL breaks off clients that take one up again. pyOpenSSL lets nobody
        # change a context in use; this one is shared by all connections, and those after the first have the name.
        context = data.ssl_conn.get_context()
        SSL._lib.SSL_CTX_set_session_id_context(context._context, _SESSIONS, len(_SESSIONS))  # type: ignore[attr-defined]
        data.ssl_conn.set_verify(SSL.VERIFY_PEER, _accept)


def _accept(*_: object) -> bool:
    return True  # verified in identity, where a refusal can say why
