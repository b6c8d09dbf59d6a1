"""Nobody keeps the console from others: calls of one person, and sign-ins from one address, are limited."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from sluicegate.clock import SetClock
from sluicegate.console.guard import Guard
from sluicegate.exchange import Principal

JSON = {"content-type": "application/json"}


class Everybody:
    """Takes the token for the subject."""

    async def verify(self, token: str) -> Principal:
        return Principal(token, "https://idp")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def caller(clock: SetClock) -> Any:
    """Makes calls, and counts those that reached a route."""

    async def route(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = Guard(route, hosts=frozenset({"localhost"}), verifier=Everybody(), clock=clock)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(guard), base_url="http://localhost", trust_env=False)

    async def call(method: str, path: str, person: str, times: int = 1) -> list[int]:
        headers = {"authorization": f"Bearer {person}", **(JSON if method == "POST" else {})}
        answers = [await client.request(method, path, headers=headers) for _ in range(times)]
        for answer in answers:
            assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1
            assert answer.status_code == 200 or answer.json()["type"] == "urn:sluicegate:too-many-tries"
        return [answer.status_code for answer in answers]

    return call


async def test_who_acts_too_often_waits_and_nobody_else_does(caller: Any, clock: SetClock) -> None:
    path = "/api/approvals/x/approve"
    assert set(await caller("POST", path, "mallory", 60)) == {200}
    assert set(await caller("POST", path, "mallory", 3)) == {429}
    assert await caller("POST", path, "linus") == [200]
    assert await caller("GET", "/api/approvals", "mallory") == [200], "looking goes on"
    clock.advance(2)
    assert await caller("POST", path, "mallory", 3) == [200, 200, 429]


async def test_who_looks_in_a_circle_waits_too(caller: Any, clock: SetClock) -> None:
    assert set(await caller("GET", "/api/approvals", "mallory", 1200)) == {200}
    assert await caller("GET", "/api/approvals", "mallory") == [429]
    assert await caller("GET", "/api/approvals", "linus") == [200]


async def test_sign_ins_are_limited_by_address_and_logouts_are_not(caller: Any) -> None:
    assert set(await caller("POST", "/api/sign-in", "", 60)) == {200}
    assert await caller("POST", "/api/sign-in", "") == [429]
    assert await caller("GET", "/api/sign-in", "") == [200], "what a workstation has to know to begin"
