"""What is left behind: each exchange once, nothing secret, and no answer without a record, whatever breaks."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import signal
import subprocess
import threading

import pytest

from tests.e2e.approving import Curl, Desk
from tests.e2e.chunks import SECRET, plain_values
from tests.e2e.investigating import kept, listed, mitmdump, mitmweb, replay
from tests.e2e.tunnels import IDS, tunnel
from tests.origin import Origin, json_response
from tests.running import Wire

CHUNK = "/datasets/customers/chunks/5"
SSN = "123-45-6789"
ROWS = f'{{"rows":[{{"id":1,"ssn":"{SSN}"}}]}}'.encode()
HIDDEN = "a-secret-in-the-query"


@pytest.fixture
def origin(certs):
    server = Origin(certs.service, lambda request: json_response(ROWS))
    yield server
    server.close()


def ask(gate, port, token, path=CHUNK):
    """One request; status and body, status 0 where the connection ended without an answer."""
    with tunnel(gate, port, token) as wire:
        try:
            wire.send(wire.request("GET", path))
            status, _, body = wire.response()
        except OSError:
            return 0, b""
    return status, body


@pytest.fixture(scope="module")
def story(gateway, provider, service, certs, tmp_path_factory):
    """A gateway through which a bit of everything went, stopped again; and the tokens that were used."""
    broken = Origin(certs.service, lambda request: json_response(ROWS[:-2]))
    hosts = [service.host, f"localhost:{broken.port}"]
    tokens = {person: provider.token(person) for person in ("ada", "linus", "mallory")}
    with gateway(tmp_path_factory.mktemp("gate"), hosts, with_console=True) as gate:
        desk, ada = Desk(gate, provider), tokens["ada"]
        with tunnel(gate, service.port, ada) as wire:
            for path in (f"{CHUNK}?columns=id,country", CHUNK, f"{CHUNK}?token={HIDDEN}"):
                for coding in ("gzip", "br", "zstd") if path == CHUNK else ("identity",):
                    wire.send(wire.request("GET", path, Accept_Encoding=coding, Cookie=f"session={HIDDEN}"))
                    assert wire.response()[0] == (403 if "token" in path else 200)
            wire.send(wire.request("DELETE", "/datasets/customers"))
            assert wire.response()[0] == 403
        assert ask(gate, service.port, tokens["mallory"])[0] == 403
        assert ask(gate, service.port, "not." + ada)[0] == 511
        assert ask(gate, broken.port, ada)[0] == 502
        head = Wire(gate.port).connect("localhost", service.port)
        assert head.startswith(b"HTTP/1.1 407 ")
        url = f"https://{service.host}/datasets/customers/exports"
        content = json.dumps({"destination": "s3://partner-drop/recorded", "chunks": [5]})
        for status in (403, 201):
            reply = Curl(gate, ada, url, "--json", content, "-H", "Prefer: wait=0").reply()
            assert reply.status == status
            if status == 403:
                desk.approve(reply.json()["code"])
        assert gate.stop() == 0
    broken.close()
    gate.tokens = tokens
    return gate


def test_each_exchange_is_listed_once(story):
    found = listed(story)
    assert (found.code, found.unknown, found.damage) == (0, [], [])
    seen = [(e["subject"], e["kind"], e["verdict"], e["status"], tuple(e["rules"])) for e in found.exchanges]
    masked = ("ada", "read", "allow", 200, ("people-read",))
    expected = [
        masked, masked, masked, masked,  # one of them asks for nothing that is masked
        ("ada", "unknown", "refused: no-rule", 403, ()),
        ("ada", "admin", "refused: policy-denied", 403, ("no-admin",)),
        ("mallory", "read", "refused: no-rule", 403, ()),
        ("", "", "refused: sign-in-required", 407, ()),
        ("ada", "read", "refused: unmaskable", 502, ("people-read",)),
        ("ada", "export", "hold: approval-pending", 403, ("external-export",)),
        ("ada", "export", "hold, approved", 201, ("external-export",)),
    ]  # fmt: skip
    (bad_token,) = [line for line in seen if line[3] == 511]
    assert bad_token[0] == "" and bad_token[2].startswith("refused: ")
    assert sorted(line for line in seen if line[3] != 511) == sorted(expected)
    assert len({e["id"] for e in found.exchanges}) == len(expected) + 1
    assert len({e["session"] for e in found.exchanges if e["subject"] == "ada"}) == 1


def test_stock_mitmdump_reads_every_flow_file(story):
    files = sorted((story.state / "recordings").rglob("*.flows"))
    assert files
    shown = "\n".join(mitmdump(story, file) for file in files)
    for line in ("200 OK", "403 ", "407 ", "502 ", "511 ", "201 Created", "CONNECT ", "DELETE ", "POST "):
        assert line in shown
    assert shown.count(" << ") == len(listed(story).exchanges)


def test_stock_mitmweb_opens_every_flow_file(story):
    shown = [flow for file in sorted((story.state / "recordings").rglob("*.flows")) for flow in mitmweb(story, file)]
    exchanges = listed(story).exchanges
    assert {flow["id"] for flow in shown} == {e["id"] for e in exchanges} and len(shown) == len(exchanges)
    assert {flow["response"]["status_code"] for flow in shown} >= {200, 201, 403, 407, 502, 511}
    assert any("refused: " in flow["comment"] for flow in shown)


def test_nothing_secret_stays_behind(story, service):
    tokens = story.tokens.values()
    secrets = [SECRET.encode(), SSN.encode(), HIDDEN.encode(), *plain_values(service.rows(5))]
    secrets += [piece for token in tokens for piece in (token.encode(), token.split(".")[2].encode())]
    # As Basic carries them; cut into the three ways in which Base64 can fall on a text that has something before it.
    secrets += [base64.b64encode(before + t.encode())[4:200] for t in tokens for before in (b"", b"u:", b"me:", b"x")]
    seen = list(kept(story.state))
    assert {".flows", ".intents", ".sqlite3"} <= {path.suffix for path, _ in seen}
    assert any(b"****" in data and path.suffix == ".flows" for path, data in seen)
    assert any(data.startswith(b'{"dataset"') for _, data in seen), "recorded bodies could be decompressed"
    found = {(path.name, secret[:12]) for path, data in seen for secret in secrets if secret in data}
    assert not found
    for path, _ in seen:
        assert path.stat().st_mode & 0o077 == 0 or any(word in path.name for word in ("-cert.", "dhparam")), path


def test_one_can_be_shown_as_the_client_saw_it(story, service):
    exchanges = listed(story).exchanges
    (denied,) = [e for e in exchanges if e["kind"] == "admin"]
    shown = replay(story, "show", denied["id"])
    assert shown.returncode == 0
    assert "no-admin" in shown.stdout and "Datasets are not dropped through the gate." in shown.stdout
    masked = next(e for e in exchanges if e["request"].endswith(CHUNK))
    shown = replay(story, "show", masked["id"], "--full")
    last = service.rows(5)[-1]["ssn"]
    assert shown.returncode == 0 and "****" + last[-4:] in shown.stdout and last not in shown.stdout
    played = replay(story, "play", denied["session"], "--no-wait")
    assert played.returncode == 0 and played.stdout.index(CHUNK) < played.stdout.index("DELETE https:")


def test_killed_in_the_middle_the_intent_is_there(gateway, provider, origin, tmp_path):
    arrived, answer = threading.Event(), threading.Event()

    def respond(request):
        if CHUNK.encode() in request:
            arrived.set()
            answer.wait(60)
        return json_response(ROWS)

    origin.respond = respond
    with gateway(tmp_path, [f"localhost:{origin.port}"]) as gate:
        assert ask(gate, origin.port, provider.token("grace"), "/datasets/customers/chunks/1")[0] == 200
        with tunnel(gate, origin.port, provider.token("ada")) as wire:
            wire.send(wire.request("GET", CHUNK))
            assert arrived.wait(60)
            gate.stop(signal.SIGKILL)
            assert wire.rest() == b""
        answer.set()
    found = listed(gate)
    assert found.code == 1 and found.damage == [] and len(found.unknown) == 1
    (lost,) = [e for e in found.exchanges if e["id"] == found.unknown[0]]
    assert lost["verdict"] == "forwarded, outcome unknown" and lost["status"] is None
    assert (lost["subject"], lost["kind"], lost["rules"]) == ("ada", "read", ["people-read"])
    assert lost["request"].startswith("GET ") and lost["request"].endswith(CHUNK)
    assert len(found.exchanges) == 2
    done = replay(gate, "list")
    assert done.returncode == 1 and "outcome unknown" in done.stdout + done.stderr
    # The next run goes on beside it, and changes nothing of what is there.
    with gate:
        assert ask(gate, origin.port, provider.token("grace"), "/datasets/customers/chunks/1")[0] == 200
        assert gate.stop() == 0
    after = listed(gate)
    assert after.unknown == found.unknown and len(after.exchanges) == 3 and after.damage == []


@contextlib.contextmanager
def a_limit(gate):
    """No file of the gateway's may grow any more."""
    before = resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def a_full_disk(gate):
    """The file system that the state folder is on has no byte left."""
    filler = gate.state / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 10, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    yield
    filler.unlink()


@pytest.fixture(params=[a_limit, a_full_disk], ids=["limit", "full"])
def no_room(request, tmp_path):
    """Takes a gateway's disk away for a while; its state folder is on a small disk of its own where it must be."""
    if request.param is a_limit:
        yield a_limit
        return
    state = tmp_path / ".sluicegate"
    state.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(state)], capture_output=True, text=True
    )
    if os.geteuid() != 0 or made.returncode != 0:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip() or 'it needs root'}")
    yield a_full_disk
    subprocess.run(["umount", str(state)], check=True)


def test_a_full_disk_lets_nothing_through(gateway, provider, origin, tmp_path, no_room):
    token, paths = provider.token("ada"), [f"/datasets/customers/chunks/{n}" for n in range(1, 8)]
    with gateway(tmp_path, [f"localhost:{origin.port}"], more="[recording]\nreserve_bytes = 0\n") as gate:
        assert ask(gate, origin.port, token, paths[0])[0] == 200
        with no_room(gate):
            for path in paths[1:4]:
                status, body = ask(gate, origin.port, token, path)
                assert status == 503 and json.loads(body)["type"] == "urn:sluicegate:recorder-down"
                # The last block of a full disk may have held the intent of the first; then its answer was kept back.
                assert path.encode() not in origin.received or (path == paths[1] and no_room is a_full_disk)
            # Refusals cannot be kept either; they stay refusals.
            assert ask(gate, origin.port, provider.token("mallory"))[0] in (403, 503)
            head = Wire(gate.port).connect("localhost", origin.port)
            assert head.split(b" ")[1] in (b"407", b"503")
        status, body = ask(gate, origin.port, token, paths[4])
        assert status == 200 and SSN.encode() not in body, "once there is room it goes on by itself"
        assert gate.stop() == 0
    found = listed(gate)
    base = f"GET https://localhost:{origin.port}"
    # An intent has no scheme, only where it went.
    lost = [
        e["request"].replace("GET localhost", "GET https://localhost")
        for e in found.exchanges
        if e["id"] in found.unknown
    ]
    assert found.damage == [] and lost == ([f"{base}{paths[1]}"] if paths[1].encode() in origin.received else [])
    assert [e["request"] for e in found.exchanges if e["status"] == 200] == [f"{base}{paths[0]}", f"{base}{paths[4]}"]


def test_a_disk_that_fills_while_the_service_works_keeps_the_answer_back(gateway, provider, origin, tmp_path):
    arrived, answer = threading.Event(), threading.Event()

    def respond(request):
        arrived.set()
        answer.wait(60)
        return json_response(ROWS)

    origin.respond = respond
    with (
        gateway(tmp_path, [f"localhost:{origin.port}"]) as gate,
        tunnel(gate, origin.port, provider.token("ada")) as wire,
    ):
        wire.send(wire.request("GET", CHUNK))
        assert arrived.wait(60)
        with a_limit(gate):
            answer.set()
            status, _, body = wire.response()
        assert status in (502, 503) and b'"id"' not in body and b"6789" not in IDS.sub(b"", body)
        assert gate.stop() == 0
    assert len(listed(gate).unknown) == 1
