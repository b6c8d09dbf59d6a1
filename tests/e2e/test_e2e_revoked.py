"""A sign-in that ends takes everything along that rests on it: what waits, what is being answered, and what still passes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.pouring import CHUNK, SSN, chunk, head
from tests.e2e.test_e2e_identity import console, signed_in
from tests.e2e.tunnels import tunnel
from tests.origin import Origin, Poured, json_response

OK = json_response(b'{"rows":[{"id":1}]}')


@pytest.fixture(scope="module")
def site(gateway: Any, certs: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    origin = Origin(certs.service, lambda request: OK)
    folder = tmp_path_factory.mktemp("revoked")
    more = "[approvals]\nhold_seconds = 200\n"
    with gateway(folder, [f"localhost:{origin.port}"], more=more, with_console=True) as running:
        running.origin = origin
        yield running
    origin.close()


class Person:
    """Somebody who is signed in, and signs out somewhere else."""

    def __init__(self, site: Any, provider: Any) -> None:
        begun = signed_in(site, provider)
        self.site, self.secret, self.session = site, begun["handle"], begun["session"]["id"]

    def ends(self) -> None:
        """Returns when the gateway knows."""
        assert console(self.site, "POST", f"/api/sessions/{self.session}/end", self.secret, {})["ended_why"] == "logout"
        for _ in range(1000):
            if self.asks(CHUNK + "?columns=id")[0] == 511:
                return
        raise AssertionError("the gateway does not know that the session has ended")

    def asks(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
        with tunnel(self.site, self.site.origin.port, self.secret) as wire:
            wire.socket.settimeout(250)
            said = wire.ask(wire.request(method, path, body, **({"Content_Type": "application/json"} if body else {})))
        return said[0], said[2]


def answering(site: Any, first: Any) -> None:
    """The next request is answered by `first`, every other one at once."""
    left = [first]

    def respond(request: bytes) -> bytes:
        return left.pop()() if left else OK

    site.origin.respond = respond


def test_what_still_passes_is_cut_off(site: Any, provider: Any) -> None:
    person, ended, over = Person(site, provider), threading.Event(), threading.Event()
    events = [b"data: " + json.dumps({"id": n, "ssn": SSN}).encode() + b"\n\n" for n in range(2)]

    def pieces() -> Iterator[bytes]:
        yield head("text/event-stream")
        yield chunk(events[0])
        assert ended.wait(60)
        yield chunk(events[1])
        assert over.wait(60)

    def first() -> bytes:
        raise Poured(pieces())

    answering(site, first)
    with tunnel(site, site.origin.port, person.secret) as wire:
        wire.send(wire.request("GET", CHUNK))
        assert b" 200 " in wire.head()
        seen = b""
        while b'"id":0' not in seen:
            seen += wire.socket.recv(65536)
        person.ends()
        ended.set()
        seen += wire.rest()
    over.set()
    assert b'"id":1' not in seen and not seen.endswith(b"0\r\n\r\n")


def test_an_answer_that_comes_too_late_stays_here(site: Any, provider: Any) -> None:
    person, asked, ended = Person(site, provider), threading.Event(), threading.Event()

    def first() -> bytes:
        asked.set()
        assert ended.wait(60)
        return OK

    answering(site, first)
    answers: list[tuple[int, bytes]] = []
    waiting = threading.Thread(target=lambda: answers.append(person.asks(CHUNK + "?columns=id")))
    waiting.start()
    assert asked.wait(60)
    person.ends()
    ended.set()
    waiting.join(60)
    ((status, body),) = answers
    assert status == 511 and b"session-logout" in body and b'"rows"' not in body


def test_what_was_held_does_not_go_out_when_it_is_approved(site: Any, provider: Any) -> None:
    answering(site, lambda: OK)
    person, answers = Person(site, provider), []
    body = b'{"destination":"s3://partner/revoked.ndjson"}'
    waiting = threading.Thread(target=lambda: answers.append(person.asks("/datasets/customers/exports", "POST", body)))
    waiting.start()
    steward = provider.token("linus")
    found: list[Any] = []
    while not found:
        assert waiting.is_alive(), answers
        rows = console(site, "GET", "/api/approvals", steward)["approvals"]
        found = [row for row in rows if row["state"] == "pending" and "revoked" in row["destination"]]
    person.ends()
    reached = bytes(site.origin.received).count(b"POST /datasets/customers/exports")
    console(site, "POST", f"/api/approvals/{found[0]['code']}/approve", steward, {})
    waiting.join(60)
    ((status, text),) = answers
    assert status == 511 and b"session-logout" in text
    assert bytes(site.origin.received).count(b"POST /datasets/customers/exports") == reached
