"""Token exchange through a real gateway, at whichever provider: a service that proves each token, and whoever looks for them.

Each test takes a driver (a provider, and people in front of it) and a `Desk`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from sluicegate.cli.workstation.settings import Place
from sluicegate.cli.workstation.variables import proxy_url
from tests.identity.driving import Driver
from tests.identity.workstation import Workstation
from tests.origin import Origin, json_response
from tests.running import Running

SECRET = "a-secret-of-the-gateway"
IDENTITY = """
refresh_seconds = 10.0

[identity.token_exchange]
client_id = "sluicegate-gateway"
client_secret = "${GATEWAY_SECRET}"
"""
MORE = """
[services.persons]
hosts = ["localhost:{port}"]
dialect = "chunks"
addresses = ["127.0.0.0/8"]
credential = {{ on_behalf = {{ audience = "{audience}", scope = ["read"] }} }}

[datasets.people]
service = "persons"
columns = {{ ssn = "restricted" }}

[[rules]]
id = "persons-read"
effect = "allow"
who = ["group:engineering", "group:data-stewards"]
service = ["persons"]
kind = ["read"]
"""


class Service:
    """Takes no request without a token of the provider for itself, and answers whom the token names."""

    def __init__(self, certificate: Path, issuer: str) -> None:
        self.issuer, self.audience = issuer, "chunk-service"
        self.tokens: list[str] = []
        self.echo = self.deaf = False
        self.origin = Origin(certificate, self.answer)

    def answer(self, request: bytes) -> bytes:
        found = re.findall(rb"(?im)^authorization: *bearer ([^\r\n]+)", request)
        try:
            (token,) = found
            self.tokens.append(token.decode())
            said = self.verified(token.decode())
        except (ValueError, JoseError) as error:
            return json_response(json.dumps({"why": str(error)}).encode(), status="401 Unauthorized")
        if self.deaf:
            return json_response(b"{}", status="401 Unauthorized")
        row = {"id": 1, "ssn": "123-45-6789", "seen": said["sub"], "act": said.get("act"), "scope": said.get("scope")}
        if self.echo:
            row["debug"] = token.decode()
        return json_response(json.dumps({"rows": [row]}).encode())

    def verified(self, token: str) -> dict[str, Any]:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            document = client.get(f"{self.issuer}/.well-known/openid-configuration").json()
            keys = jwk.KeySet.import_key_set(client.get(document["jwks_uri"]).json())
        found = jwt.decode(token, keys, algorithms=["ES256", "RS256"])
        rules = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer}, aud={"essential": True, "value": self.audience},
            exp={"essential": True},
        )  # fmt: skip
        rules.validate(found.claims)
        return dict(found.claims)


@dataclass
class Desk:
    """A gateway with its console, a service, and a workstation of somebody who signs in at the provider."""

    running: Running
    service: Service
    workstation: Workstation
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"https://localhost:{self.service.origin.port}/datasets/people/chunks/7"

    def get(self, secret: str, path: str = "", at: str = "127.0.0.1", **headers: str) -> httpx2.Response:
        """One request, of a workstation at that address."""
        import ssl

        context = ssl.create_default_context(cafile=str(self.running.gateway_ca))
        proxy = proxy_url(Place("127.0.0.1", self.running.port), secret)
        way = httpx2.HTTPTransport(proxy=proxy, verify=context, local_address=at)
        with httpx2.Client(transport=way, trust_env=False, timeout=60) as client:
            return client.get(self.url + path, headers=headers)

    def patiently(self, secret: str) -> httpx2.Response:
        """As a client asks that tries again when it is told to: no request waits for the provider."""
        for _ in range(500):
            answer = self.get(secret)
            if answer.status_code != 503 or code(answer) != "503 exchange-under-way":
                return answer
            assert answer.headers["retry-after"] == "1"
        raise AssertionError(answer.text)


@contextmanager
def desk(
    folder: Path,
    issuer: str,
    certs: Any,
    *,
    identity: str = IDENTITY,
    audience: str = "chunk-service",
    gateway: str = "",
) -> Iterator[Desk]:
    service = Service(certs.service, issuer)
    running = Running(
        folder, issuer, certs.ca, ["localhost:1"], identity=identity,
        more=MORE.format(port=service.origin.port, audience=audience), environment={"GATEWAY_SECRET": SECRET},
        with_console=True, gateway=gateway,
    )  # fmt: skip
    with running:
        home = folder / "home"
        home.mkdir()
        yield Desk(running, service, Workstation(home, f"http://127.0.0.1:{running.console}"))
    service.origin.close()
    assert "Traceback" not in "\n".join(running.lines), "\n".join(running.lines)


def code(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.json()['type'].removeprefix('urn:sluicegate:')}"


def sees_the_person(driver: Driver, desk: Desk, *, acts: Any = None) -> None:
    """Signed in with a handle; the service sees who, and who acts for them; the next request asks nobody again."""
    assert desk.workstation.login(driver, "ada").code == 0
    handle = desk.workstation.handle
    answer = desk.get(handle, authorization="Bearer something-of-the-client")
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    assert row["seen"] == "ada" and row["act"] == acts and row["ssn"] == "****6789", row
    assert desk.get(handle).json()["rows"][0]["seen"] == "ada"
    first, second = desk.service.tokens[-2:]
    assert first == second
    assert first not in answer.text and handle not in bytes(desk.service.origin.received).decode("latin-1")


def is_nowhere(desk: Desk, *more: str) -> None:
    """Neither what was exchanged nor what came of it is in the state folder, on the terminal, or in an answer."""
    desk.service.echo = True
    answer = desk.get(desk.workstation.handle, "?columns=id")
    assert code(answer) == "502 credential-echoed"
    desk.service.echo = False
    assert desk.get(desk.workstation.handle, "?columns=seen").status_code == 200
    desk.running.stop()  # what was in memory is on the disk now
    looked = {text for token in {*desk.service.tokens, desk.workstation.handle, SECRET, *more} for text in spelt(token)}
    seen = False
    for file in (one for one in desk.running.state.rglob("*") if one.is_file()):
        content = file.read_bytes()
        seen = seen or b"/datasets/people/chunks/7" in content
        for text in looked:
            assert text not in content, (file, text[:12])
    assert seen  # what was asked is there to be read, so the tokens would be
    said = "\n".join(desk.running.lines).encode() + answer.content + repr(answer.headers).encode()
    assert not any(text in said for text in looked)


def spelt(token: str) -> Iterator[bytes]:
    """A token as somebody may have written it: plain, in Base64 at each of its three places, and its last third."""
    plain = token.encode()
    yield plain
    if len(plain) > 60:
        yield plain[-len(plain) // 3 :]
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + plain)
        yield coded[4:-4]


def goes_with_the_session(driver: Driver, desk: Desk) -> None:
    """Signing out ends it at once; the next sign-in gets another token."""
    assert desk.workstation.login(driver, "ada").code == 0
    handle = desk.workstation.handle
    assert desk.get(handle).status_code == 200
    before = len(desk.service.tokens)
    assert desk.workstation.run("logout").code == 0
    deadline = 200
    while desk.get(handle).status_code == 200:  # within a third of a second, the gateway knows
        deadline -= 1
        assert deadline
    assert code(desk.get(handle)) == "511 session-logout"
    used = len(desk.service.tokens)
    assert desk.workstation.login(driver, "ada").code == 0
    assert desk.get(desk.workstation.handle).status_code == 200
    assert len(desk.service.tokens) == used + 1 and desk.service.tokens[-1] not in desk.service.tokens[:before]
