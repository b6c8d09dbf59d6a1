"""Shredding by two people from end to end: a gateway, its console, the commands, and the proof afterwards."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sluicegate.recording.sealing.recipients import new_identity
from tests.origin import Origin, json_response
from tests.running import BIN, Running, Wire

ROW = b'{"dataset": "customers", "columns": ["id", "ssn"], "rows": [{"id": 1, "ssn": "078-05-1120"}]}'
KEEPERS = '[console]\nkeepers = ["person:grace", "person:lin"]\n'


class Kept(Running):
    """A gateway that seals, and whose recordings two people keep."""

    def write_policy(self) -> Path:
        path = super().write_policy()
        recipients = json.dumps([new_identity()[1], new_identity()[1]])
        text = path.read_text().replace("[console]\n", KEEPERS)
        path.write_text(f"{text}\n[recording]\nrecipients = {recipients}\n")
        return path


def test_two_people_shred_what_a_running_gateway_has_sealed(provider, certs, tmp_path):
    origin = Origin(certs.service, lambda _asked: json_response(ROW))
    gate = Kept(
        folder=tmp_path,
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}"],
        with_console=True,
    )

    def command(person: str, *words: str, code: int = 0) -> dict:
        token = tmp_path / f"{person}.token"
        token.write_text(provider.token(person))
        asked = [str(BIN / "sluicegate"), "recording", *words, "--console", f"http://127.0.0.1:{gate.console}"]
        done = subprocess.run(
            [*asked, "--token-file", str(token), "--json"],
            capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    keys = gate.state / "recordings" / "keys"
    with gate:
        wire = Wire(gate.port)
        assert b" 200 " in wire.connect("localhost", origin.port, provider.token("ada"))
        wire.tls(gate.gateway_ca, "localhost")
        head = f"GET /datasets/customers/chunks/1?columns=id,ssn HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n"
        status, _, body = wire.ask(head.encode())
        wire.close()
        assert status == 200 and b"078-05" not in body
        assert len(list(keys.iterdir())) == 1
        asked = command("grace", "shred", "--subject", "ada", "--reason", "she asked for it")
        assert asked["state"] == "asked"
        assert "not-a-keeper" in command("ada", "agree", asked["id"], code=1)["type"]
        assert "own-order" in command("grace", "agree", asked["id"], code=1)["type"]
        assert command("lin", "agree", asked["id"])["state"] == "agreed"
        for _ in range(60):
            (order,) = command("grace", "orders")["orders"]
            if order["state"] == "done":
                break
        else:
            pytest.fail("the gateway did not carry it out")
        assert list(keys.iterdir()) == []
        assert gate.stop() == 0  # one that is killed leaves a tail that nobody has signed
    origin.close()
    replay = [str(BIN / "sluicegate-replay"), "verify", "--from", str(gate.state / "recordings"), "--json"]
    proof = subprocess.run(replay, capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(proof.stdout)
    assert (proof.returncode, told["verdict"], told["findings"]) == (0, "proved", [])
    (removal,) = told["removals"]
    assert (removal["kind"], removal["files"], removal["reason"]) == ("shredded", 1, "she asked for it")
    assert len(removal["by"]) == 2
