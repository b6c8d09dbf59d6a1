"""Folders of recordings, written without a recorder: quick to make, and odd where a recorder would not be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mitmproxy import http

from sluicegate.exchange import Exchange
from sluicegate.recording import intents
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.redact import Redactor
from tests.recording.recorders import live

START = 1_795_470_301.0  # 2026-11-23 21:45:01 UTC
WRITER = FlowWriter(Redactor(), "run-1")
DAY = "2026-11-23"


def element(flow: http.HTTPFlow, exchange: Exchange) -> bytes:
    """A flow as it stands in a file."""
    return WRITER.encode(flow, exchange, WRITER.summary(flow, exchange, exchange.started + 0.5, intent=False))


def intent(exchange: Exchange) -> bytes:
    """The intent of an exchange as it stands in a file."""
    return intents.encode(exchange, Redactor(), exchange.started, "run-1", "00" * 32, "salt")


def put(folder: Path, pairs: Iterable[tuple[http.HTTPFlow, Exchange]], name: str = "214501Z-0001") -> Path:
    """A segment with these exchanges."""
    (folder / DAY).mkdir(parents=True, exist_ok=True)
    file = folder / DAY / f"{name}.flows"
    file.write_bytes(b"".join(element(*pair) for pair in pairs))
    return file


def odd() -> list[tuple[http.HTTPFlow, Exchange]]:
    """Exchanges that differ in everything that a filter can ask."""
    pairs = []
    for number in range(8):
        flow, exchange = live(f"/datasets/customers/chunks/{number}?columns=id,ssn", START + number)
        pairs.append((flow, exchange))
    flows = [flow for flow, _ in pairs]
    flows[0].request.method = "POST"
    flows[0].request.raw_content = b'{"Select": "all\nrows"}'
    flows[1].response = None
    flows[2].response.status_code = 404
    flows[2].request.headers["host"] = "Other.example:9000"
    flows[3].request.headers["content-type"] = "text/css"
    flows[3].response.headers["content-type"] = "image/png"
    flows[4].response.headers["content-encoding"] = "gzip"
    flows[4].response.content = b'{"rows": [{"name": "Grace"}]}'
    flows[5].request.method, flows[5].request.authority, flows[5].request.path = "CONNECT", "chunks.internal:8443", ""
    flows[6].request.http_version, flows[6].request.authority = "HTTP/2.0", "chunks.internal"
    flows[6].response.raw_content = None
    flows[7].request.path = "*"
    flows[7].request.method = "OPTIONS"
    flows[7].request.port = 443
    return pairs
