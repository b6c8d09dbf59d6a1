"""Real clients under `sluicegate run`, with nothing else set: whether they go through the gateway, and what they show."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.clients import table
from tests.clients.programs import PROGRAMS
from tests.clients.table import Found
from tests.origin import Origin, json_response
from tests.running import Running

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]
ALLOWED = "/datasets/customers/chunks/7"
DENIED = "/denied/thing"
TITLE = "No policy rule allows this"


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    """A gateway, an agent for it, and what `sluicegate env` says of both; `sluicegate run` gives a command the same."""
    origin = Origin(certs.service, lambda request: json_response(b'{"rows": [{"id": 7, "ssn": "123-45-6789"}]}'))
    running = Running(tmp_path_factory.mktemp("clients"), provider.issuer, certs.ca, [f"localhost:{origin.port}"])
    running.origin = origin
    home = tmp_path_factory.mktemp("home")
    running.token = provider.token("ada")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | {
        "HOME": str(home), "SLUICEGATE_CONFIG": str(home / "config"), "GIT_TERMINAL_PROMPT": "0", "GOFLAGS": "-mod=mod",
        "GOCACHE": os.environ.get("GOCACHE", os.path.expanduser("~/.cache/go-build")),
        "npm_config_update_notifier": "false", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    policy = ["--policy", str(running.folder / "policy.toml")]
    command = [sys.executable, "-m", "sluicegate.cli"]
    with running:
        signed_in = environment | {"SLUICEGATE_TOKEN": running.token}
        agent = subprocess.Popen(
            [*command, "agent", "--port", "0", *policy], env=signed_in, stdout=subprocess.PIPE, text=True
        )
        try:
            assert agent.stdout.readline().startswith("sluicegate: agent on ")
            done = subprocess.run([*command, "env", "--json", *policy], env=signed_in, capture_output=True, text=True)
            running.desk = environment | json.loads(done.stdout)
            yield running
        finally:
            agent.terminate()
            agent.wait(20)
            agent.stdout.close()
    origin.close()


def run(gate, folder, program, path):
    url = f"https://localhost:{gate.origin.port}{path}"
    before = len(gate.origin.received), gate.origin.connections
    done = subprocess.run(
        program.command(url, folder), env=gate.desk, capture_output=True, text=True, timeout=250, cwd=folder
    )
    sent = bytes(gate.origin.received[before[0] :])
    past = gate.origin.connections > before[1] and b"the-service-secret" not in sent
    return done.stdout + done.stderr, past


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_client(gate, tmp_path, program):
    if program.missing():
        pytest.skip(program.missing())
    assert gate.token not in json.dumps(gate.desk)
    said, past = run(gate, tmp_path, program, DENIED)
    if not past and program.reads and program.name != "botocore":
        rows, _ = run(gate, tmp_path, program, ALLOWED)
        assert "****6789" in rows and "123-45" not in rows, rows
    whole = f"{TITLE}: " in said or f'"title": "{TITLE}"' in said
    shows = (
        "the whole sentence"
        if whole
        else "the reason phrase"
        if TITLE in said
        else "the status"
        if "403" in said
        else "nothing"
    )
    way, told = ("past it", "nothing: it never asked us") if past else ("through it", shows)
    found = Found(program.name, program.release(), way, told)
    assert gate.token not in said and "the-service-secret" not in said
    if os.environ.get("SLUICEGATE_WRITE_CLIENTS"):
        table.write(found, [each.name for each in PROGRAMS])
    else:
        row = table.shown().get(program.name)
        assert row is not None, "the page does not know it: SLUICEGATE_WRITE_CLIENTS=1 make interop T=tests/clients"
        # Another release may do better or worse, and then the page has to be written anew.
        assert row[2:] == [found.way, found.told], (row, found, said)
