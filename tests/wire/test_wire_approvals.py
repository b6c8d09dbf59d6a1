"""Held requests, whole: a real gateway, a real console, the real command, and nothing at the origin unasked."""

from __future__ import annotations

import json
import os
import subprocess
import threading

import pytest

from tests import forked
from tests.origin import Origin, json_response
from tests.running import BIN, Running, Wire

BODY = b'{"destination":"s3://partner/x.ndjson","chunks":[7]}'


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    origin = Origin(certs.service, lambda request: json_response(b'{"export":"1"}', status="201 Created"))
    running = Running(
        folder=tmp_path_factory.mktemp("approvals"),
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}"],
        with_console=True,
        more="[approvals]\nhold_seconds = 200\n",
    )
    running.origin = origin
    with running:
        yield running
    origin.close()


class Desk:
    """What people do: ask through the gate, decide with the command."""

    def __init__(self, gate, provider):
        self.gate, self.provider = gate, provider

    def ask(self, person="ada", body=BODY, headers="Prefer: wait=0\r\n"):
        wire = Wire(self.gate.port, timeout=250)
        assert b" 200 " in wire.connect("localhost", self.gate.origin.port, self.provider.token(person))
        wire.tls(self.gate.gateway_ca, "localhost")
        answer = wire.ask(
            f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{self.gate.origin.port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        wire.close()
        return answer[0], json.loads(answer[2])

    def command(self, person, *words):
        done = forked.run(
            [str(BIN / "sluicegate"), "approvals", *words],
            env={
                "PATH": os.environ["PATH"],
                "SLUICEGATE_TOKEN": self.provider.token(person),
                "SLUICEGATE_CONSOLE": f"http://127.0.0.1:{self.gate.console}",
            },
            cwd=self.gate.folder,
        )
        return done.returncode, done.stdout + done.stderr

    def pending(self, person):
        status, text = self.command(person, "list", "--json")
        assert status == 0, text
        return [row for row in json.loads(text)["approvals"] if row["state"] == "pending"]

    @property
    def reached(self):
        return bytes(self.gate.origin.received).count(b"POST /datasets/customers/exports")


@pytest.fixture
def desk(gate, provider):
    return Desk(gate, provider)


def test_a_waiting_client_goes_on_when_somebody_else_approves(desk):
    before, answers = desk.reached, []
    body = b'{"destination":"s3://partner/waiting.ndjson"}'
    waiting = threading.Thread(target=lambda: answers.append(desk.ask(body=body, headers="")))
    waiting.start()
    while not (found := [row for row in desk.pending("linus") if "waiting" in row["destination"]]):
        assert waiting.is_alive()
    assert desk.reached == before
    assert desk.command("ada", "approve", found[0]["code"])[0] == 1
    assert desk.command("mallory", "approve", found[0]["code"])[0] == 1
    assert desk.reached == before and waiting.is_alive()
    assert desk.command("linus", "approve", found[0]["code"])[0] == 0
    waiting.join(60)
    assert answers == [(201, {"export": "1"})]
    assert desk.reached == before + 1


def test_a_denial_is_told_with_its_reason(desk):
    before = desk.reached
    status, problem = desk.ask(body=b'{"destination":"s3://partner/denied.ndjson"}')
    assert status == 403 and problem["type"] == "urn:sluicegate:approval-pending"
    assert desk.command("linus", "deny", problem["code"], "--reason", "not to <b>that</b> bucket")[0] == 0
    status, problem = desk.ask(body=b'{"destination":"s3://partner/denied.ndjson"}', headers="Prefer: wait=0\r\n")
    assert status == 403
    assert desk.reached == before


def test_a_retry_passes_once_and_a_changed_byte_is_another_request(desk):
    before = desk.reached
    status, problem = desk.ask()
    assert status == 403 and problem["next_step"] and problem["rules"] == ["external-export"]
    status, again = desk.ask()
    assert again["code"] == problem["code"]
    assert desk.command("linus", "approve", problem["code"])[0] == 0
    changed = BODY.replace(b"x.ndjson", b"y.ndjson")
    status, other = desk.ask(body=changed)
    assert status == 403 and other["code"] != problem["code"]
    assert desk.ask(body=BODY.replace(b",", b", "))[0] == 403
    assert desk.ask(person="grace")[0] == 403
    assert desk.reached == before
    assert desk.ask()[0] == 201
    assert desk.ask()[0] == 403
    assert desk.reached == before + 1


def test_an_approver_cannot_approve_his_own(desk):
    status, problem = desk.ask(person="linus", body=b'{"destination":"s3://partner/own.ndjson"}')
    assert status == 403
    code, text = desk.command("linus", "approve", problem["code"])
    assert code == 1 and "yourself" in text


def test_respond_async_gets_202(desk):
    headers = "Prefer: respond-async\r\n"
    status, problem = desk.ask(body=b'{"destination":"s3://partner/async.ndjson"}', headers=headers)
    assert status == 202 and problem["code"]


def test_an_internal_destination_is_not_held(desk):
    assert desk.ask(body=b'{"destination":"s3://acme-warehouse/x"}')[0] == 201


def test_others_go_on_while_one_waits(desk):
    answers = []
    body = b'{"destination":"s3://partner/slow.ndjson"}'
    waiting = threading.Thread(target=lambda: answers.append(desk.ask(body=body, headers="")))
    waiting.start()
    while not (found := [row for row in desk.pending("linus") if "slow" in row["destination"]]):
        assert waiting.is_alive()
    for _ in range(20):
        assert desk.ask(body=b'{"destination":"s3://acme-warehouse/x"}')[0] == 201
    assert waiting.is_alive()
    desk.command("linus", "deny", found[0]["code"], "--reason", "no")
    waiting.join(60)
    assert answers[0][0] == 403 and "no" in json.dumps(answers[0][1])


def test_a_pending_request_survives_a_restart_of_everything(desk, gate):
    body = b'{"destination":"s3://partner/restart.ndjson"}'
    before = desk.reached
    _, problem = desk.ask(body=body)
    assert gate.stop() == 0
    gate.start()
    assert [row["code"] for row in desk.pending("linus") if "restart" in row["destination"]] == [problem["code"]]
    assert desk.command("linus", "approve", problem["code"])[0] == 0
    assert gate.stop() == 0
    gate.start()
    assert desk.ask(body=body)[0] == 201
    assert desk.reached == before + 1


def test_nobody_without_a_good_token_decides(desk, gate, provider):
    for token in ("", "x", provider.token("linus", aud="elsewhere"), provider.token("linus", exp=1)):
        done = subprocess.run(
            [str(BIN / "sluicegate"), "approvals", "list"],
            env={"PATH": os.environ["PATH"], "SLUICEGATE_TOKEN": token, "SLUICEGATE_CONSOLE": f"http://127.0.0.1:{gate.console}"},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr
