"""What a person has to see of a refusal: our sentence, once; and that the client asked once and no more.

How long it took until the person saw it is written by `make interop` into `seen.json` beside this file, and from there into
docs/services.md: it is measured and never asserted, since it says as much about the machine as about the client.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.serving import Said, told_at

REASON = "Salaries are for payroll."
NEXT = "Leave the column out."
SEEN = Path(__file__).parent / "seen.json"
_slowest: dict[str, float] = {}
"""Of each client in this run."""


def assert_said_once(said: Said, *parts: str) -> None:
    """Each part is in what the client printed, and only once (a traceback shows an exception's text once)."""
    for part in parts or (REASON, NEXT):
        assert said.all.count(part) == 1, said.all


def since(gate: Any, before: int) -> list[dict[str, Any]]:
    """The exchanges that were recorded after the first `before`."""
    found: list[dict[str, Any]] = gate.recorded()[before:]
    return found


@contextmanager
def asked_once(gate: Any, client: str, *, pieces: bool = False, of: str = "") -> Iterator[None]:
    """The client that runs inside is refused once, and does not ask again. `pieces`: each of several requests once.

    `of`: what the requests that count have in their address; some clients ask for other things that are refused, too.

    The time from when the gateway had the request until the client said its last word is kept under the client's name.
    """
    before = len(gate.recorded())
    told_at.clear()
    yield
    assert told_at, "it said nothing"
    ended = max(told_at)
    refused = [one for one in since(gate, before) if one["verdict"] != "allow" and of in one["request"]]
    assert refused, "nothing was refused"
    again = len(refused) - (len({exchange["request"] for exchange in refused}) if pieces else 1)
    assert again == 0, [exchange["request"] for exchange in refused]
    _slowest[client] = max(_slowest.get(client, 0.0), ended - refused[0]["started"])
    if os.environ.get("SEEN") != "keep":  # `make interop` keeps it; other runs leave the working tree as it is
        return
    kept = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    kept[client] = round(_slowest[client], 1)
    SEEN.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
