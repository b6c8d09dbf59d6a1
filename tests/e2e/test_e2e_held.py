"""Real clients that are held for 3, 20 and 70 seconds: who goes on, who is told in time, and who gives up.

`make held-clients` runs it. It takes as long as the clients wait, since their patience is by their own clock; the table
in docs/approvals.md is this test's own result.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.desk import of, with_agent
from tests.clients.programs import PROGRAMS
from tests.e2e.approving import Desk
from tests.origin import Origin, json_response
from tests.running import Running

pytestmark = pytest.mark.skipif(os.environ.get("HELD") != "full", reason="takes minutes: make held-clients")

HELD = (3, 20, 70)
DOCS = Path(__file__).parents[2] / "docs/approvals.md"

PATIENT = (
    *(
        "curl",
        "wget",
        "requests",
        "urllib",
        "httpx",
        "httpx2",
        "aiohttp (trust_env=True)",
        "boto3",
        "Node fetch (Node 24)",
    ),
    *("undici (EnvHttpProxyAgent)", "Java HttpURLConnection", "Java HttpClient", "Go net/http"),
)
"""Out of the clients of docs/clients.md: those that ask once for one thing. pip and npm ask for several, one by one."""
CLIENTS = {program.name: program for program in PROGRAMS if program.name in PATIENT}

MORE = """
[[rules]]
id = "held-read"
effect = "hold"
kind = ["read"]
approvers = ["group:data-stewards"]
reason = "A person has to agree."

[approvals]
hold_seconds = 150.0
max_pending_per_person = 100
"""


@pytest.fixture
def gate(gateway: Any, certs: Any, tmp_path: Path) -> Iterator[tuple[Running, Origin]]:
    origin = Origin(certs.service)
    origin.respond = lambda request: json_response(b'{"rows":[]}')
    with gateway(tmp_path, [f"localhost:{origin.port}"], more=MORE, with_console=True) as running:
        yield running, origin
    origin.close()


def came(process: subprocess.Popen[str], code: str) -> str:
    """What the client shows, in a word or two."""
    output, errors = process.communicate(timeout=200)
    if '"rows"' in output:
        return "goes on"
    if code in output + errors:
        return "told, with the code"
    return "gives up: " + (errors.strip().splitlines() or ["nothing"])[-1][:60]


def pending(desk: Desk) -> dict[str, str]:
    """The codes of what waits, by chunk."""
    return {
        one["chunks"][0]: one["code"] for one in desk.listed("linus") if one["state"] == "pending" and one["chunks"]
    }


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def test_what_real_clients_do_while_they_are_held(gate: tuple[Running, Origin], provider: Any, tmp_path: Path) -> None:
    for program in CLIENTS.values():
        if why := program.missing():
            pytest.skip(why)
    running, origin = gate
    desk, token = Desk(running, provider), provider.token("ada")
    begun = dict.fromkeys(HELD, 0.0)
    asking: dict[tuple[str, int], subprocess.Popen[str]] = {}
    shown: dict[tuple[str, int], str] = {}

    def chunk(name: str, seconds: int) -> str:
        return str(1000 + 100 * list(CLIENTS).index(name) + seconds)

    def start(environment: dict[str, str], seconds: int, *names: str) -> None:
        for name in names:
            program = CLIENTS[name]
            url = f"https://{program.host}:{origin.port}/datasets/customers/chunks/{chunk(name, seconds)}"
            asking[name, seconds] = subprocess.Popen(
                program.command(url, tmp_path),
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            )  # fmt: skip
        while not {chunk(name, seconds) for name in names} <= set(pending(desk)):
            pass
        begun[seconds] = time.monotonic()

    def approve(seconds: int, *names: str) -> None:
        # The clients' own clocks are the machine's: nobody sets this event.
        threading.Event().wait(begun[seconds] + seconds - time.monotonic())
        codes = pending(desk)
        for name in names:
            code = codes[chunk(name, seconds)]
            desk.approve(code)
            shown[name, seconds] = came(asking[name, seconds], code)

    with with_agent(running, token, of(tmp_path)) as environment:
        for name in CLIENTS:  # one at a time: starting them all takes longer than three seconds
            start(environment, 3, name)
            approve(3, name)
        start(environment, 70, *CLIENTS)
        start(environment, 20, *CLIENTS)
        approve(20, *CLIENTS)
        approve(70, *CLIENTS)
    lines = [
        row(["client", *(f"approved after {seconds} s" for seconds in HELD)]),
        row(["---"] * (len(HELD) + 1)),
        *(row([name, *(shown[name, seconds] for seconds in HELD)]) for name in CLIENTS),
    ]
    received = bytes(origin.received)
    for (name, seconds), answer in shown.items():
        reached = received.count(f"GET /datasets/customers/chunks/{chunk(name, seconds)} ".encode())
        assert reached == (answer == "goes on"), (
            f"{name}, {seconds} s: {answer}, and the service was asked {reached} times"
        )
    table = "\n".join(lines)
    assert not [text for text in shown.values() if text.startswith("gives up")], table
    if os.environ.get("SLUICEGATE_WRITE_CLIENTS"):
        before, _, rest = DOCS.read_text().partition("| client | approved after")
        DOCS.write_text(before + table + rest[rest.index("\n\n") :])
    assert table in DOCS.read_text(), f"docs/approvals.md says otherwise; this is so:\n{table}"
