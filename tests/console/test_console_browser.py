"""The pages in a real browser: what people do with them, what they run, and whether everybody can use them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.console.browsers import sign_in
from tests.console.serving import Served
from tests.recording.recorders import live

XSS = "</textarea></title><script>window.owned=1</script><img src=x onerror=window.owned=1><svg onload=window.owned=1>\"'`${{7*7}}"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def opened(running_console: Served, chromium: Any) -> Iterator[Any]:
    """Opens a page as somebody; whatever the browser complains of fails the test."""
    contexts, complaints = [], []

    def made(person: str, path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(**options)
        contexts.append(context)
        page: Page = sign_in(context, running_console.url + path, person)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield made
    for context in contexts:
        context.close()
    # A page that was refused says so with its status, which the browser mentions.
    assert [text for text in complaints if not re.search("responded with a status of 40[03]", text)] == []


def test_approve_while_somebody_waits_and_they_go_on(running_console: Served, opened: Any) -> None:
    """The waiting itself, as the gateway does it; tests/e2e has the same with curl."""
    asked = running_console.hold(1000)
    page = opened("linus")
    went_on = threading.Event()

    def wait() -> None:
        from sluicegate.approvals.waiting import Waiting

        async def decided() -> Any:
            waiting = Waiting(running_console.store)
            found = await waiting.decided(asked.id, 60.0, lambda: False)
            await waiting.close()
            return found

        if running_console.do(decided()).state == "approved":
            went_on.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    page.locator(f'a[href="/approvals/{asked.code}"]').click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada wants to export customers")
    assert not went_on.is_set()
    page.get_by_label("Reason").fill("Agreed with the data owner.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("[data-follow]")).to_contain_text("approved")
    waiter.join(60)
    assert went_on.is_set()
    assert running_console.do(running_console.store.redeem(asked.fingerprint, "x")) == asked.id


def test_a_denial_needs_a_reason_and_says_it(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1001)
    page = opened("linus", f"/approvals/{asked.code}")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("alert")).to_contain_text("A reason is required")
    page.get_by_label("Reason").fill("Not to this bucket.")
    page.get_by_role("button", name="Deny").click()
    expect(page.locator("main")).to_contain_text("Not to this bucket.")
    expect(page.locator("[data-follow]")).to_contain_text("denied")


def test_nobody_is_offered_their_own_request(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1002, by="linus")
    page = opened("linus", f"/approvals/{asked.code}")
    expect(page.locator("main")).to_contain_text("Nobody decides their own")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.locator("[data-follow]")).to_contain_text("withdrawn")


def test_walls_between_roles(running_console: Served, opened: Any) -> None:
    page = opened("ada")
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Inbox", "History", "Sessions"])
    for path in ("/live", "/recordings", "/findings", "/policy"):
        page.goto(running_console.url + path)
        expect(page.get_by_role("heading", level=1)).to_have_text("This page is not for you")


def test_it_expires_on_the_screen(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1003)
    page = opened("linus", f"/approvals/{asked.code}")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    running_console.clock.advance(601)
    try:
        expect(page.locator("[data-follow]")).to_contain_text("Nobody decided before")
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    finally:
        running_console.clock.time = 0.0


def test_what_changes_before_the_first_look_is_shown_as_well(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1004)
    page = opened("linus")

    def late(route: Any) -> None:
        running_console.clock.advance(601)
        route.continue_()

    page.route("**/console.js*", late)
    try:
        page.goto(f"{running_console.url}/approvals/{asked.code}")
        expect(page.locator("[data-follow]")).to_contain_text("Nobody decided before")
    finally:
        running_console.clock.time = 0.0


def test_a_page_on_which_nothing_changes_stays(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1005)
    page = opened("linus", f"/approvals/{asked.code}")
    page.evaluate("window.stayed = true")
    for _ in range(3):
        with page.expect_response("**/state"):
            pass
    assert page.evaluate("window.stayed") is True


def test_what_is_new_appears_by_itself(running_console: Served, opened: Any) -> None:
    page = opened("linus")
    page.wait_for_timeout(200)  # the first look has been taken
    asked = running_console.hold(1004, destination="s3://brand-new/k")
    expect(page.locator(f'a[href="/approvals/{asked.code}"]')).to_be_visible(timeout=60_000)


def test_without_javascript_everything_works(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1005)
    page = opened("linus", "/", java_script_enabled=False)
    page.locator(f'a[href="/approvals/{asked.code}"]').click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("[data-follow]")).to_contain_text("approved")
    page.get_by_label("Reason").fill("On second thoughts.")
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("[data-follow]")).to_contain_text("revoked")


def test_with_the_keyboard_alone(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(1006)
    page = opened("linus", f"/approvals/{asked.code}")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Approve":
            break
    page.keyboard.press("Enter")
    expect(page.locator("[data-follow]")).to_contain_text("approved")


def test_a_search_with_the_keyboard_and_without_a_mouse(running_console: Served, opened: Any) -> None:
    flow, exchange = live("/datasets/customers/chunks/9")
    flow.response.raw_content = b'{"rows": [{"note": "feldspar"}]}'
    running_console.recorded(flow, exchange, "231111Z-0001")
    page = opened("grace", "/recordings")
    page.get_by_role("link", name="Search in what was asked").press("Enter")
    page.get_by_label("Words").fill("feldspar")
    page.keyboard.press("Enter")
    # It may go on when the page comes; what was found then appears by itself.
    hit = page.locator(f'a.cover[href="/recordings/{exchange.id}"]')
    expect(hit).to_be_visible(timeout=60_000)
    hit.press("Enter")
    expect(page.locator("main")).to_contain_text("That you looked is on the record")


def test_nothing_that_somebody_wrote_runs(running_console: Served, opened: Any) -> None:
    asked = running_console.hold(
        1007, by="eve", name=XSS, purpose=XSS, reason=XSS, dataset=XSS, columns=(XSS,), chunks=(XSS,), destination=XSS,
        statement=f"SELECT {XSS}", terms={"break_glass": ("group:data-stewards",)},
    )  # fmt: skip
    running_console.passed(950, XSS)
    linus, grace = opened("linus", f"/approvals/{asked.code}"), opened("grace")
    linus.get_by_label("Reason").fill(XSS)
    linus.get_by_role("button", name="Deny").click()
    linus.wait_for_load_state()
    record = "/recordings/00000000-0000-4000-8000-000000000950"
    for page, paths in (
        (linus, ("/", "/history", f"/approvals/{asked.code}")),
        (grace, ("/live", "/recordings", record, "/findings", "/sessions")),
    ):
        for path in paths:
            page.goto(running_console.url + path)
            page.wait_for_timeout(100)
            assert page.evaluate("window.owned") is None, path
    # The polling puts text into the page too.
    grace.goto(running_console.url + "/live")
    running_console.passed(951, XSS)
    grace.wait_for_selector('a[href$="000000000951"]', timeout=60_000)
    assert grace.evaluate("window.owned") is None


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (360, "dark")]
)  # each width and scheme once: it is slow
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    running_console: Served, opened: Any, scheme: str, width: int
) -> None:
    asked = running_console.hold(
        1100 + width + len(scheme),
        by="mona",
        purpose="Because.",
        statement="SELECT 1 -- x\nFROM t WHERE a = 'b'",
        terms={"break_glass": ("group:fraud",), "quorum": 2},
    )
    running_console.passed(2000 + width + len(scheme), "")
    flow, exchange = live("/datasets/customers/chunks/3?columns=" + ",".join(f"column_{n}" for n in range(40)))
    flow.response.raw_content = b'{"rows": [{"id": 1, "note": "%b"}]}' % (b"quartzite" * 40)
    running_console.recorded(flow, exchange, f"23{width}{len(scheme)}Z-0001"[-12:])
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "bypass_csp": True}
    for person, paths in (
        ("linus", ("/", "/history", f"/approvals/{asked.code}", "/policy")),
        (
            "grace",
            (
                *("/live", "/recordings", f"/recordings/{exchange.id}", "/search"),
                *("/search?text=columns", "/search?text=nothing-says-this", "/search?text=%21"),
                *("/findings", "/notifications", "/sessions", "/policy", f"/approvals/{asked.code}"),
            ),
        ),
    ):
        page = opened(person, **options)
        for path in paths:
            page.goto(running_console.url + path)
            expect(page.get_by_text("The search goes on")).to_have_count(0)
            page.evaluate(AXE)
            found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
            serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
            assert serious == [], (path, serious)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_the_page_tells_nobody_else_anything(running_console: Served, opened: Any) -> None:
    page = opened("grace")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/live", "/policy", "/sessions"):
        page.goto(running_console.url + path)
    assert {re.sub(r"(://[^/]+).*", r"\1", url) for url in asked} == {running_console.url}
    cookie = next(one for one in page.context.cookies() if one["name"] == "__Host-sluicegate")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert "__Host-sluicegate" not in page.evaluate("document.cookie")
