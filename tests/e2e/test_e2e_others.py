"""Hosts that no service names: refused, tunnelled untouched, or inspected, through an explicit proxy.

Only public addresses are dialled for them, and a test has none. So what must not be dialled is tested here, and what
must be is tested by `others_beyond.py`, in a network namespace of its own where a public address exists.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.origin import Origin
from tests.running import ROOT, Wire

RULES = '[[rules]]\nid = "web"\neffect = "allow"\nservice = ["others"]\nkind = ["read"]\n'


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def inspects(gateway, origin, tmp_path_factory):
    hosts = [f"localhost:{origin.port}"]
    with gateway(tmp_path_factory.mktemp("inspect"), hosts, gateway='others = "inspect"', more=RULES) as running:
        yield running


@pytest.fixture(scope="module")
def tunnels(gateway, origin, tmp_path_factory):
    hosts = [f"localhost:{origin.port}"]
    listed = 'others = "tunnel"\ntunnel_hosts = ["localhost", "mirror.example.org", "*.packages.example.org"]'
    with gateway(tmp_path_factory.mktemp("tunnel"), hosts, gateway=listed) as running:
        yield running


@pytest.fixture
def traps():
    """The ports of the web, on addresses of this machine; nobody may connect to them while the test runs."""
    made = []
    try:
        for address in ("127.0.0.1", "127.0.0.2"):
            made += [Origin(None, address=address, port=port) for port in (443, 80)]
    except OSError as error:
        for trap in made:
            trap.close()
        pytest.skip(f"the web's ports cannot be listened on here: {error}")
    yield made
    for trap in made:
        trap.close()
    assert [trap.connections for trap in made] == [0] * len(made)


def opened(gate, host, token, port=443) -> Wire:
    """A CONNECT that got its 200."""
    wire = Wire(gate.port)
    head = wire.connect(host, port, token)
    assert head.startswith(b"HTTP/1.1 200 "), head
    return wire


def ask(wire, host, method="GET"):
    status, headers, body = wire.ask(f"{method} /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return status, headers, body.decode()


def code(answer) -> str:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    return f"{status} {json.loads(body)['type'].removeprefix('urn:sluicegate:')}"


# inspect


@pytest.mark.parametrize(("host", "sni"), [("localhost", "localhost"), ("127.0.0.2", None), ("127.0.0.1", None)])
def test_inspected_hosts_on_private_addresses_are_refused(inspects, provider, traps, host, sni):
    wire = opened(inspects, host, provider.token("ada")).tls(inspects.gateway_ca, sni)
    status, _, body = ask(wire, host)
    assert status == 502 and "private address" in body
    wire.close()


def test_inspected_hosts_in_the_clear_too(inspects, provider, traps):
    wire = opened(inspects, "localhost", provider.token("ada"), port=80)
    status, _, body = ask(wire, "localhost")
    assert status == 502 and "private address" in body
    wire.close()


def test_what_inspects_still_needs_a_person_a_rule_and_a_port_of_the_web(inspects, origin, provider):
    assert Wire(inspects.port).connect("example.org", 443).startswith(b"HTTP/1.1 407 ")
    ada = provider.token("ada")
    for host, port, method, expected in (
        ("example.org", 443, "DELETE", "403 no-rule"),
        ("localhost", origin.port + 1, "GET", "403 unknown-host"),
        ("localhost", inspects.console, "GET", "403 unknown-host"),
    ):
        wire = opened(inspects, host, ada, port=port).tls(inspects.gateway_ca, host)
        assert code(ask(wire, host if port == 443 else f"{host}:{port}", method)) == expected
        wire.close()
    assert origin.connections == 0


# tunnel


def test_listed_but_the_server_name_is_another_is_intercepted_and_refused(tunnels, provider, traps):
    for host, sni in (
        ("localhost", "evil.test"),
        ("mirror.example.org", "localhost"),
        ("localhost", "localhost.evil.test"),
    ):
        wire = opened(tunnels, host, provider.token("ada")).tls(None, sni)
        assert code(ask(wire, host)) == "421 host-disagreement"
        wire.close()


def test_listed_but_no_server_name_is_intercepted_and_refused(tunnels, provider, traps):
    wire = opened(tunnels, "localhost", provider.token("ada")).tls(None, None)
    assert code(ask(wire, "localhost")) == "403 tunnel-only"
    wire.close()


def test_not_listed_but_the_server_name_is(tunnels, provider, traps):
    wire = Wire(tunnels.port)
    assert wire.connect("evil.test", 443, provider.token("ada")).startswith(b"HTTP/1.1 403 Host not in the policy")
    wire.close()


@pytest.mark.parametrize("host", ["example.org", "packages.example.org", "evil-mirror.example.org"])
def test_what_is_not_listed_is_not_tunnelled(tunnels, provider, host):
    wire = Wire(tunnels.port)
    assert wire.connect(host, 443, provider.token("ada")).startswith(b"HTTP/1.1 403 Host not in the policy")
    wire.close()


@pytest.mark.parametrize("host", ["localhost", "mirror.example.org", "a.packages.example.org"])
def test_listed_hosts_need_a_person_as_well(tunnels, provider, host):
    wire = Wire(tunnels.port)
    head = wire.connect(host, 443)
    assert head.startswith(b"HTTP/1.1 407 Sign in first") and b"\r\nproxy-authenticate: basic" in head.lower()
    wire.close()


@pytest.mark.parametrize("claims", [{"exp": 1}, {"aud": "somebody-else"}])
def test_a_listed_host_with_a_bad_credential_is_refused(tunnels, provider, traps, claims):
    """Inside, where the authority may sign for it; else before the tunnel opens."""
    token = provider.token("ada", **claims)
    wire = opened(tunnels, "localhost", token).tls(tunnels.gateway_ca, "localhost")
    answer = ask(wire, "localhost")
    assert answer[0] == 511 and json.loads(answer[2])["title"].startswith("Sign in again"), answer
    wire.close()
    wire = Wire(tunnels.port)
    assert wire.connect("mirror.example.org", 443, token).startswith(b"HTTP/1.1 511 Sign in again")
    wire.close()


def test_listed_and_agreeing_is_dialled_and_never_answered_by_us(tunnels, provider, traps):
    """It may not be dialled here, because the address is private: the end, without a handshake of the gateway's."""
    wire = opened(tunnels, "localhost", provider.token("ada"))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    hello, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(answer, hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    wire.send(hello.read())
    assert wire.rest() == b""
    wire.close()


def test_raw_bytes_to_a_listed_host_go_nowhere(tunnels, provider, traps):
    for payload in (b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00"):
        wire = opened(tunnels, "localhost", provider.token("ada"))
        wire.send(payload)
        wire.socket.shutdown(socket.SHUT_WR)
        assert b" 200 " not in wire.rest().split(b"\r\n")[0]
        wire.close()


# beyond loopback


def test_what_may_be_reached_is_reached(tmp_path):
    """Runs `others_beyond.py` where 11.0.0.7 is an address of this machine and a name that leads there is known."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a network namespace needs root and unshare")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n11.0.0.7 mirror.example.org web.example.org\n")
    prepare = (
        "mount --make-rprivate / && mount --bind $0 /etc/hosts && "
        "ip link set lo up && ip address add 11.0.0.7/32 dev lo"
    )
    inside = ["unshare", "--net", "--mount", "sh", "-c"]
    probe = subprocess.run([*inside, prepare, str(hosts)], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"a network namespace cannot be made here: {probe.stderr.strip()}")
    script = Path(__file__).with_name("others_beyond.py")
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", str(tmp_path / "inside")]
    command = [sys.executable, "-m", "pytest", str(script), *options]
    done = subprocess.run(
        [*inside, f'{prepare} && shift && exec "$@"', str(hosts), "-", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and "passed" in done.stdout and "skipped" not in done.stdout, done.stdout + done.stderr
