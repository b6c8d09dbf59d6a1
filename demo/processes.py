"""What the demo consists of, as processes: identity provider, chunk service, gateway. Started in order, ended always.

python -m demo.processes        starts them and stays until Ctrl-C
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from demo.people import token_for

ROOT = Path(__file__).parent.parent
ISSUER = "http://127.0.0.1:9500"
SERVICE = "https://localhost:9443"
GATEWAY = "127.0.0.1:8080"
CONSOLE = "http://127.0.0.1:8090"
START_SECONDS = 180.0


class DemoFault(Exception):
    """A part of the demo did not start; the message says which and what it printed."""


@dataclass
class Demo:
    """The running demo. Use it as a context manager; what it started is ended when it is left."""

    policy: Path = ROOT / "policy.toml"
    state: Path = ROOT / ".sluicegate"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def gateway_ca(self) -> Path:
        """The interception authority that clients trust."""
        return self.state / "ca" / "mitmproxy-ca-cert.pem"

    @property
    def sink(self) -> Path:
        """Where the chunk service puts what is exported, a folder a bucket."""
        return self.state / "demo" / "sink"

    def __enter__(self) -> Demo:
        folder = self.state / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        issuer, service = folder / "issuer.port", folder / "service.port"
        python = (sys.executable, "-m")
        provider = (*python, "demo.identity_provider", "--port", "9500", "--port-file", str(issuer))
        chunks = (*python, "demo.chunk_service", "--state", str(folder), "--port", "9443", "--port-file", str(service))
        gateway = (*python, "sluicegate.cli", "up", "--policy", str(self.policy), "--state", str(self.state))
        try:
            first = (("identity provider", provider, issuer), ("chunk service", chunks, service))
            for name, command, port_file in first:
                port_file.unlink(missing_ok=True)
                self._start(name, command, lambda line, file=port_file: file.exists())  # type: ignore[misc]
            self._start("gateway", gateway, lambda line: "console on" in line)
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, name: str, command: tuple[str, ...], ready: Callable[[str], bool]) -> None:
        environment = {**os.environ, "CHUNKS_TOKEN": self.token, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._started.append(process)
        lines: list[str] = []
        seen = threading.Event()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if ready(line):
                    seen.set()
            seen.set()

        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while not seen.wait(0.05):
            if ready("") or time.monotonic() > deadline:
                break
        said = "\n  ".join(lines or ["(it printed nothing)"])
        if process.poll() is not None:
            raise DemoFault(f"{name} did not start:\n  {said}")
        if time.monotonic() > deadline:
            raise DemoFault(f"{name} was not ready after {START_SECONDS:.0f} seconds; is the machine busy?\n  {said}")

    def sign_in(self, person: str) -> str:
        """A token for one of the demo's people, by the provider's own flow."""
        return token_for(ISSUER, person)

    def stop(self) -> None:
        """End what was started, last first; kill what does not end in time."""
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main() -> int:
    """Start everything and stay."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Demo() as demo:
            token = demo.sign_in("ada")
            print(
                f"""Everything runs. Ctrl-C ends it.

  gateway   http://{GATEWAY}      console  {CONSOLE}
  service   {SERVICE}      provider {ISSUER}

In another terminal, as ada (group engineering):

  export HTTPS_PROXY='http://ada:{token}@{GATEWAY}' CURL_CA_BUNDLE='{demo.gateway_ca}'
  curl '{SERVICE}/datasets/customers/chunks/7?columns=id,name,email,ssn'

Tokens for the others (grace: fraud, linus: data-stewards, mallory: no group):

  .venv/bin/python -m demo.people linus
""",
                flush=True,
            )
            signal.pause()
    except KeyboardInterrupt:
        print("\nEnded.")
    except DemoFault as fault:
        print(f"sluicegate demo: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
