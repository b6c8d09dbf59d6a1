"""Held requests end to end: a waiting client, an approver's command, and a service that sees nothing before the yes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading

import httpx
import psutil
import pytest

from tests.console.browsers import browser, sign_in
from tests.e2e.approving import Curl, Desk, Reply
from tests.e2e.chunks import SECRET
from tests.origin import Origin, json_response
from tests.running import BIN

EXPORTS = "/datasets/customers/exports"
NUMBERS = itertools.count(1)
MADE = json_response(b'{"export":"e-1"}', status="201 Created")


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    more = "[approvals]\nhold_seconds = 200.0\n"
    hosts = [f"localhost:{origin.port}"]
    with gateway(tmp_path_factory.mktemp("gate"), hosts, more=more, with_console=True, drain=1) as running:
        yield running


@pytest.fixture(autouse=True)
def answers(origin):
    """Exports are made, reads are answered, and a test may look at what came since it began."""
    origin.respond = lambda request: MADE if request.startswith(b"POST") else json_response(b'{"rows":[]}')
    origin.before = len(origin.received)


@pytest.fixture
def desk(gate, provider):
    return Desk(gate, provider)


@pytest.fixture
def destination():
    """A bucket that is not ours, and that no other test uses."""
    return f"s3://partner-drop/export-{next(NUMBERS)}"


@pytest.fixture
def export(gate, origin, provider):
    """Starts a curl that exports; it waits when it is held."""
    started = []

    def asked(person, destination, *arguments, body=None):
        content = json.dumps({"destination": destination, "chunks": [7]}) if body is None else body
        started.append(
            Curl(
                gate,
                provider.token(person),
                f"https://localhost:{origin.port}{EXPORTS}",
                *("--json", content, *arguments),
            )
        )
        return started[-1]

    yield asked
    for curl in started:
        if curl.waits:
            curl.process.kill()
        curl.process.communicate()


def at_once(export, person, destination, **changes) -> Reply:
    """The same without waiting for a decision."""
    return export(person, destination, "-H", "Prefer: wait=0", **changes).reply()


def sent(origin) -> bytes:
    """What reached the service in this test."""
    return bytes(origin.received[origin.before :])


def assert_pending(reply: Reply, status: int = 403) -> str:
    """Held and not decided yet; returns the code."""
    found = reply.json()
    assert reply.status == status and reply.headers["content-type"] == "application/problem+json"
    assert found["type"] == "urn:sluicegate:approval-pending" and found["rules"] == ["external-export"]
    assert found["detail"].startswith("This request is held: Data is leaving for a bucket that we do not own.")
    assert f"sluicegate approvals approve {found['code']}" in found["next_step"]
    assert "data-stewards" in found["next_step"] and SECRET not in str(found)
    code: str = found["code"]
    return code


def test_a_waiting_curl_goes_on_when_somebody_approves(origin, desk, export, destination):
    waiting = export("ada", destination)
    pending = desk.pending(destination)
    assert pending["requester"]["subject"] == "ada" and pending["may_decide"]
    assert waiting.waits and not sent(origin)
    status, said = desk.cli("linus", "approve", pending["code"])
    assert status == 0 and "approved" in said
    reply = waiting.reply()
    assert reply.status == 201 and reply.json() == {"export": "e-1"}
    assert sent(origin).count(b"POST ") == 1 and destination.encode() in sent(origin)
    assert f"Bearer {SECRET}".encode() in sent(origin) and b"eyJ" not in sent(origin)


def test_a_waiting_curl_goes_on_when_somebody_approves_in_the_browser(gate, origin, desk, export, destination):
    waiting = export("ada", destination, "-H", "Sluicegate-Reason: The auditors need it tonight.")
    code = desk.pending(destination)["code"]
    with browser() as chromium:
        page = sign_in(chromium.new_context(), f"http://127.0.0.1:{gate.console}/", "linus")
        page.locator(f'a[href="/approvals/{code}"]').click()
        page.get_by_text("The auditors need it tonight.").wait_for()
        assert waiting.waits and not sent(origin)
        page.get_by_role("button", name="Approve").click()
        page.get_by_text("Decided by Linus Pauling").wait_for()
    reply = waiting.reply()
    assert reply.status == 201 and sent(origin).count(b"POST ") == 1
    assert b"auditors" not in sent(origin), "what is said to the approvers is not said to the service"


def test_what_was_asked_for_ahead_of_time_goes_through_at_once(
    gate, origin, provider, desk, export, destination, tmp_path
):
    body = json.dumps({"destination": destination, "chunks": [7]})
    asked = subprocess.run(
        [
            *(str(BIN / "sluicegate"), "request", f"https://localhost:{origin.port}{EXPORTS}", "-d", body),
            # What curl's --json will send.
            *("-H", "Content-Type: application/json", "-H", "Accept: application/json"),
            *("--reason", "The quarter ends."),
            *("--gateway", f"127.0.0.1:{gate.port}", "--console", f"http://127.0.0.1:{gate.console}"),
            *("--ca", str(gate.gateway_ca), "--json"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SLUICEGATE_TOKEN": provider.token("ada")},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    code = json.loads(asked.stdout)["code"]
    pending = desk.pending(destination)
    assert (pending["code"], pending["purpose"]) == (code, "The quarter ends.") and not sent(origin)
    assert desk.cli("linus", "approve", code)[0] == 0
    assert not sent(origin)
    assert at_once(export, "ada", destination).status == 201
    assert sent(origin).count(b"POST ") == 1


def test_a_waiting_httpx_goes_on_too(gate, origin, provider, desk, destination, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(gate.gateway_ca))
    proxy = f"http://me:{provider.token('grace')}@127.0.0.1:{gate.port}"
    replies = []

    def ask():
        with httpx.Client(proxy=proxy, timeout=250) as client:
            body = {"destination": destination}
            # Without a word its default of five seconds would be reckoned with.
            replies.append(
                client.post(f"https://localhost:{origin.port}{EXPORTS}", json=body, headers={"Prefer": "wait=200"})
            )

    asking = threading.Thread(target=ask)
    asking.start()
    code = desk.pending(destination)["code"]
    assert asking.is_alive() and not sent(origin)
    assert desk.cli("linus", "approve", code, "--reason", "agreed with the partner")[0] == 0
    asking.join(60)
    assert [reply.status_code for reply in replies] == [201] and sent(origin).count(b"POST ") == 1


def test_denied_by_the_approver_with_a_reason(origin, desk, export, destination):
    waiting = export("ada", destination)
    status, said = desk.cli("linus", "deny", desk.pending(destination)["code"], "--reason", "Not to this bucket.")
    assert status == 0 and "denied" in said
    reply = waiting.reply()
    assert reply.status == 403 and reply.json()["type"] == "urn:sluicegate:approval-denied"
    assert reply.json()["detail"] == "Linus Pauling denied this request: Not to this bucket."
    assert not sent(origin)


@pytest.mark.parametrize("person", ["ada", "linus"])
def test_nobody_approves_what_they_asked_for(origin, desk, export, destination, person):
    """Not ada, who is no approver, and not linus, who is one."""
    code = assert_pending(at_once(export, person, destination))
    status, said = desk.cli(person, "approve", code)
    assert status == 1 and said.strip()
    assert desk.call(desk.provider.token(person), f"/{code}/deny", {"reason": "mine"})[0] in (403, 404)
    (mine,) = [approval for approval in desk.listed(person) if approval["code"] == code]
    assert mine["state"] == "pending" and mine["own"] and not mine["may_decide"]
    assert assert_pending(at_once(export, person, destination)) == code
    assert not sent(origin)


def test_approved_later_the_same_request_passes_once(origin, desk, export, destination):
    code = assert_pending(at_once(export, "ada", destination))
    assert assert_pending(at_once(export, "ada", destination)) == code, "asking again asks nobody twice"
    desk.approve(code)
    assert not sent(origin)
    for person, body in (
        ("grace", None),  # somebody else
        ("ada", json.dumps({"destination": destination, "chunks": [8]})),  # one byte
        ("ada", json.dumps({"destination": destination, "chunks": [7]}) + " "),  # a byte that means nothing
        ("ada", json.dumps({"chunks": [7], "destination": destination})),  # the same meaning in other bytes
    ):
        assert assert_pending(at_once(export, person, destination, body=body)) != code
    assert not sent(origin)
    assert at_once(export, "ada", destination).status == 201
    assert sent(origin).count(b"POST ") == 1
    assert assert_pending(at_once(export, "ada", destination)) != code
    assert sent(origin).count(b"POST ") == 1


def test_two_identical_requests_at_the_same_time_share_one_grant(origin, desk, export, destination):
    waiting = [export("ada", destination, "-H", "Prefer: wait=200") for _ in range(2)]
    code = desk.pending(destination)["code"]
    while len(desk.call(desk.provider.token("linus"), f"/{code}")[1]["exchanges"]) < 2:
        assert all(curl.waits for curl in waiting)
    desk.approve(code)
    replies = [curl.reply() for curl in waiting]
    assert sorted(reply.status for reply in replies) == [201, 403]
    assert sent(origin).count(b"POST ") == 1


def test_a_client_that_will_not_wait_gets_202(origin, desk, export, destination):
    reply = export("ada", destination, "-H", "Prefer: respond-async").reply()
    code = assert_pending(reply, 202)
    assert reply.headers["preference-applied"] == "respond-async" and not sent(origin)
    desk.approve(code)
    assert export("ada", destination, "-H", "Prefer: respond-async").reply().status == 201


def test_others_go_on_while_one_is_held(gate, origin, provider, desk, export, destination):
    waiting = export("ada", destination)
    desk.pending(destination)
    url = f"https://localhost:{origin.port}/datasets/customers/chunks/1"
    for person in ("ada", "grace", "linus"):
        assert Curl(gate, provider.token(person), url).reply().status == 200
    internal = at_once(export, "ada", "s3://acme-lake/x")
    assert internal.status == 201 and waiting.waits
    assert destination.encode() not in sent(origin)
    assert destination.encode() not in sent(origin)


def test_a_client_that_goes_away_takes_nothing_through(origin, desk, export, destination):
    waiting = export("ada", destination)
    code = desk.pending(destination)["code"]
    waiting.process.kill()
    waiting.process.wait()
    desk.approve(code)
    assert at_once(export, "ada", destination).status == 201, "the grant is still there for the retry"
    assert sent(origin).count(b"POST ") == 1


def test_who_is_no_approver_sees_and_decides_nothing(origin, desk, export, destination):
    code = assert_pending(at_once(export, "ada", destination))
    for person in ("mallory", "grace"):
        token = desk.provider.token(person)
        assert destination not in str(desk.listed(person))
        for path, body in (
            (f"/{code}", None),
            (f"/{code}/approve", {"reason": ""}),
            (f"/{code}/deny", {"reason": "x"}),
        ):
            status, document = desk.call(token, path, body)
            assert status in (403, 404) and destination not in str(document)
    status, said = desk.cli("mallory", "list", "--json")
    assert status == 0 and code not in said and destination not in said
    status, said = desk.cli("mallory", "approve", code)
    assert status == 1 and said.strip() and destination not in said
    assert desk.pending(destination)["code"] == code and not sent(origin)


def test_the_console_takes_only_tokens_that_are_meant_for_it(gate, origin, provider, desk, export, destination):
    code = assert_pending(at_once(export, "ada", destination))
    good = provider.token("linus")
    head, claims, signature = good.split(".")
    for token in (
        provider.token("linus", aud="somebody-else"),
        provider.token("linus", exp=1),
        provider.token("linus", iss="http://127.0.0.1:1"),
        f"{head}.{claims}.{signature[::-1]}",
        SECRET,
    ):
        for path, body in (("", None), (f"/{code}/approve", {"reason": ""})):
            status, document = desk.call(token, path, body)
            assert status == 401 and code not in str(document) and destination not in str(document)
    status, said = desk.run(provider.token("linus", aud="somebody-else"), "approve", code)
    assert status == 1 and said.strip()
    assert desk.pending(destination)["code"] == code and not sent(origin)


def kill(gate) -> None:
    """End the gateway in the middle of whatever it does.

    Its console ends too: it would go on deciding by an old policy, on the port that the next one wants.
    """
    consoles = psutil.Process(gate.process.pid).children(recursive=True)
    assert consoles
    gate.process.kill()
    gate.process.wait()
    _, alive = psutil.wait_procs(consoles, timeout=60)
    for process in alive:
        process.kill()
    assert not alive


def test_an_approval_outlives_the_gateway_and_the_console(gate, origin, desk, export, destination):
    """Asked, stopped, started, approved, killed, started, passed; one of the askers still waited at the first stop."""
    other = destination + "-waiting"
    code = assert_pending(at_once(export, "ada", destination))
    waiting = export("ada", other)
    desk.pending(other)
    assert gate.stop() == 0
    assert waiting.reply().status in (0, 403, 503)
    gate.start()
    assert not sent(origin)
    assert assert_pending(at_once(export, "ada", destination)) == code
    assert desk.pending(destination)["code"] == code
    desk.approve(code)
    desk.approve(desk.pending(other)["code"])
    kill(gate)
    gate.start()
    assert not sent(origin)
    assert at_once(export, "ada", destination).status == 201
    assert at_once(export, "ada", other).status == 201
    assert sent(origin).count(b"POST ") == 2
    assert assert_pending(at_once(export, "ada", destination)) != code
