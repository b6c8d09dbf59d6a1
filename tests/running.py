"""A real gateway in a process of its own, started the one way or the other, on free ports, with a generated policy."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.databases import put_tables
from tests.forked import Forked

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

POLICY = """
[gateway]
listen = "127.0.0.1:{port}"
trusted_ca = "{ca}"
internal_destinations = ["s3://acme-*"]
drain_seconds = {drain}
{gateway}

[identity]
issuer = "{issuer}"
{identity}

[console]
listen = "127.0.0.1:{console}"

[services.chunks]
hosts = [{hosts}]
dialect = "chunks"
addresses = ["127.0.0.0/8", "::1/128"]
credential = {{ header = "Authorization", value = "Bearer ${{CHUNKS_TOKEN}}" }}

[[dialects.chunks.routes]]
request = "GET /datasets/{{dataset}}/chunks/{{chunk}}"
kind = "read"
dataset = "path:dataset"
chunks = "path:chunk"
columns = "query:columns"

[[dialects.chunks.routes]]
request = "HEAD /datasets/{{dataset}}/chunks/{{chunk}}"
kind = "read"
dataset = "path:dataset"
chunks = "path:chunk"
columns = "query:columns"

[[dialects.chunks.routes]]
request = "POST /datasets/{{dataset}}/exports"
kind = "export"
dataset = "path:dataset"
destination = "$.destination"
columns = "$.columns[*]"
chunks = "$.chunks[*]"

[[dialects.chunks.routes]]
request = "DELETE /datasets/{{dataset}}"
kind = "admin"
dataset = "path:dataset"

[datasets.customers]
service = "chunks"
columns = {{ ssn = "restricted", email = "personal" }}

[[rules]]
id = "people-read"
effect = "allow"
who = ["group:engineering", "group:fraud", "group:data-stewards"]
service = ["chunks"]
kind = ["read", "export"]

[[rules]]
id = "external-export"
effect = "hold"
kind = ["export"]
destination = "external"
approvers = ["group:data-stewards"]
reason = "Data is leaving for a bucket that we do not own."

[[rules]]
id = "no-admin"
effect = "deny"
kind = ["admin", "script"]
reason = "Datasets are not dropped through the gate."

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]

[[masks]]
id = "contact"
columns = ["personal"]
method = "hmac"
unless = ["group:fraud"]
{more}
"""


_KEPT: deque[socket.socket] = deque(maxlen=64)


def free_port() -> int:
    """A port that nobody else is given.

    It stays bound without listening: that keeps the system from handing it out while a process takes its seconds to
    start, and does not keep a server with SO_REUSEADDR from it. Connections to it are refused.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port = int(kept.getsockname()[1])
    if sys.platform == "linux":
        _KEPT.append(kept)
    else:  # elsewhere two sockets do not share a port, whether they listen or not
        kept.close()
    return port


def listening(port: int) -> bool:
    """Whether anybody listens there. To connect would give a process more to do that is on its way out."""
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in psutil.net_connections("tcp"))


@dataclass
class Running:
    """A gateway process. `way` is `up` or `script`; `lines` is what it printed so far."""

    folder: Path
    issuer: str
    ca: Path
    hosts: list[str]
    way: str = "up"
    gateway: str = ""
    identity: str = ""
    more: str = ""
    port: int = field(default_factory=free_port)
    console: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    drain: int = 5
    """Seconds that what is in flight at SIGTERM has. Tests that do something meanwhile take more than they need."""
    environment: dict[str, str] = field(default_factory=dict)
    with_console: bool = False
    alone: bool = False
    """Whether it is started as anybody starts it. Else a process is forked that has imported all of it already."""
    lines: list[str] = field(default_factory=list)

    def write_policy(self) -> Path:
        hosts = ", ".join(f'"{host}"' for host in self.hosts)
        path = self.folder / "policy.toml"
        path.write_text(
            POLICY.format(
                port=self.port, console=self.console, ca=self.ca, issuer=self.issuer, hosts=hosts,
                drain=self.drain, gateway=self.gateway, identity=self.identity, more=self.more,
            )
        )  # fmt: skip
        return path

    @property
    def state(self) -> Path:
        return self.folder / ".sluicegate"

    @property
    def gateway_ca(self) -> Path:
        return self.state / "ca" / "mitmproxy-ca-cert.pem"

    def command(self) -> list[str]:
        policy = str(self.write_policy())
        if self.way == "up":
            quiet = [] if self.with_console else ["--no-console"]
            return [str(BIN / "sluicegate"), "up", "--policy", policy, *quiet, *self.options]
        script = str(ROOT / "addons" / "gateway.py")
        return [
            str(BIN / "mitmdump"), "-s", script, "--set", f"sluicegate_policy={policy}",
            "--listen-host", "127.0.0.1", "-p", str(self.port), *self.options,
        ]  # fmt: skip

    def _prepare(self) -> None:
        """Give a new state folder its database."""
        if self.state.exists():
            return
        self.state.mkdir(mode=0o700)
        put_tables(self.state / "sluicegate.sqlite3")

    def launch(self) -> Running:
        """Start the process without waiting for it."""
        self.process: subprocess.Popen[str] | Forked
        self._prepare()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CHUNKS_TOKEN": "the-service-secret",
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        command, known = self.command(), {str(BIN / "sluicegate"): "up", str(BIN / "mitmdump"): "mitmdump"}
        if not self.alone and command[0] in known:
            self.process = Forked(known[command[0]], command, environment, self.folder)
        else:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, cwd=self.folder
            )
        self._queue: queue.Queue[str | None] = queue.Queue()
        # Of this start: what an earlier process leaves behind may hold its end of the pipe for a moment longer.
        self._reader = threading.Thread(target=self._read, args=(self.process, self._queue), daemon=True)
        self._reader.start()
        return self

    def _read(self, process: subprocess.Popen[str] | Forked, queue: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        # Closed here and nowhere else: a process that was killed may leave others behind that still hold its end.
        with process.stdout:
            for line in process.stdout:
                self.lines.append(line.rstrip("\n"))
                queue.put(line)
        queue.put(None)

    def wait_for(self, pattern: str, seconds: float = 120) -> str:
        """Wait for a line that matches. Raises AssertionError with all output when the process ends before."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r} in time:\n" + "\n".join(self.lines)) from None
            if line is None:
                raise AssertionError(f"ended before {pattern!r}:\n" + "\n".join(self.lines))
            if re.search(pattern, line):
                return line

    def start(self) -> Running:
        """Start and wait until it serves."""
        self.launch()
        self.wait_for("gateway on" if self.way == "up" else "Sluicegate is serving")
        if self.with_console:
            self.wait_for("console on")
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, give the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("did not end:\n" + "\n".join(self.lines)) from None

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(60)  # what it printed at its end is looked at afterwards


class Wire:
    """A raw client: bytes in, bytes out, through CONNECT and TLS where asked."""

    def __init__(self, port: int, timeout: float = 60) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout)

    def connect(self, host: str, port: int, token: str | None = None, extra: str = "") -> bytes:
        """Send CONNECT; returns the whole answer's head (and body where it was refused)."""
        credential = ""
        if token is not None:
            import base64

            credential = f"Proxy-Authorization: Basic {base64.b64encode(f'u:{token}'.encode()).decode()}\r\n"
        authority = f"{host}:{port}"
        self.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{credential}{extra}\r\n".encode())
        return self.head()

    def tls(self, ca: Path | None, sni: str | None, alpn: list[str] | None = None) -> Wire:
        """Start TLS inside; the gateway's certificate is verified against its authority.

        None does not verify: it is for hosts that the authority may not sign for, and for clients that mean ill.
        """
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        context.check_hostname = False
        if ca is None:
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        self.socket = context.wrap_socket(self.socket, server_hostname=sni)
        return self

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self) -> bytes:
        """Read up to the end of a header section."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(1)
            if not piece:
                break
            data += piece
        return data

    def response(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Read one response with Content-Length."""
        head = self.head()
        if not head:
            return 0, {}, b""
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        content, length = b"", int(headers.get("content-length", "0")) if body else 0
        while len(content) < length:
            piece = self.socket.recv(length - len(content))
            if not piece:
                break
            content += piece
        return int(lines[0].split()[1]), headers, content

    def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.send(data)
        return self.response()

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except (OSError, ssl.SSLError):
            pass
        return data

    def close(self) -> None:
        self.socket.close()
