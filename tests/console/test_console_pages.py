"""The pages without a browser: who comes in, what each may see, and what a form must carry."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.routing import Mount, Route

from sluicegate.clock import SetClock
from sluicegate.console.app import build
from sluicegate.console.guard import COOKIE, is_page
from sluicegate.console.limits import Limit
from sluicegate.console.pages.door import BEGUN, ours
from sluicegate.console.pages.statement import highlighted
from sluicegate.errors import Refusal
from sluicegate.settings import Loaded
from tests.console.serving import Served

XSS = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


class Visitor:
    """Somebody with cookies, who goes where they are sent only when told to."""

    def __init__(self, served: Served) -> None:
        self.served = served
        # A console closes a connection that nobody used for a while: the next request must not go into that one.
        often = httpx2.Limits(max_keepalive_connections=0)
        self.client = httpx2.Client(trust_env=False, follow_redirects=False, timeout=60, limits=often)
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self._sent("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
        return self._sent("POST", path, headers=headers, data=fields)

    def _sent(self, method: str, path: str, headers: dict[str, str], **more: Any) -> httpx2.Response:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.request(
            method, self.served.url + path, headers={**({"cookie": jar} if jar else {}), **headers}, **more
        )
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")[1:]}
            self.cookies[name] = value.strip('"')
        return answer

    def begins(self, path: str) -> httpx2.Response:
        """An answer without what it goes on to say."""
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self.client.stream("GET", self.served.url + path, headers={"cookie": jar}) as answer:
            return answer

    def sign_in(self, person: str, path: str = "/sign-in") -> httpx2.Response:
        begun = self.get(path)
        assert begun.status_code == 303
        consent = self.client.post(begun.headers["location"], data={"person": person, "decision": "allow"})
        assert consent.status_code == 302
        return self.get(consent.headers["location"].removeprefix(self.served.url))

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/").text)
        assert found
        return found[1]


@pytest.fixture
def console(running_console: Served) -> Served:
    return running_console


PEOPLE: dict[str, Visitor] = {}


@pytest.fixture
def visitor(console: Served) -> Iterator[Any]:
    """Makes somebody who is signed in; each person once, since signing in costs time."""

    def made(person: str) -> Visitor:
        if person not in PEOPLE:
            PEOPLE[person] = Visitor(console)
            assert PEOPLE[person].sign_in(person).status_code == 200
        return PEOPLE[person]

    return made


def test_nobody_gets_in_without_signing_in(console: Served) -> None:
    nobody = Visitor(console)
    for path in (
        "/",
        "/history",
        "/approvals/x",
        "/live",
        "/live/rows",
        "/live/stream",
        "/recordings",
        "/findings",
        "/policy",
        "/sessions",
        "/nonsense",
    ):
        answer = nobody.get(path)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), path
    assert nobody.post("/approvals/x/approve", {"csrf": "x"}).status_code == 303
    for value in ("", "nonsense", "gws_" + "a" * 50, "x; __Host-sluicegate=y"):
        nobody.cookies = {COOKIE: value}
        assert nobody.get("/").status_code == 303


def test_a_bearer_token_opens_no_page_and_a_cookie_no_call(console: Served, visitor: Any) -> None:
    token = console.provider.token("linus")
    assert Visitor(console).get("/", authorization=f"Bearer {token}").status_code == 303
    assert visitor("linus").get("/api/approvals").status_code == 401


def test_every_page_names_its_roles_and_checks_them(console: Served, visitor: Any) -> None:
    """Walks all routes there are: whoever adds one says for whom it is, and it is true."""
    roles = {
        "ada": {"requester"},
        "linus": {"requester", "approver"},
        "grace": {"requester", "operator"},
        "mallory": {"requester", "auditor"},
    }
    walked = 0
    for route in pages_of(console):
        wanted = set(route.endpoint.roles)
        for person, has in roles.items():
            someone = visitor(person)
            path = re.sub(r"\{\w+\}", "nothing-here", route.path)
            if route.path == "/sign-out":
                continue
            if route.path == "/live/stream":  # it goes on: its beginning says whether somebody is let in
                assert (someone.begins(path).status_code == 200) == bool(wanted & has), person
                continue
            answer = someone.get(path) if "GET" in (route.methods or ()) else someone.post(path, {"csrf": "wrong"})
            refused = answer.status_code == 403 and "This page is not for you" in answer.text
            assert refused == (not wanted & has), (route.path, person, answer.status_code)
            if "POST" in (route.methods or ()) and not refused:
                assert answer.status_code == 403 and "out of date" in answer.text
            walked += 1
    assert walked > 50


def pages_of(console: Served) -> list[Any]:
    from sluicegate.settings import Settings

    settings = Settings.model_validate({"identity": {"issuer": console.provider.issuer}})
    loaded = Loaded(settings, "0" * 64, None, {})  # type: ignore[arg-type]
    nothing: Any = object()
    app = build(loaded, console.database, nothing, SetClock(), nothing)
    found = [route for route in app.routes if isinstance(route, Route) and is_page(route.path)]
    opened = [route for route in found if not hasattr(route.endpoint, "roles")]
    assert {route.path for route in opened} == {"/sign-in", "/callback"}
    assert [route.path for route in app.routes if isinstance(route, Mount)] == ["/static"]
    return [route for route in found if route not in opened]


def test_security_headers_are_on_every_answer(console: Served, visitor: Any) -> None:
    for someone, path in (
        (visitor("linus"), "/"),
        (visitor("linus"), "/nonsense"),
        (visitor("ada"), "/live"),
        (Visitor(console), "/static/console.js"),
    ):
        answer = someone.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert not re.search(
            r"<script(?! src=)|\son\w+=|style=|https?://", answer.text if path != "/static/console.js" else ""
        )


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/site.py", "/static//etc/passwd", "/static/templates/page.html"]
)
def test_static_files_are_those_alone(console: Served, path: str) -> None:
    assert Visitor(console).get(path).status_code in (303, 404)


def test_a_form_of_another_site_does_nothing(console: Served, visitor: Any) -> None:
    asked, linus = console.hold(100), visitor("linus")
    path = f"/approvals/{asked.code}/approve"
    good = linus.csrf()
    assert linus.post(path, {"csrf": good}, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert linus.post(path, {"csrf": good}, **{"sec-fetch-site": "same-site"}).status_code == 403
    for bad in ("", "x", visitor("grace").csrf(), good[:-1]):
        assert linus.post(path, {"csrf": bad}).status_code == 403
    assert (
        linus.client.post(
            console.url + path, json={"csrf": good}, headers={"cookie": f"{COOKIE}={linus.cookies[COOKIE]}"}
        ).status_code
        == 415
    )
    assert linus.get(path).status_code in (404, 405)
    assert console.do(console.store.look([asked.id]))[asked.id].state == "pending"
    assert linus.post(path, {"csrf": good}).headers["location"] == f"/approvals/{asked.code}?done=approve"
    assert console.do(console.store.look([asked.id]))[asked.id].state == "approved"


def test_another_host_name_is_not_answered(console: Served) -> None:
    assert Visitor(console).get("/sign-in", host="evil.example").status_code == 421


# --- signing in


def test_signing_in_needs_the_browser_that_began(console: Served) -> None:
    thief, victim = Visitor(console), Visitor(console)
    begun = victim.get("/sign-in")
    consent = victim.client.post(begun.headers["location"], data={"person": "ada", "decision": "allow"})
    path = consent.headers["location"].removeprefix(console.url)
    assert thief.get(path).status_code == 400
    assert COOKIE not in thief.cookies
    # Once used it is used up, for the right one too.
    assert victim.get(path).status_code == 200
    assert victim.get(path).status_code == 400


@pytest.mark.parametrize(
    ("change", "code"),
    [(lambda p: re.sub("state=[^&]+", "state=x", p), "sign-in-state"), (lambda p: re.sub("code=[^&]+", "code=x", p), "sign-in-refused"),
     (lambda p: re.sub("iss=[^&]+", "iss=https%3A%2F%2Fevil", p), "sign-in-issuer"), (lambda p: re.sub("&?iss=[^&]+", "", p), "sign-in-issuer"),
     (lambda p: re.sub("code=[^&]+", "error=access_denied", p), "sign-in-refused"), (lambda p: "/callback?error=access_denied", "sign-in-state")],
)  # fmt: skip
def test_an_answer_that_is_not_the_providers(console: Served, change: Any, code: str) -> None:
    someone = Visitor(console)
    begun = someone.get("/sign-in")
    consent = someone.client.post(begun.headers["location"], data={"person": "ada", "decision": "allow"})
    answer = someone.get(change(consent.headers["location"].removeprefix(console.url)))
    assert (answer.status_code, COOKIE in someone.cookies) == (400, False)
    assert f"<code>{code}</code>" in answer.text
    assert "evil" not in answer.text


def test_a_sign_in_that_takes_too_long_is_begun_anew(console: Served) -> None:
    someone = Visitor(console)
    begun = someone.get("/sign-in")
    consent = someone.client.post(begun.headers["location"], data={"person": "ada", "decision": "allow"})
    console.clock.advance(601)
    try:
        assert someone.get(consent.headers["location"].removeprefix(console.url)).status_code == 400
    finally:
        console.clock.time = 0.0
    assert BEGUN in someone.cookies


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "/\n/evil", "", "javascript:x", "/é"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(path: str) -> None:
    assert not ours(path)


def test_after_signing_in_one_is_where_one_wanted_to_be(console: Served) -> None:
    someone = Visitor(console)
    wanted = someone.get("/recordings?who=ada").headers["location"]
    arrived = someone.sign_in("grace", wanted)
    assert 'content="0;url=/recordings?who=ada"' in html.unescape(arrived.text)
    assert someone.get("/recordings?who=ada").status_code == 200


def test_signing_out_ends_the_session_itself(console: Served) -> None:
    someone = Visitor(console)
    someone.sign_in("ada")
    handle = someone.cookies[COOKIE]
    assert someone.post("/sign-out", {"csrf": someone.csrf()}).status_code == 200
    someone.cookies = {COOKIE: handle}
    assert someone.get("/").status_code == 303


def test_the_database_has_no_cookie(console: Served, visitor: Any) -> None:
    handle = visitor("linus").cookies[COOKIE]
    path = str(console.database.url.database)
    for file in (path, path + "-wal"):
        with open(file, "rb") as stored:
            assert handle.encode() not in stored.read()


# --- what people see


def test_text_from_the_wire_stays_text(console: Served, visitor: Any) -> None:
    asked = console.hold(
        200, by="eve", name=XSS, purpose=XSS, reason=XSS, dataset=XSS, columns=(XSS,), chunks=(XSS,), destination=f"s3://{XSS}",
        statement=f"SELECT '{XSS}' -- {XSS}\n/* {XSS} */",
    )  # fmt: skip
    console.clock.advance(1)
    other = console.hold(201, by="eve", name=XSS, dataset=XSS + "2", statement=f"{XSS}", columns=(XSS, "x"))
    console.clock.time = 0.0
    console.passed(900, XSS)
    linus, grace = visitor("linus"), visitor("grace")
    assert linus.post(f"/approvals/{asked.code}/deny", {"csrf": linus.csrf(), "reason": XSS}).status_code == 303
    found = [linus.get(f"/approvals/{one.code}") for one in (asked, other)]
    found += [linus.get(path) for path in ("/", "/history")]
    found += [
        grace.get(path) for path in ("/live", "/recordings", "/findings", "/notifications", "/policy", "/sessions")
    ]
    found += [
        grace.get("/recordings/00000000-0000-4000-8000-000000000900"),
        grace.get("/recordings"),
        grace.get(f"/recordings?who={XSS}&text={XSS}"),
    ]
    for answer in found:
        assert answer.status_code == 200, answer.url
        assert "<script>alert" not in answer.text and "<img src=x" not in answer.text, answer.url
    assert "&lt;script&gt;" in found[0].text


def test_marks_that_turn_text_round_are_shown(console: Served, visitor: Any) -> None:
    asked = console.hold(210, by="eve", destination="s3://good/\u202ek/dab", statement="SELECT 1 \u202e; DROP")
    text = visitor("linus").get(f"/approvals/{asked.code}").text
    assert "\u202e" not in text and "\\u202e" in text
    assert "\u202e" not in highlighted("a \u202e b") and "<b" not in highlighted("<b>" * 30_000)


def test_a_requester_sees_their_own_alone(console: Served, visitor: Any) -> None:
    own, other = console.hold(300, by="ada"), console.hold(301, by="mona")
    ada = visitor("ada")
    assert own.code in ada.get("/").text and other.code not in ada.get("/").text
    assert ada.get(f"/approvals/{other.code}").status_code == 404
    page = ada.get(f"/approvals/{own.code}").text
    assert "your own request" in page and ">Approve<" not in page
    refused = ada.post(f"/approvals/{own.code}/approve", {"csrf": ada.csrf()})
    assert refused.status_code == 403 and "somebody else has to decide" in refused.text


def test_auditors_read_and_change_nothing(console: Served, visitor: Any) -> None:
    asked, mallory = console.hold(310, by="mona"), visitor("mallory")
    page = mallory.get(f"/approvals/{asked.code}")
    assert page.status_code == 200 and ">Approve<" not in page.text
    for action in ("approve", "deny", "withdraw", "revoke", "break-glass", "review"):
        answer = mallory.post(
            f"/approvals/{asked.code}/{action}",
            {"csrf": mallory.csrf(), "reason": "because of this", "accepted": "yes"},
        )
        assert answer.status_code in (403, 404), action
    assert console.do(console.store.look([asked.id]))[asked.id].state == "pending"


def test_an_operator_ends_a_session_and_others_do_not(console: Served, visitor: Any) -> None:
    victim = Visitor(console)
    victim.sign_in("mallory")
    text = visitor("grace").get("/sessions").text
    found = re.findall(r'action="/sessions/(\w+)/end".*?aria-label="End the session of Mallory', text, re.S)
    key = re.findall(r'action="/sessions/(\w+)/end"', text)[0]
    assert found and key
    ada = visitor("ada")
    assert ada.post(f"/sessions/{key}/end", {"csrf": ada.csrf()}).status_code == 404
    grace = visitor("grace")
    assert grace.post(f"/sessions/{key}/end", {"csrf": grace.csrf()}).status_code == 303
    assert victim.get("/").status_code == 303


def test_a_sign_in_that_is_too_old_leads_to_the_provider(console: Served, visitor: Any) -> None:
    asked, linus = console.hold(320, by="mona", terms={"fresh_seconds": 60.0}), visitor("linus")
    console.clock.advance(120)
    try:
        answer = linus.post(f"/approvals/{asked.code}/approve", {"csrf": linus.csrf()})
    finally:
        console.clock.time = 0.0
    assert answer.status_code == 403 and "Sign in again" in answer.text
    assert "fresh=1" in answer.text


def test_tries_are_limited() -> None:
    clock = SetClock()
    limit = Limit(clock, burst=3, per_second=0.5)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Refusal) as caught:
        limit.take("a")
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "2"})
    limit.take("b")
    clock.advance(2)
    limit.take("a")
