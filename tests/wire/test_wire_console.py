"""The console's place, asked for through the gateway in every spelling: something else listens there, and hears nothing.

The policy does everything wrong that lets it pass in other places: services that lead there, with their addresses.
"""

from __future__ import annotations

import base64
import contextlib
import socket

import pytest

from tests.origin import Origin
from tests.running import Running, Wire

ALIAS = "desk.test"
"""A name of a service that is dialled where the console is."""


class Console(Origin):
    """What listens where the console would."""


@pytest.fixture(scope="module", params=["up", "script"])
def gate(request, provider, certs, tmp_path_factory):
    running = Running(
        folder=tmp_path_factory.mktemp(f"console-{request.param}"), issuer=provider.issuer, ca=certs.ca,
        hosts=["localhost:1"], way=request.param,
    )  # fmt: skip
    names = {"localhost", socket.gethostname(), "127.0.0.2", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"}
    here = [Console(None, port=running.console)]
    for address in ("127.0.0.2", "::1"):
        with contextlib.suppress(OSError):  # a machine without IPv6
            here.append(Console(None, address=address, port=running.console))
    hosts = ", ".join(f'"http://{name}:{running.console}"' for name in sorted(names))
    running.more = f"""
[services.near]
hosts = [{hosts}]
dialect = "chunks"
addresses = ["0.0.0.0/0", "::/0"]

[services.far]
hosts = ["http://{ALIAS}"]
connect = "http://localhost:{running.console}"
dialect = "chunks"
addresses = ["0.0.0.0/0", "::/0"]

[[rules]]
id = "whatever"
effect = "allow"
service = ["near", "far"]
dataset = ["*"]
kind = ["read", "unknown"]
"""
    running.here = here
    with running:
        yield running
    for server in here:
        server.close()


def credential(token: str) -> str:
    return f"Proxy-Authorization: Basic {base64.b64encode(f'u:{token}'.encode()).decode()}\r\n"


SPELLINGS = [
    "127.0.0.1", "localhost", "LOCALHOST.", "{name}", "127.0.0.2", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f000001", "017700000001", "desk.test",
]  # fmt: skip
PATHS = ["/", "/api/approvals", "/datasets/things/chunks/1"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_reaches_it(gate, provider, spelling):
    name = spelling.format(name=socket.gethostname())
    port = 80 if name == ALIAS else gate.console
    token, authority = provider.token("linus"), f"{name}:{port}"
    for path in PATHS:
        wire = Wire(gate.port, timeout=60)
        status, _, body = wire.ask(
            f"GET http://{authority}{path} HTTP/1.1\r\nHost: {authority}\r\n{credential(token)}\r\n".encode()
        )
        wire.close()
        assert status >= 400, (path, status, body)
    for secure in (False, True):
        wire = Wire(gate.port, timeout=60)
        if b" 200 " in wire.connect(name, port, token):
            with contextlib.suppress(OSError):
                if secure:
                    wire.tls(None, None)
                assert wire.ask(f"GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())[0] in (0, *range(400, 600))
        wire.close()
    assert [(server.connections, bytes(server.received)) for server in gate.here] == [(0, b"")] * len(gate.here)


def test_a_host_header_alone_leads_nowhere(gate, provider):
    for host in (f"127.0.0.1:{gate.console}", f"localhost:{gate.console}", "localhost"):
        wire = Wire(gate.port, timeout=60)
        status, _, body = wire.ask(
            f"GET /api/approvals HTTP/1.1\r\nHost: {host}\r\n{credential(provider.token('linus'))}\r\n".encode()
        )
        assert status >= 400, body
        wire.close()
    assert not any(server.connections for server in gate.here)


def test_the_place_is_one_that_could_be_reached(gate):
    """Without this, everything above would pass because nobody listens."""
    before = gate.here[0].connections
    with socket.create_connection(("127.0.0.1", gate.console), 60) as near:
        near.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert near.recv(20).startswith(b"HTTP/1.1 200")
    assert gate.here[0].connections == before + 1
