"""`sluicegate login` at panva's oidc-provider, a certified provider that nobody here wrote: the demo's suite, unchanged."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from tests.identity import exchange_suite, login_suite
from tests.identity.workstation import Workstation, console
from tests.interop.environments import Environment
from tests.running import free_port

pytestmark = pytest.mark.interop

PACKAGES = Environment("oidc-provider", ("oidc-provider@9.13.3",), kind="npm")


class PanvaDriver:
    """A person's browser, with its cookies, in front of the provider's own development pages."""

    device_seconds = 5.0

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.browser = httpx2.Client(trust_env=False, follow_redirects=True, timeout=30)

    def at_browser(self, url: str, person: str, decision: str = "allow") -> str:
        self.browser.cookies.clear()
        return self._go_on(self.browser.get(url), person, decision)

    def at_device(self, page: str, code: str, person: str, decision: str = "allow") -> None:
        self.browser.cookies.clear()
        answer = self._submit(self.browser.get(page), user_code=code)
        confirmed = self._submit(answer, **({"confirm": "yes"} if decision == "allow" else {"abort": "yes"}))
        if decision == "allow":
            self._go_on(confirmed, person, decision)

    def tell_logouts_to(self, url: str) -> None:
        """It was told at its start."""

    def log_out(self, person: str) -> None:
        answer = self._submit(self.browser.get(f"{self.issuer}/session/end"), logout="yes")
        assert answer.status_code == 200

    def _go_on(self, answer: httpx2.Response, person: str, decision: str) -> str:
        for _ in range(4):
            if "/interaction/" not in str(answer.url):
                break
            if decision == "deny":
                abort = re.search(r'href="([^"]*/abort)"', answer.text)
                assert abort, answer.text
                answer = self.browser.get(urljoin(str(answer.url), abort[1]))
            else:
                answer = self._submit(answer, login=person, password="x")
        return answer.text

    def _submit(self, answer: httpx2.Response, **fields: str) -> httpx2.Response:
        form = re.search(r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", answer.text, re.S)
        assert form, answer.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[2])
        data = {name: html.unescape(value) for name, value in hidden}
        return self.browser.post(urljoin(str(answer.url), html.unescape(form[1])), data={**data, **fields})


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def driver(port: int) -> Iterator[PanvaDriver]:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = PACKAGES.make().folder
    own = free_port()
    script = Path(__file__).with_name("oidc_provider.mjs")
    process = subprocess.Popen(
        ["node", str(script), str(own), f"http://127.0.0.1:{port}/oidc/backchannel-logout"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while "ready" not in (line := process.stdout.readline()):
            assert line, "the provider ended"
        yield PanvaDriver(f"http://127.0.0.1:{own}")
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def served(driver: PanvaDriver, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with console(tmp_path_factory.mktemp("console"), driver.issuer, port=port) as address:
        yield address


@pytest.fixture
def workstation(served: str, tmp_path: Path) -> Workstation:
    return Workstation(tmp_path, served)


def test_code_with_pkce(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.code_with_pkce(driver, workstation)


def test_device(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.device(driver, workstation)


def test_refused_at_the_provider(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.refused_at_the_provider(driver, workstation)


def test_signed_out_by_the_provider(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.signed_out_by_the_provider(driver, workstation)


def test_signing_out_revokes_the_refresh_token(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.signing_out_revokes_the_refresh_token(driver, workstation)


def test_token_exchange(driver: PanvaDriver, certs: Any, tmp_path: Path) -> None:
    """The suite of tests/e2e/test_e2e_token_exchange.py, here with opaque access tokens."""
    with exchange_suite.desk(tmp_path, driver.issuer, certs) as desk:
        exchange_suite.sees_the_person(driver, desk, acts={"sub": "sluicegate-gateway"})
        exchange_suite.goes_with_the_session(driver, desk)
        exchange_suite.is_nowhere(desk)


def test_a_service_that_the_provider_does_not_know(driver: PanvaDriver, certs: Any, tmp_path: Path) -> None:
    with exchange_suite.desk(tmp_path, driver.issuer, certs, audience="nobody") as desk:
        assert desk.workstation.login(driver, "ada").code == 0
        assert exchange_suite.code(desk.get(desk.workstation.handle)) == "502 exchange-refused"
        desk.running.wait_for("answered 400 invalid_target", 60)
        assert not desk.service.tokens


def test_refresh_tokens_rotate(driver: PanvaDriver, workstation: Workstation) -> None:
    login_suite.refreshed_while_it_lives(driver, workstation)
