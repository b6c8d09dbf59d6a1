"""Asking for what is held, and deciding it: curl on one side, `sluicegate approvals` on the other."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests import forked
from tests.provider import Provider
from tests.running import BIN, Running


@dataclass
class Reply:
    """What curl got; `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Curl:
    """A curl that has been started and may wait for its answer."""

    def __init__(self, gate: Running, token: str, url: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            ["curl", "-sS", "--max-time", "250", "--suppress-connect-headers", "-i", *arguments, url],
            env={
                "PATH": os.environ["PATH"],
                "HTTPS_PROXY": f"http://me:{token}@127.0.0.1:{gate.port}",
                "CURL_CA_BUNDLE": str(gate.gateway_ca),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def waits(self) -> bool:
        return self.process.poll() is None

    def reply(self) -> Reply:
        """Wait for the answer; status 0 when the connection ended without one."""
        output, _ = self.process.communicate(timeout=90)
        head, _, body = output.partition(b"\r\n\r\n")
        if not head:
            return Reply(0, {}, b"")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Reply(int(first.split()[1]), headers, body)


class Desk:
    """The console of a gateway, for people of the demo."""

    def __init__(self, gate: Running, provider: Provider) -> None:
        self.gate, self.provider = gate, provider

    def call(self, token: str, path: str = "", body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """One call to the API: status and document. With a body it decides."""
        connection = HTTPConnection("127.0.0.1", self.gate.console, timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            content = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", f"/api/approvals{path}", content, headers)
            response = connection.getresponse()
            status, document = response.status, json.loads(response.read())
        finally:
            connection.close()
        # A test that looks in a circle is told to wait, as anybody is; it looks on.
        return self.call(token, path) if status == 429 and body is None else (status, document)

    def listed(self, person: str) -> list[dict[str, Any]]:
        """What a person sees."""
        status, document = self.call(self.provider.token(person))
        assert status == 200, document
        found: list[dict[str, Any]] = document["approvals"]
        return found

    def pending(self, destination: str, person: str = "linus") -> dict[str, Any]:
        """The pending approval for a destination, as soon as there is one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for approval in self.listed(person):
                if approval["state"] == "pending" and approval["destination"] == destination:
                    return approval
        raise AssertionError(f"nothing is pending for {destination}:\n" + "\n".join(self.gate.lines))

    def approve(self, code: str, person: str = "linus") -> None:
        """Approve by the API, as the command does."""
        status, document = self.call(self.provider.token(person), f"/{code}/approve", {"reason": ""})
        assert status == 200 and document["state"] == "approved", document

    def run(self, token: str, *arguments: str) -> tuple[int, str]:
        """`sluicegate approvals ...` with a token; its exit code, and all that it printed."""
        done = forked.run(
            [str(BIN / "sluicegate"), "approvals", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.gate.folder),
                "SLUICEGATE_TOKEN": token,
                "SLUICEGATE_CONSOLE": f"http://127.0.0.1:{self.gate.console}",
                # A workstation's proxy is the gateway itself; the command must not go through it.
                "HTTPS_PROXY": f"http://127.0.0.1:{self.gate.port}",
                "HTTP_PROXY": f"http://127.0.0.1:{self.gate.port}",
            },
            cwd=self.gate.folder,
        )
        assert "Traceback" not in done.stderr and token not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def cli(self, person: str, *arguments: str) -> tuple[int, str]:
        """The same as one of the demo's people."""
        return self.run(self.provider.token(person), *arguments)
