"""The console's API: real tokens of a real provider, and callers who want to get past it."""

import asyncio
import contextlib
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.routing import Route

from sluicegate.approvals.hold import hold_of
from sluicegate.approvals.store import Store
from sluicegate.clock import SystemClock
from sluicegate.console.app import build
from sluicegate.console.roles import Roles
from sluicegate.console.server import serve
from sluicegate.database import Database
from sluicegate.errors import Fault
from sluicegate.exchange import Exchange, Operation, Principal, Verdict
from sluicegate.identity.verifier import Verifier
from sluicegate.settings import Loaded, Settings, State
from tests.databases import with_tables
from tests.provider import DROP, Provider

JSON = {"content-type": "application/json"}


@dataclass
class Console:
    app: Starlette
    client: httpx2.AsyncClient
    provider: Provider
    store: Store
    database: Database

    def token(self, person: str, **overrides: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.provider.token(person, **overrides)}"}

    async def get(self, path: str, person: str) -> httpx2.Response:
        return await self.client.get(path, headers=self.token(person))

    async def post(self, path: str, person: str, body: Any = None, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await self.client.post(path, content=content, headers={**self.token(person), **JSON, **headers})

    async def hold(self, number: int = 0, by: str = "ada") -> Any:
        exchange = Exchange(
            id=f"exchange-{number}",
            started=0.0,
            method="POST",
            scheme="https",
            host="chunks",
            port=443,
            target=f"/exports/{number}",
            principal=Principal(by, self.provider.issuer, name=by.title()),
            operation=Operation("chunks", "export", destination="<script>alert(1)</script>"),
            verdict=Verdict("hold", ("external-export",), ("Data is leaving.",), approvers=("group:data-stewards",)),
        )
        return await self.store.ask(hold_of(exchange, (), b""))


def loaded(provider: Provider, listen: str = "127.0.0.1:0") -> Loaded:
    settings = Settings.model_validate({"identity": {"issuer": provider.issuer}, "console": {"listen": listen}})
    return Loaded(settings, "0" * 64, Path("policy.toml"), {})


@pytest_asyncio.fixture
async def console(provider: Provider, tmp_path: Path) -> AsyncIterator[Console]:
    clock = SystemClock()  # The provider dates its tokens by it.
    policy = loaded(provider)
    database = with_tables(tmp_path / "sluicegate.sqlite3")
    verifier = Verifier(policy.settings.identity, clock)
    await database.open()
    await verifier.open()
    app = build(policy, database, verifier, clock)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8090", trust_env=False) as client:
        yield Console(app, client, provider, Store(database, policy.settings.approvals, clock), database)
    await verifier.close()
    await database.close()


def problem_of(response: httpx2.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return f"{response.status_code} {body['type'].removeprefix('urn:sluicegate:')}"


# --- who may come in


async def test_no_route_without_a_person(console: Console) -> None:
    routes = [route for route in console.app.routes if isinstance(route, Route)]
    assert len(routes) == len(console.app.routes) == 8
    for route in routes:
        for method in route.methods or ():
            answer = await console.client.request(
                method, route.path.replace("{key}", "x").replace("{action}", "approve"), headers=JSON
            )
            status = {"/healthz": 200, "/authority.pem": 404}.get(route.path, 401)  # there is no authority here
            assert answer.status_code == status, (method, route.path)
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/approvals/", "/docs", "/healthz/", "/healthz/../api/approvals", "//healthz", "/HEALTHZ"]
)
async def test_nothing_else_is_open(console: Console, path: str) -> None:
    assert (await console.client.get(path)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "Bearer nonsense")],
        [("authorization", "Basic YTpi")],
        [("proxy-authorization", "Bearer {token}")],
        [("cookie", "token={token}")],
        [("authorization", "Basic {token}")],
        [("authorization", "Bearer {token}x")],
        [("authorization", "Bearer {token}"), ("authorization", "Bearer {token}")],
        [("authorization", "Bearer {token}"), ("authorization", "Basic YTpi")],
    ],
)
async def test_credentials_that_do_not_count(console: Console, headers: list[tuple[str, str]]) -> None:
    token = console.provider.token("linus")
    sent = [(name, value.format(token=token)) for name, value in headers]
    answer = await console.client.get("/api/approvals", headers=sent)
    assert answer.status_code == 401
    assert token not in answer.text


@pytest.mark.parametrize("overrides", [{"exp": 1}, {"aud": "another"}, {"iss": "https://another"}, {"exp": DROP}])
async def test_tokens_that_do_not_count(console: Console, overrides: dict[str, Any]) -> None:
    answer = await console.client.get("/api/approvals", headers=console.token("linus", **overrides))
    assert answer.status_code == 401
    assert problem_of(answer).startswith("401 token-")


async def test_any_case_of_the_scheme(console: Console) -> None:
    header = {"authorization": f"bEARER {console.provider.token('linus')}"}
    assert (await console.client.get("/api/approvals", headers=header)).status_code == 200


# --- deciding


async def test_approve(console: Console) -> None:
    asked = await console.hold()
    (listed,) = (await console.get("/api/approvals", "linus")).json()["approvals"]
    assert (listed["id"], listed["may_decide"], listed["own"]) == (asked.id, True, False)
    (own,) = (await console.get("/api/approvals", "ada")).json()["approvals"]
    assert (own["id"], own["may_decide"], own["own"]) == (asked.id, False, True)
    answer = await console.post(f"/api/approvals/{asked.code}/approve", "linus", {"reason": "fine"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["decision_reason"]) == ("approved", "fine")
    assert (await console.get(f"/api/approvals/{asked.id}", "ada")).json()["state"] == "approved"
    again = await console.post(f"/api/approvals/{asked.id}/approve", "linus")
    assert problem_of(again) == "409 already-decided"


async def test_approve_without_a_body(console: Console) -> None:
    asked = await console.hold()
    assert (await console.post(f"/api/approvals/{asked.id}/approve", "linus", b"")).status_code == 200


async def test_deny_needs_a_reason(console: Console) -> None:
    asked = await console.hold()
    path = f"/api/approvals/{asked.id}/deny"
    assert problem_of(await console.post(path, "linus")) == "400 reason-required"
    answer = await console.post(path, "linus", {"reason": "not this bucket"})
    assert (answer.status_code, answer.json()["state"]) == (200, "denied")


async def test_nobody_decides_their_own_request(console: Console) -> None:
    asked = await console.hold(by="linus")
    for action in ("approve", "deny"):
        answer = await console.post(f"/api/approvals/{asked.id}/{action}", "linus", {"reason": "mine"})
        assert problem_of(answer) == "403 own-request"
    assert (await console.get(f"/api/approvals/{asked.id}", "linus")).json()["state"] == "pending"


async def test_outsiders_see_and_decide_nothing(console: Console) -> None:
    asked = await console.hold()
    for person in ("mallory", "grace"):
        assert (await console.get("/api/approvals", person)).json() == {"approvals": []}
        assert problem_of(await console.get(f"/api/approvals/{asked.id}", person)) == "404 approval-unknown"
        answer = await console.post(f"/api/approvals/{asked.id}/approve", person)
        assert problem_of(answer) == "404 approval-unknown"


async def test_the_requester_is_not_an_approver(console: Console) -> None:
    asked = await console.hold()
    assert problem_of(await console.post(f"/api/approvals/{asked.id}/approve", "ada")) == "403 own-request"


async def test_the_fingerprint_stays_inside(console: Console) -> None:
    asked = await console.hold()
    assert asked.fingerprint not in (await console.get(f"/api/approvals/{asked.id}", "linus")).text


# --- requests that want to break it


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "400 body-not-understood"),
        (b"[]", "400 body-not-understood"),
        (b"null", "400 body-not-understood"),
        (b'{"reason":1}', "400 body-not-understood"),
        (b'{"reason":null}', "400 body-not-understood"),
        (b'{"reason":"x","approve":true}', "400 body-not-understood"),
        (b'{"reason":"\xff"}', "400 body-not-understood"),
        (b'{"reason":"\\ud800"}', "400 body-not-understood"),
        (b"[" * 16_000, "400 body-not-understood"),
        (json.dumps({"reason": "x" * 501}).encode(), "400 reason-too-long"),
        (b'{"reason":"' + b"x" * 16_384 + b'"}', "413 body-too-large"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bodies(console: Console, body: bytes, expected: str) -> None:
    asked = await console.hold()
    assert problem_of(await console.post(f"/api/approvals/{asked.id}/deny", "linus", body)) == expected
    assert (await console.get(f"/api/approvals/{asked.id}", "linus")).json()["state"] == "pending"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonp",
        "application/json, text/plain",
    ],
)
async def test_only_json_is_taken(console: Console, content_type: str | None) -> None:
    asked = await console.hold()
    headers = console.token("linus") | ({} if content_type is None else {"content-type": content_type})
    answer = await console.client.post(f"/api/approvals/{asked.id}/approve", content=b"{}", headers=headers)
    assert problem_of(answer) == "415 json-required"
    assert (await console.get(f"/api/approvals/{asked.id}", "linus")).json()["state"] == "pending"


async def test_json_with_a_charset_is_json(console: Console) -> None:
    asked = await console.hold()
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert (await console.post(f"/api/approvals/{asked.id}/approve", "linus", {}, **headers)).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:8090", "[::1]:8090", "LOCALHOST"])
async def test_hosts_that_are_ours(console: Console, host: str) -> None:
    assert (await console.client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "localhost:x", "a@localhost", "127.1"],
)
async def test_hosts_that_are_not_ours(console: Console, host: str) -> None:
    for path in ("/healthz", "/api/approvals"):
        answer = await console.client.get(path, headers={**console.token("linus"), "host": host})
        assert problem_of(answer) == "421 wrong-host"


async def test_two_hosts_are_none(console: Console) -> None:
    answer = await console.client.get("/healthz", headers=[("host", "localhost"), ("host", "evil.example")])
    assert answer.status_code == 421


async def test_routes_that_are_not_there(console: Console) -> None:
    assert problem_of(await console.get("/api/none", "linus")) == "404 no-such-page"
    assert problem_of(await console.get("/api/approvals/", "linus")) == "404 no-such-page"
    assert problem_of(await console.get("/api/approvals/x/approve", "linus")) == "405 wrong-method"
    assert problem_of(await console.post("/api/approvals", "linus")) == "405 wrong-method"


async def test_keys_that_want_to_break_it(console: Console) -> None:
    await console.hold()
    for key in ("%25", "%27%20OR%201=1--", "%00", "..%2f", "%F0%9F%92%A3", "%ff", "x" * 5000, "x" * 36):
        answer = await console.get(f"/api/approvals/{key}", "linus")
        assert problem_of(answer) in ("404 approval-unknown", "404 no-such-page")


async def test_every_answer_is_safe_to_open(console: Console) -> None:
    asked = await console.hold()
    answers = [
        await console.client.get("/healthz"),
        await console.client.get("/api/approvals"),
        await console.get(f"/api/approvals/{asked.id}", "linus"),
        await console.get("/none", "linus"),
        await console.post(f"/api/approvals/{asked.id}/approve", "linus", b"{"),
        await console.client.get("/healthz", headers={"host": "evil.example"}),
        await console.client.get(
            "/api/approvals", headers={**console.token("linus"), "origin": "https://evil.example"}
        ),
    ]
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_no_preflight_is_granted(console: Console) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await console.client.options("/api/approvals", headers=headers)
    assert answer.status_code == 401


async def test_a_database_that_fails_is_a_problem_without_details(console: Console) -> None:
    await console.database.close()
    answer = await console.get("/api/approvals", "linus")
    assert problem_of(answer) == "500 internal"
    assert "database" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


# --- over a real socket


@contextlib.asynccontextmanager
async def served(provider: Provider, path: Path, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    database, clock, state = Database.at(path), SystemClock(), State(Path(tempfile.mkdtemp())).open()
    task = asyncio.create_task(
        serve(loaded(provider, listen), database, clock, state=state, announce=ready.set_result, stop=stop)
    )
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield ready.result() if ready.done() else await task
    finally:
        stop.set()
        await task


async def test_a_real_server_on_a_free_port(provider: Provider, tmp_path: Path) -> None:
    async with (
        served(provider, tmp_path / "x.sqlite3") as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, headers={"connection": "close"}) as client,
    ):
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/api/approvals")).status_code == 401
        header = {"authorization": f"Bearer {provider.token('linus')}"}
        answer = await client.get("/api/approvals", headers=header)
        assert answer.json() == {"approvals": []}
        assert "server" not in answer.headers
    with pytest.raises(OSError):
        _ = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_bytes_that_are_no_request(provider: Provider, tmp_path: Path) -> None:
    async with served(provider, tmp_path / "x.sqlite3") as url:
        host, port = url.removeprefix("http://").split(":")
        for raw in (
            b"\x16\x03\x01\0\0",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
            b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(raw)
            writer.write_eof()
            async with asyncio.timeout(60):
                answer = await reader.read()
            assert not answer or answer.split(b" ")[1] in (b"400", b"401", b"415", b"421"), answer
            writer.close()


async def test_a_port_in_use_is_one_line(provider: Provider, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Fault, match=rf"The console cannot listen on {listen}: Address already in use\.") as caught:
            async with served(provider, tmp_path / "x.sqlite3", listen):
                pass
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "no-such-host.invalid:1"])
async def test_an_address_that_is_none_is_one_line(provider: Provider, tmp_path: Path, listen: str) -> None:
    with pytest.raises(Fault, match="cannot listen"):
        async with served(provider, tmp_path / "x.sqlite3", listen):
            pass


async def test_no_identity_provider_is_one_line_and_never_open(tmp_path: Path) -> None:
    gone = Provider()
    gone.stop()
    with pytest.raises(Fault, match="identity provider"):
        async with served(gone, tmp_path / "x.sqlite3"):
            pass


async def test_a_database_that_cannot_be_opened_is_one_line(provider: Provider, tmp_path: Path) -> None:
    with pytest.raises(Fault, match="cannot be opened"):
        async with served(provider, tmp_path / "none" / "x.sqlite3"):
            pass


# --- the other actions, and the roles


async def test_withdraw_and_revoke(console: Console) -> None:
    asked = await console.hold()
    assert problem_of(await console.post(f"/api/approvals/{asked.id}/withdraw", "linus")) == "403 not-your-request"
    assert (await console.post(f"/api/approvals/{asked.id}/withdraw", "ada")).json()["state"] == "withdrawn"
    again = await console.hold()
    await console.post(f"/api/approvals/{again.id}/approve", "linus")
    answer = await console.post(f"/api/approvals/{again.id}/revoke", "linus", {"reason": "wrong bucket"})
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")


@pytest.mark.parametrize("action", ["", "destroy", "approve%2F..", "Approve"])
async def test_there_are_no_other_actions(console: Console, action: str) -> None:
    asked = await console.hold()
    assert (await console.post(f"/api/approvals/{asked.id}/{action}", "linus")).status_code == 404
    assert (await console.get(f"/api/approvals/{asked.id}", "ada")).json()["state"] == "pending"


async def test_a_review_says_whether_it_was_right(console: Console) -> None:
    asked = await console.hold()
    said: list[tuple[dict[str, Any], str]] = [
        ({"reason": "x"}, "400 body-not-understood"),
        ({"reason": "x", "accepted": True}, "409 nothing-to-review"),
    ]
    for body, expected in said:
        assert problem_of(await console.post(f"/api/approvals/{asked.id}/review", "linus", body)) == expected


def test_roles() -> None:
    rule = {"id": "r", "effect": "hold", "approvers": ["group:stewards", "person:pia"]}
    listed = {"operators": ["group:ops"], "auditors": ["group:audit"]}
    roles = Roles(Settings.model_validate({"identity": {"issuer": "https://idp"}, "rules": [rule], "console": listed}))

    def of(subject: str, *groups: str, kind: Any = "person") -> set[str]:
        return set(roles.of(Principal(subject, "https://idp", groups=frozenset(groups), kind=kind)))

    assert of("ada") == {"requester"}
    assert of("ada", "stewards") == of("pia") == {"requester", "approver"}
    assert of("ada", "ops", "audit") == {"requester", "operator", "auditor"}
    assert of("robot", "ops", "stewards", kind="machine") == {"requester"}, "a machine looks at nothing for others"
