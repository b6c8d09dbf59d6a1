"""What is left on the disk: every exchange once, no secret, nothing unmasked; and what happens when there is no disk."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import subprocess
import threading

import pytest

from tests import forked
from tests.origin import Origin, json_response
from tests.running import BIN, Running, Wire

SSN = "123-45-6789"
PATH = "/datasets/customers/chunks/1"


@pytest.fixture
def origin(certs):
    body = json.dumps({"rows": [{"id": 1, "ssn": SSN, "email": "ada@example.net"}]}).encode()
    server = Origin(certs.service, lambda request: json_response(body))
    yield server
    server.close()


@pytest.fixture
def make(provider, certs, origin, tmp_path):
    def made(**changes):
        values = dict(folder=tmp_path, issuer=provider.issuer, ca=certs.ca, hosts=[f"localhost:{origin.port}"])
        return Running(**{**values, **changes})

    return made


def ask(gate, origin, token, path=PATH, method="GET", extra=""):
    wire = Wire(gate.port)
    if b" 200 " not in wire.connect("localhost", origin.port, token):
        return 407, {}, b""
    wire.tls(gate.gateway_ca, "localhost")
    answer = wire.ask(f"{method} {path} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n{extra}\r\n".encode())
    wire.close()
    return answer


def replay(gate, *words):
    done = forked.run(
        [str(BIN / "sluicegate-replay"), *words, "--from", str(gate.state / "recordings")],
        env={"PATH": os.environ["PATH"], "HOME": str(gate.folder)},
        cwd=gate.folder,
    )
    return done.returncode, done.stdout


def test_every_exchange_once_and_no_secret_anywhere(make, origin, provider):
    tokens = {person: provider.token(person) for person in ("ada", "mallory")}
    with make() as gate:
        assert ask(gate, origin, tokens["ada"])[0] == 200
        secrets = "Cookie: session=cookie-secret\r\nX-Api-Key: header-secret\r\n"
        assert ask(gate, origin, tokens["ada"], extra=secrets)[0] == 200
        assert ask(gate, origin, tokens["ada"], PATH + "?columns=id&access_token=query-secret")[0] == 403
        assert ask(gate, origin, tokens["mallory"])[0] == 403
        assert ask(gate, origin, tokens["ada"], "/datasets/customers", "DELETE")[0] == 403
        assert ask(gate, origin, None)[0] == 407
        assert ask(gate, origin, "a.b.c")[0] == 511
        assert ask(gate, origin, tokens["ada"], extra="Upgrade: websocket\r\nConnection: upgrade\r\n")[0] == 403
        assert gate.stop() == 0
        status, text = replay(gate, "list", "--json")
        rows = json.loads(text)["exchanges"]
        assert status == 0 and [row["status"] for row in rows] == [200, 200, 403, 403, 403, 407, 511, 403]
        assert [row["subject"] for row in rows[:5]] == ["ada", "ada", "ada", "mallory", "ada"]
        assert len({row["id"] for row in rows}) == 8
        forbidden = [SSN, "ada@example.net", "the-service-secret", *tokens.values()]
        forbidden += ["cookie-secret", "header-secret", "query-secret"]
        for file in (f for f in gate.folder.rglob("*") if f.is_file() and f.name != "policy.toml"):
            data = file.read_bytes()
            if data[:2] == b"\x1f\x8b":
                data = gzip.decompress(data)
            assert not [secret for secret in forbidden if secret.encode() in data], file
        for file in (gate.state / "recordings").rglob("*.flows"):
            done = subprocess.run(
                [str(BIN / "mitmdump"), "-nr", str(file)], capture_output=True, text=True, timeout=60, cwd=gate.folder
            )
            assert done.returncode == 0 and done.stdout.count("<<") == 8, done.stdout + done.stderr


def test_killed_in_the_middle_the_intent_is_there(make, origin, provider):
    arrived, release = threading.Event(), threading.Event()

    def respond(request):
        arrived.set()
        release.wait(60)
        return json_response(b"{}")

    origin.respond = respond
    with make() as gate:
        token, answers = provider.token("ada"), []

        def broken_off():
            try:
                answers.append(ask(gate, origin, token)[0])
            except OSError:
                answers.append(0)

        asking = threading.Thread(target=broken_off)
        asking.start()
        assert arrived.wait(60)
        gate.process.send_signal(signal.SIGKILL)
        gate.process.wait()
        release.set()
        asking.join(60)
        assert answers == [0]
        status, text = replay(gate, "list", "--json")
        [row] = json.loads(text)["exchanges"]
        assert status == 1 and row["subject"] == "ada" and "unknown" in row["verdict"]


def test_a_full_disk_refuses_and_nothing_goes_out(make, origin, provider):
    token = provider.token("ada")
    with make() as gate:
        assert ask(gate, origin, token)[0] == 200
        # The largest file that the process may write: the recorder meets it, after some records, as a disk that is full.
        resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (120_000, 120_000))
        answers = []
        for _ in range(500):
            status, _, body = ask(gate, origin, token)
            answers.append(status)
            if answers.count(503) > 20:
                break
            assert status in (200, 503) and SSN.encode() not in body
            if status == 503:
                assert json.loads(body)["type"] == "urn:sluicegate:recorder-down"
        assert answers[0] == 200 and 503 in answers
        assert gate.stop() == 0
        delivered = list(json.loads(replay(gate, "list", "--json", "--limit", "1000")[1])["exchanges"])
        recorded = sum(row["status"] == 200 for row in delivered)
        sent = bytes(origin.received).count(b"GET /datasets")
        assert recorded > answers.count(200), "something was delivered that is not on the disk"
        assert sent <= len(delivered), "something went out that is not on the disk"
