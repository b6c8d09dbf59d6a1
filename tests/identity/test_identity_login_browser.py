"""`sluicegate login` with a real browser: Chromium goes to the provider and comes back to the port of loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.browsers import browser
from tests.identity import login_suite
from tests.identity.driving import DemoDriver
from tests.identity.workstation import Workstation, console
from tests.provider import Provider

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")),
    reason="Chromium is not installed (Debian: apt install chromium)",
)


@pytest.fixture(scope="module")
def driver() -> Iterator[DemoDriver]:
    with Provider() as provider:
        yield DemoDriver(provider)


@pytest.fixture(scope="module")
def served(driver: DemoDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with console(tmp_path_factory.mktemp("console"), driver.issuer) as address:
        yield address


def test_code_with_pkce_and_a_refusal_in_chromium(driver: DemoDriver, served: str, tmp_path: Path) -> None:
    shown: list[str] = []

    def browse(url: str, person: str, decision: str) -> None:
        with browser() as chromium:
            page = chromium.new_page()
            page.goto(url)
            page.get_by_label("You are").select_option(person)
            page.get_by_role("button", name="Sign in" if decision == "allow" else "Refuse").click()
            page.wait_for_url("http://127.0.0.1:*/callback?**")
            shown.append(page.get_by_role("heading").inner_text())
            assert page.evaluate("document.scripts.length") == 0

    workstation = Workstation(tmp_path, served)
    login_suite.code_with_pkce(driver, workstation, browse=browse)
    ended = workstation.login(driver, "ada", decision="deny", browse=browse)
    assert ended.code == 1 and "access_denied" in ended.err
    assert shown == ["Signed in", "Not signed in"]
