"""The demo's identity provider: the real device grant over HTTP, and what it must not give away."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.people import CLIENT, DEVICE_GRANT, PEOPLE, token_for
from sluicegate.clock import SystemClock
from sluicegate.identity.compact import split
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity
from tests.provider import Provider

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def client(running: Provider) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running.issuer, trust_env=False, timeout=60) as client:
        yield client


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_everybodys_token_is_accepted_by_the_gateway(algorithm: Any) -> None:
    with Provider(algorithm=algorithm) as running:
        verifier = Verifier(Identity(issuer=running.issuer), SystemClock())
        await verifier.open()
        try:
            for person in PEOPLE.values():
                principal = await verifier.verify(token_for(running.issuer, person.subject))
                assert (principal.subject, principal.name) == (person.subject, person.name)
                assert principal.groups == set(person.groups)
                assert principal.kind == "person"
            first, second = token_for(running.issuer, "ada"), token_for(running.issuer, "ada")
            assert (await verifier.verify(first)).session != (await verifier.verify(second)).session
        finally:
            await verifier.close()


def begin(client: httpx2.Client) -> dict[str, Any]:
    started = client.post("/device_authorization", data={"client_id": CLIENT, "scope": "openid groups everything"})
    assert started.status_code == 200
    return dict(started.json())


def redeem(client: httpx2.Client, device_code: str, **more: str) -> httpx2.Response:
    asked = {"grant_type": DEVICE_GRANT, "device_code": device_code, "client_id": CLIENT, **more}
    return client.post("/token", data=asked)


def consent(client: httpx2.Client, user_code: str, person: str = "ada", decision: str = "allow") -> int:
    return client.post("/device", data={"user_code": user_code, "person": person, "decision": decision}).status_code


def test_nothing_is_issued_before_somebody_agrees(client: httpx2.Client) -> None:
    started = begin(client)
    assert redeem(client, started["device_code"]).json()["error"] == "authorization_pending"
    assert redeem(client, started["device_code"]).json()["error"] == "slow_down"
    assert consent(client, started["user_code"]) == 200
    assert redeem(client, started["device_code"]).status_code == 200


def test_a_device_code_is_good_once(client: httpx2.Client) -> None:
    started = begin(client)
    consent(client, started["user_code"])
    assert redeem(client, started["device_code"]).status_code == 200
    assert redeem(client, started["device_code"]).status_code == 400


def test_a_refusal_is_final(client: httpx2.Client) -> None:
    started = begin(client)
    assert consent(client, started["user_code"], decision="deny") == 200
    assert consent(client, started["user_code"]) == 400
    assert redeem(client, started["device_code"]).json()["error"] == "access_denied"


def test_strangers_get_nothing(client: httpx2.Client, running: Provider) -> None:
    started = begin(client)
    assert consent(client, started["user_code"], person="eve") == 400
    assert consent(client, "AAAA-AAAA") == 400
    assert redeem(client, "made-up").status_code == 400
    assert redeem(client, started["device_code"], client_id="other").status_code in (400, 401)
    assert client.post("/device_authorization", data={"client_id": "other"}).status_code in (400, 401)
    assert client.post("/token", data={"grant_type": "password", "username": "ada"}).status_code in (400, 401)
    with pytest.raises(RuntimeError, match="eve"):
        token_for(running.issuer, "eve")


def test_the_tokens_say_what_they_are_for(client: httpx2.Client, running: Provider) -> None:
    started = begin(client)
    consent(client, started["user_code"], "grace")
    issued = redeem(client, started["device_code"]).json()
    assert issued["scope"] == "openid groups"
    access, identity = split(issued["access_token"]), split(issued["id_token"])
    assert access.header["typ"] == "at+jwt"
    assert (access.claims["aud"], identity.claims["aud"]) == ("sluicegate", CLIENT)
    assert access.claims["exp"] - access.claims["iat"] == 8 * 3600
    assert access.claims["sid"] == identity.claims["sid"]


def test_no_private_part_of_a_key_is_published(client: httpx2.Client, running: Provider) -> None:
    running.rotate()
    keys = client.get("/jwks").json()["keys"]
    assert len(keys) == 2
    assert not any("d" in key for key in keys)


def test_the_consent_page_does_not_run_what_is_in_the_code(client: httpx2.Client) -> None:
    page = client.get("/device", params={"user_code": '"><script>alert(1)</script>'}).text
    assert "<script>" not in page
    assert all(person.name in page for person in PEOPLE.values())


def test_as_a_program_it_tells_its_port_and_ends_on_sigterm(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "demo.identity_provider", "--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            issuer = f"http://127.0.0.1:{port_file.read_text().strip()}"
            assert line == f"identity provider: {issuer}\n"
            assert split(token_for(issuer, "linus")).claims["groups"] == ["data-stewards"]
            taken = [*command[:-4], "--port", issuer.rpartition(":")[2]]
            second = subprocess.run(taken, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            assert second.returncode == 2
            assert second.stderr.startswith("identity provider: cannot listen on port ")
            assert second.stderr.count("\n") == 1
        finally:
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest, errors) == (0, "", "")
