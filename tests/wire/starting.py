"""A gateway that is started for one test: what it takes to make one, to ask it, and to see it fail."""

from __future__ import annotations

from tests.running import Wire

PATH = "/datasets/customers/chunks/1"
WAYS = ["up", "script"]


def fails_to_start(running) -> str:
    """Runs until it ends; it must not have listened, and must say why in one line."""
    running.launch()
    status = running.process.wait(120)
    running._reader.join(60)
    said = [line for line in running.lines if line.startswith("sluicegate: ")]
    assert status in (1, 2) and said, (status, running.lines)
    assert not any("Traceback" in line for line in running.lines), "\n".join(running.lines)
    return "\n".join(running.lines)


def ask(running, origin, token, path=PATH):
    wire = Wire(running.port)
    assert b" 200 " in wire.connect("localhost", origin.port, token)
    wire.tls(running.gateway_ca, "localhost")
    answer = wire.ask(f"GET {path} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
    wire.close()
    return answer
