"""Real clients under `sluicegate run`, with nothing else set: whether they go through the gateway, and what they show."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

import pytest

from tests.clients import desk, shelf, table
from tests.clients.programs import PROGRAMS
from tests.clients.table import Found
from tests.origin import Origin, json_response
from tests.running import Running

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
SIGNED_OUT = "Sign in again"


@dataclass
class Said:
    """What a client printed, and whether it asked the service itself."""

    out: str
    err: str
    past: bool

    def shows(self, sentence: str, short: str, status: str) -> str:
        """How much of a refusal a person reads, and in which stream."""
        for stream, text in (("stdout", self.out), ("stderr", self.err)):
            words = " ".join(text.split())
            for wanted, what in (
                (sentence, "the whole sentence"),
                (short, "the reason phrase"),
                (status, "the status"),
            ):
                if wanted in words:
                    return f"{what} ({stream})"
        return "nothing"


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    """A gateway with rows and a shelf behind it, a desk of somebody signed in, and one of somebody who is not any more."""
    origin = Origin(certs.service, lambda request: json_response(b'{"rows": [{"id": 7, "ssn": "123-45-6789"}]}'))
    stock = shelf.Shelf()
    shop = Origin(certs.service, stock.respond)
    stock.root = f"https://localhost:{shop.port}"
    running = Running(
        tmp_path_factory.mktemp("clients"), provider.issuer, certs.ca, [f"localhost:{origin.port}"],
        more=shelf.POLICY.replace("@PORT@", str(shop.port)),
    )  # fmt: skip
    running.rows, running.shop, running.stock = origin, shop, stock
    running.tokens = provider.token("ada"), provider.token("ada", exp=1)
    homes = [tmp_path_factory.mktemp(name) for name in ("home", "home-of-yesterday")]
    of_desks = [desk.of(home) for home in homes]
    with (
        running,
        desk.with_agent(running, running.tokens[0], of_desks[0]) as running.desk,
        desk.with_agent(running, running.tokens[1], of_desks[1]) as running.desk_of_yesterday,
    ):
        yield running
    origin.close()
    shop.close()


def run(gate, folder, program, path, environment):
    origin = gate.rows if path == shelf.ASKS["rows"] else gate.shop
    before = len(origin.received), origin.connections
    done = subprocess.run(
        program.command(f"https://{program.host}:{origin.port}{path}", folder),
        env=environment, capture_output=True, text=True, timeout=250, cwd=folder,
    )  # fmt: skip
    sent = bytes(origin.received[before[0] :])
    past = origin.connections > before[1] and b"the-service-secret" not in sent
    shown = done.stdout + done.stderr
    assert "the-service-secret" not in shown and not any(token in shown for token in gate.tokens)
    return Said(done.stdout, done.stderr, past), len(sent) > 0


def allowed(said, wanted, folder, shelved):
    """What became of what a rule allows; the rows have to be masked."""
    if wanted == "rows":
        assert "123-45-" not in said.out + said.err
        return "arrives, masked" if "****6789" in said.out else "fails"
    if wanted == "refs":
        return "arrives" if f"{shelf.COMMIT}\trefs/heads/main" in said.out else "fails"
    if wanted == "wheel":
        file = folder / shelf.WHEEL
        return "arrives" if file.exists() and file.read_bytes() == shelved.wheel else "fails"
    file = folder / "node_modules" / "sluicegate-canary" / "index.js"
    return "arrives" if file.exists() and "tweet" in file.read_text() else "fails"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_client(gate, tmp_path, program):
    if why := program.missing():
        pytest.skip(why)
    refused, reached = run(gate, tmp_path, program, "/denied/canary", gate.desk)
    if refused.past:
        never = "nothing: it never asked us"
        found = Found(program.name, program.release(), "past it", never, never, never)
    else:
        assert not reached, "a refused request went to the service"
        late, reached = run(gate, tmp_path, program, shelf.ASKS[program.wants], gate.desk_of_yesterday)
        assert not reached and not late.past, late
        said, _ = run(gate, tmp_path, program, shelf.ASKS[program.wants], gate.desk)
        assert not said.past
        got = allowed(said, program.wants, tmp_path, gate.stock)
        found = Found(
            program.name, program.release(), "through it", got,
            refused.shows(shelf.SENTENCE, "Denied", "403"),
            late.shows("Run `sluicegate login`", SIGNED_OUT, "511"),
        )  # fmt: skip
        assert got != "fails", (said.out, said.err)
    if os.environ.get("SLUICEGATE_WRITE_CLIENTS"):
        table.write(found, [each.name for each in PROGRAMS])
    else:
        row = table.shown().get(program.name)
        assert row is not None, "the page does not know it: SLUICEGATE_WRITE_CLIENTS=1 make interop T=tests/clients"
        # Another release may do better or worse, and then the page has to be written anew.
        assert row[2:] == [found.way, found.got, found.told, found.signed_out], (row, found, refused)
