"""A real gateway under real requests, killed without warning: what its recordings hold, and what they never hold."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from sluicegate.recording.flow_reader import read_all
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Damage, Recorded
from tests.origin import Origin, json_response
from tests.running import BIN, Running, Wire

SSN = "078-05-1120"
ROW = json.dumps({"dataset": "customers", "columns": ["id", "ssn"], "rows": [{"id": 1, "ssn": SSN}]}).encode()


@pytest.fixture(scope="module", params=["up", "script"])
def story(request, provider, certs, tmp_path_factory):
    """(folder of recordings, token, answers by name) after a read, three refusals and a broken service; then kill -9."""

    def respond(asked: bytes) -> bytes:
        if b"/chunks/9" in asked.split(b"\r\n")[0]:
            raise OSError("the service breaks the connection")
        return json_response(ROW, extra="set-cookie: sid=planted-cookie\r\n")

    origin = Origin(certs.service, respond)
    gate = Running(
        folder=tmp_path_factory.mktemp(f"recorded-{request.param}"),
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}"],
        way=request.param,
    )
    token = provider.token("ada")
    with gate:
        answers = {}
        wire = Wire(gate.port)
        answers["no credential"] = wire.connect("localhost", origin.port)
        wire.close()
        for name, line in [
            ("read", "GET /datasets/customers/chunks/1?columns=id,ssn HTTP/1.1"),
            ("denied", "DELETE /datasets/customers HTTP/1.1"),
            ("odd", "GET /datasets/customers?token=planted-query HTTP/1.1"),
            ("broken", "GET /datasets/customers/chunks/9 HTTP/1.1"),
        ]:
            wire = Wire(gate.port)
            assert b" 200 " in wire.connect("localhost", origin.port, token)
            wire.tls(gate.gateway_ca, "localhost")
            head = f"{line}\r\nHost: localhost:{origin.port}\r\nCookie: a=planted-cookie\r\n\r\n"
            answers[name] = wire.ask(head.encode())
            wire.close()
        gate.stop(signal.SIGKILL)
    origin.close()
    return gate.state / "recordings", token, answers


def recorded(folder: Path) -> dict[str, Recorded]:
    items = list(read_all(folder))
    assert not [item for item in items if isinstance(item, Damage | Intent)]
    return {item.request.line.split("?")[0]: item for item in items if isinstance(item, Recorded)}


def test_every_answer_that_left_is_recorded_as_the_client_saw_it(story):
    folder, _, answers = story
    items = recorded(folder)
    assert len(items) == 5
    read = items["GET /datasets/customers/chunks/1"]
    status, _, body = answers["read"]
    assert status == 200
    assert read.response.body == body
    assert read.text("subject") == "ada"
    assert read.text("session") == "session-of-ada"
    assert read.texts("rules") == ["people-read"]
    assert read.table("exposure")["columns"]["ssn"] == "masked"
    denied = items["DELETE /datasets/customers"]
    assert (denied.status, denied.text("refusal"), denied.texts("rules")) == (403, "policy-denied", ["no-admin"])
    assert denied.response.body == answers["denied"][2]
    assert items["GET /datasets/customers/chunks/9"].text("error")
    connect = next(item for line, item in items.items() if line.startswith("CONNECT"))
    assert connect.status == 407
    assert connect.who == ""


def test_no_secret_and_no_unmasked_value_is_in_any_file(story):
    folder, token, _ = story
    planted = [token, "the-service-secret", "planted-cookie", "planted-query", SSN, "BEGIN CERTIFICATE"]
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert [secret for secret in planted if secret.encode() in data] == []


def test_stock_mitmdump_and_the_replay_tool_open_them(story, tmp_path):
    folder = story[0]
    (file,) = folder.rglob("*.flows")
    stock = subprocess.run(
        [str(BIN / "mitmdump"), "--set", f"confdir={tmp_path}", "-nr", str(file)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert stock.returncode == 0, stock.stderr
    assert "/datasets/customers/chunks/1" in stock.stdout
    for arguments in (["list"], ["play", "session-of-ada", "--no-wait"]):
        replay = subprocess.run(
            [str(BIN / "sluicegate-replay"), *arguments, "--from", str(folder)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert replay.returncode == 0, replay.stderr
        assert "policy-denied" in replay.stdout
