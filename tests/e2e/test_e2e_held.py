"""Real clients that are held for 3, 20 and 70 seconds: who goes on, who is told in time, and who gives up.

`make held-clients` runs it. It takes as long as the clients wait, since their patience is by their own clock; the table
in docs/approvals.md is this test's own result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.approving import Desk
from tests.origin import Origin, json_response
from tests.running import Running

pytestmark = pytest.mark.skipif(os.environ.get("HELD") != "full", reason="takes minutes: make held-clients")

HELD = (3, 20, 70)
DOCS = Path(__file__).parents[2] / "docs/approvals.md"

_PYTHON = {
    "requests": "import requests; print(requests.get(url).status_code)",
    "urllib": "from urllib import request, error\n"
    "try: print(request.urlopen(url).status)\n"
    "except error.HTTPError as refused: print(refused.code)",
    "httpx": "import httpx; print(httpx.get(url).status_code)",
    "httpx2": "import httpx2; print(httpx2.get(url).status_code)",
    "aiohttp": "import asyncio, aiohttp\n"
    "async def ask():\n"
    " async with aiohttp.ClientSession(trust_env=True) as client, client.get(url) as answer: print(answer.status)\n"
    "asyncio.run(ask())",
}
CLIENTS: dict[str, list[str]] = {
    "curl": ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n"],
    "Node https": ["node", str(Path(__file__).with_name("node_client.mjs")), "1.1", "GET"],
    **{name: [sys.executable, "-c", f"import sys; url = sys.argv[1]\n{code}"] for name, code in _PYTHON.items()},
}

MORE = """
[[rules]]
id = "held-read"
effect = "hold"
kind = ["read"]
approvers = ["group:data-stewards"]
reason = "A person has to agree."

[approvals]
hold_seconds = 100.0
max_pending_per_person = 100
"""


@pytest.fixture
def gate(gateway: Any, certs: Any, tmp_path: Path) -> Iterator[tuple[Running, Origin]]:
    origin = Origin(certs.service)
    origin.respond = lambda request: json_response(b'{"rows":[]}')
    with gateway(tmp_path, [f"localhost:{origin.port}"], more=MORE, with_console=True) as running:
        yield running, origin
    origin.close()


def started(gate: Running, token: str, url: str, command: list[str]) -> subprocess.Popen[str]:
    ca = str(gate.gateway_ca)
    trust = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return subprocess.Popen(
        [*command, url],
        env={
            "PATH": os.environ["PATH"],
            "HTTPS_PROXY": f"http://me:{token}@127.0.0.1:{gate.port}",
            **dict.fromkeys(trust, ca),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def came(process: subprocess.Popen[str]) -> str:
    """What the client shows, in a word or two."""
    output, errors = process.communicate(timeout=120)
    if "201" in output or "200" in output:
        return "goes on"
    if "403" in output:
        return "told, with the code"
    return "gives up: " + (errors.strip().splitlines() or ["nothing"])[-1][:60]


def pending(desk: Desk) -> dict[str, str]:
    """The codes of what waits, by chunk."""
    return {
        one["chunks"][0]: one["code"] for one in desk.listed("linus") if one["state"] == "pending" and one["chunks"]
    }


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def test_what_real_clients_do_while_they_are_held(gate: tuple[Running, Origin], provider: Any) -> None:
    running, origin = gate
    desk, token = Desk(running, provider), provider.token("ada")
    begun = dict.fromkeys(HELD, 0.0)
    asking: dict[tuple[str, int], subprocess.Popen[str]] = {}
    shown: dict[tuple[str, int], str] = {}

    def chunk(name: str, seconds: int) -> str:
        return str(100 * list(CLIENTS).index(name) + seconds)

    def start(seconds: int, *names: str) -> None:
        for name in names:
            url = f"https://localhost:{origin.port}/datasets/customers/chunks/{chunk(name, seconds)}?columns=id"
            asking[name, seconds] = started(running, token, url, CLIENTS[name])
        while not {chunk(name, seconds) for name in names} <= set(pending(desk)):
            pass
        begun[seconds] = time.monotonic()

    def approve(seconds: int, *names: str) -> None:
        # The clients' own clocks are the machine's: nobody sets this event.
        threading.Event().wait(begun[seconds] + seconds - time.monotonic())
        codes = pending(desk)
        for name in names:
            desk.approve(codes[chunk(name, seconds)])
            shown[name, seconds] = came(asking[name, seconds])

    start(70, *CLIENTS)
    for name in CLIENTS:  # one at a time: starting seven takes longer than three seconds
        start(3, name)
        approve(3, name)
    start(20, *CLIENTS)
    approve(20, *CLIENTS)
    approve(70, *CLIENTS)
    lines = [
        row(["client", *(f"approved after {seconds} s" for seconds in HELD)]),
        row(["---"] * (len(HELD) + 1)),
        *(row([name, *(shown[name, seconds] for seconds in HELD)]) for name in CLIENTS),
    ]
    went = sum(answer == "goes on" for answer in shown.values())
    assert bytes(origin.received).count(b"GET ") == went, "nothing goes to the service for somebody who was told no"
    table = "\n".join(lines)
    assert not [text for text in shown.values() if text.startswith("gives up")], table
    assert table in DOCS.read_text(), f"docs/approvals.md says otherwise; this is so:\n{table}"
