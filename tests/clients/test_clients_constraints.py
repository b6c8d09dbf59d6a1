"""A stolen key of the gateway's authority: what it signs for a host outside of the policy is believed by no client.

A server that has the key, and signs with it as the gateway does, stands in for the thief.
"""

from __future__ import annotations

import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy import certs
from mitmproxy.addons import tlsconfig

from sluicegate.cli.truststore import java_store
from sluicegate.pipeline import authority
from sluicegate.pipeline.constraints import Names

HERE = Path(__file__).parent
GOVERNED = ("chunks.test", "a.chunks.test", "10.0.0.7")
OUTSIDE = ("bank.test", "evilchunks.test", "chunks.test.evil.test", "127.0.0.1", "10.0.0.8")


class Thief:
    """Answers any server name with a certificate for it, signed by the authority in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = certs.CertStore.from_store(folder, "mitmproxy", 2048)
        self.without_name = "127.0.0.1"
        """Whom it says to be where the client sends no server name, as with addresses."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        outer = self._context(self.without_name)

        def chosen(tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            if name:
                tls.context = self._context(name)

        outer.sni_callback = chosen
        try:
            with connection, outer.wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        except (OSError, ssl.SSLError):
            pass

    def _context(self, name: str) -> ssl.SSLContext:
        found = tlsconfig._ip_or_dns_name(name)
        entry = self.store.get_cert(name if isinstance(found, x509.DNSName) else None, [found])
        file = self.folder / f"leaf-{name}.pem"
        if not file.exists():
            key = entry.privatekey.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            part = file.with_suffix(f".{threading.get_ident()}")
            part.write_bytes(key + entry.cert.to_pem() + b"".join(each.to_pem() for each in entry.chain_certs))
            part.replace(file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def close(self) -> None:
        self.listener.close()


@pytest.fixture(scope="module")
def thief(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stolen")
    names = Names(frozenset({"chunks.test"}), frozenset({ipaddress.ip_address("10.0.0.7")}))
    authority.prepare(folder, names, {})
    running = Thief(folder)
    running.ca = folder / "mitmproxy-ca-cert.pem"
    running.java = folder / "store.p12"
    running.java.write_bytes(java_store(x509.load_pem_x509_certificates(running.ca.read_bytes())))
    yield running
    running.close()


def run(*command, **changes):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, **changes)


def with_curl(thief, names):
    for name in names:
        thief.without_name = name
        place = f"{name}:443:127.0.0.1:{thief.port}"
        done = run(
            "curl", "-sS", "--max-time", "20", "--cacert", str(thief.ca), "--connect-to", place, f"https://{name}/"
        )
        yield done.stdout == "ok", done.stderr


def with_python(thief, names):
    for name in names:
        thief.without_name = name
        context = ssl.create_default_context(cafile=str(thief.ca))
        try:
            with (
                socket.create_connection(("127.0.0.1", thief.port), 20) as plain,
                context.wrap_socket(plain, server_hostname=name),
            ):
                yield True, ""
        except ssl.SSLCertVerificationError as error:
            yield False, str(error)


NODE = """
const tls = require('tls'), fs = require('fs'), net = require('net');
const [port, file, name] = process.argv.slice(1);
const options = {host: '127.0.0.1', port: +port, ca: fs.readFileSync(file),
  checkServerIdentity: (host, certificate) => tls.checkServerIdentity(name, certificate)};
if (!net.isIP(name)) options.servername = name;
const socket = tls.connect(options, () => { console.log('believed'); socket.destroy(); });
socket.on('error', (error) => console.log(String(error.message)));
"""


def with_node(thief, names):
    for name in names:
        thief.without_name = name
        said = run("node", "-e", NODE, str(thief.port), str(thief.ca), name).stdout.strip()
        yield said == "believed", said


def with_java(thief, names):
    for name in names:
        thief.without_name = name
        done = run(
            "java",
            "-Xshare:auto",
            "-XX:TieredStopAtLevel=1",
            str(HERE / "Dial.java"),
            str(thief.port),
            str(thief.java),
            name,
        )
        said = done.stdout.strip()
        assert said, done.stderr
        yield said == "believed", said


def with_go(thief, names):
    program = thief.folder / "dial"
    if not program.exists():
        built = run("go", "build", "-o", str(program), str(HERE / "dial.go"))
        assert built.returncode == 0, built.stderr
    for name in names:
        thief.without_name = name
        said = run(str(program), f"127.0.0.1:{thief.port}", name, str(thief.ca)).stdout.strip()
        yield said == "believed", said


def checked(ask, thief, governed, outside):
    found = list(ask(thief, (*governed, *outside)))
    assert all(believed for believed, _ in found[: len(governed)]), found
    for believed, said in found[len(governed) :]:
        assert not believed and said, found
        # Not for want of trust or a wrong name, which would prove nothing about the constraints.
        lower = said.lower()
        assert any(word in lower for word in ("permitted", "excluded", "constraint", "subtree")), said


@pytest.mark.parametrize(("tool", "ask"), [("curl", with_curl), ("python", with_python), ("node", with_node)])
def test_no_client_believes_it(thief, tool, ask):
    if tool != "python" and not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    checked(ask, thief, GOVERNED, OUTSIDE)


def test_java_does_not_believe_it_and_reads_our_trust_store(thief):
    if not shutil.which("java"):
        pytest.skip("java is not installed")
    checked(with_java, thief, GOVERNED[1:2], OUTSIDE[2:3])


@pytest.mark.interop
@pytest.mark.timeout(300)
def test_go_does_not_believe_it(thief):
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    checked(with_go, thief, GOVERNED, OUTSIDE)


@pytest.mark.interop
def test_java_believes_none_of_them(thief):
    if not shutil.which("java"):
        pytest.skip("java is not installed")
    checked(with_java, thief, GOVERNED[:2], OUTSIDE[:3])
