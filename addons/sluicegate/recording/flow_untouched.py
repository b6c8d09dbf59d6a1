"""Untouched TLS as an exchange: in transparent mode nobody sends a CONNECT, so one is written in its place."""

from __future__ import annotations

import time

from mitmproxy import http, tls

from sluicegate.exchange import Exchange, Principal, Verdict


def passed_untouched(data: tls.ClientHelloData, started: float) -> tuple[http.HTTPFlow, Exchange]:
    """A flow and an exchange that say who opened which connection. `started` is event time.

    The person is known by the address alone, which is the lowest assurance there is.
    """
    client, server = data.context.client, data.context.server
    host, port = data.client_hello.sni or "", server.address[1] if server.address else 0
    address = client.peername[0] if client.peername else ""
    flow = http.HTTPFlow(client, server)
    flow.request = http.Request.make("CONNECT", f"https://{host}:{port}/")
    flow.request.data.path, flow.request.authority = b"", f"{host}:{port}"
    flow.request.timestamp_start = flow.request.timestamp_end = time.time()
    flow.response = http.Response.make(200, b"", {"x-sluicegate": "passed untouched"})
    exchange = Exchange(
        id=flow.id,
        started=started,
        client=address,
        method="CONNECT",
        scheme="https",
        host=host,
        port=port,
        service="tunnel",
        principal=Principal(f"address:{address}", "network", assurance="network"),
        verdict=Verdict("allow", ("tunnel",), (f"{host} is listed in tunnel_hosts.",)),
    )
    return flow, exchange
