"""`sluicegate login` and its kin, as processes, on the demo's provider and a console that serve."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sluicegate.cli.login import reachable
from sluicegate.cli.signing_in import browser, device
from sluicegate.cli.signing_in.callback import Callback
from sluicegate.cli.signing_in.provider import Terms
from sluicegate.errors import Fault
from tests.identity import login_suite
from tests.identity.driving import DemoDriver
from tests.identity.workstation import Workstation, console
from tests.provider import Provider


@pytest.fixture(scope="module")
def driver() -> Iterator[DemoDriver]:
    with Provider() as provider:
        yield DemoDriver(provider)


@pytest.fixture(scope="module")
def served(driver: DemoDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with console(tmp_path_factory.mktemp("console"), driver.issuer) as address:
        yield address


@pytest.fixture
def workstation(served: str, tmp_path: Path) -> Workstation:
    return Workstation(tmp_path, served)


def test_code_with_pkce(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.code_with_pkce(driver, workstation)


def test_device(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.device(driver, workstation)


def test_refused_at_the_provider(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.refused_at_the_provider(driver, workstation)
    login_suite.device_refused(driver, workstation)


def test_signed_out_by_the_provider(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.signed_out_by_the_provider(driver, workstation)


def test_a_new_login_ends_the_one_before(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.a_new_login_ends_the_one_before(driver, workstation)


def test_signing_out_revokes_the_refresh_token(driver: DemoDriver, workstation: Workstation) -> None:
    login_suite.signing_out_revokes_the_refresh_token(driver, workstation)


def test_an_operator_ends_somebody(driver: DemoDriver, workstation: Workstation, tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    operator = Workstation(tmp_path / "operator", workstation.console)
    ada, linus = workstation.login(driver, "ada"), operator.login(driver, "linus")
    assert ada.code == linus.code == 0
    assert workstation.run("sessions", "list", "--all").code == 1
    every = operator.run("sessions", "list", "--all", "--json").json["sessions"]
    assert {"ada", "linus"} <= {one["subject"] for one in every}
    ended = operator.run("sessions", "end", ada.json["session"]["id"])
    assert ended.code == 0 and "is ended" in ended.out
    over = workstation.run("whoami")
    assert over.code == 1 and "operator ended" in over.err
    assert operator.run("sessions", "end").code == 2
    assert "count no more" in operator.run("sessions", "end", "--person", "grace").out


def test_who_signs_in_is_told_when_that_ends(driver: DemoDriver, workstation: Workstation) -> None:
    ended = workstation.login(driver, "ada", json=False)
    assert ended.code == 0
    assert re.match(r"Signed in as Ada.* until \S+, or until nothing was asked for 30 minutes\.\n", ended.out), (
        ended.out
    )


def test_the_answer_of_another_provider_is_not_taken(driver: DemoDriver, workstation: Workstation) -> None:
    def mixed_up(url: str, person: str, decision: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            answer = client.post(url, data={"person": person, "decision": decision})
            back = answer.headers["location"].replace("iss=http", "iss=https")
            assert "iss=https" in back and client.get(back).status_code == 200

    ended = workstation.login(driver, "ada", browse=mixed_up)
    assert ended.code == 1 and "another identity provider" in ended.err and "[sign-in-issuer]" in ended.err


def test_an_answer_without_its_issuer_is_not_taken(driver: DemoDriver, workstation: Workstation) -> None:
    def stripped(url: str, person: str, decision: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            back = client.post(url, data={"person": person, "decision": decision}).headers["location"]
            client.get("&".join(part for part in back.split("&") if not part.startswith("iss=")))

    ended = workstation.login(driver, "ada", browse=stripped)
    assert ended.code == 1 and "which identity provider" in ended.err and "[sign-in-issuer]" in ended.err


def test_the_answer_to_another_sign_in_changes_nothing(driver: DemoDriver, workstation: Workstation) -> None:
    def attacked(url: str, person: str, decision: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            back = client.post(url, data={"person": "mallory", "decision": decision}).headers["location"]
            address = back.partition("?")[0]
            for query in ("code=x&state=y", "code=x", "", "error=access_denied", "state=%00&code=x"):
                refused = client.get(f"{address}?{query}")
                assert refused.status_code == 400 and "[sign-in-state]" in refused.text
            assert client.get(address.replace("/callback", "/favicon.ico")).status_code == 404
            state = next(part for part in back.partition("?")[2].split("&") if part.startswith("state="))
            assert client.get(f"{address}?code=x&code=y&{state}").status_code == 400
        assert "Signed in" in driver.at_browser(url, person)

    ended = workstation.login(driver, "ada", browse=attacked)
    assert ended.code == 0 and ended.json["session"]["subject"] == "ada"


def test_a_code_counts_once_and_only_with_its_verifier(driver: DemoDriver, workstation: Workstation) -> None:
    codes: list[tuple[str, str]] = []

    def watched(url: str, person: str, decision: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            back = client.post(url, data={"person": person, "decision": decision}).headers["location"]
            code = next(part for part in back.partition("?")[2].split("&") if part.startswith("code="))[5:]
            codes.append((code, back.partition("?")[0]))
            # Somebody who saw the code and not the verifier
            assert token_error(client, code, codes[0][1], code_verifier="x" * 43) == "invalid_grant"
            assert token_error(client, code, codes[0][1]) == "invalid_request"
            client.get(back)

    def token_error(client: httpx2.Client, code: str, redirect: str, **more: str) -> str:
        asked = {
            "grant_type": "authorization_code",
            "client_id": "sluicegate-cli",
            "code": code,
            "redirect_uri": redirect,
        }
        return str(client.post(f"{driver.issuer}/token", data={**asked, **more}).json()["error"])

    assert workstation.login(driver, "ada", browse=watched).code == 0
    with httpx2.Client(trust_env=False, timeout=60) as client:
        assert token_error(client, codes[0][0], codes[0][1], code_verifier="x" * 43) == "invalid_grant"
        plain = client.get(
            f"{driver.issuer}/authorize?response_type=code&client_id=sluicegate-cli&scope=openid&state=s"
            f"&redirect_uri=http://127.0.0.1:1/callback"
        )
        assert "error=invalid_request" in plain.headers.get("location", plain.text)  # no PKCE, no code
        weaker = f"{plain.url}&code_challenge={'x' * 43}&code_challenge_method=plain"
        refused = client.get(weaker)
        assert "error=invalid_request" in refused.headers.get("location", refused.text)


def test_a_code_that_was_used_before_signs_nobody_in(driver: DemoDriver, workstation: Workstation) -> None:
    """Somebody was quicker with the code: whatever the provider says of that is the end of this sign-in."""

    def used(url: str, person: str, decision: str) -> None:
        with httpx2.Client(trust_env=False, timeout=60) as client:
            back = client.post(url, data={"person": person, "decision": decision}).headers["location"]
            driver.provider.state.codes.clear()
            client.get(back)

    ended = workstation.login(driver, "ada", browse=used)
    assert ended.code == 1 and "invalid_grant" in ended.err and "[sign-in-refused]" in ended.err


def test_a_provider_without_pkce_signs_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = Terms("https://id.example", "sluicegate-cli", ("openid",), True, "127.0.0.1:8080", None)
    for methods in (["plain"], []):
        found = {
            "authorization_endpoint": "https://id.example/authorize",
            "code_challenge_methods_supported": methods,
        }
        monkeypatch.setattr(browser, "discover", lambda _, found=found: found)
        with pytest.raises(Fault, match="does not support PKCE") as caught:
            browser.sign_in(terms, pytest.fail)
        assert caught.value.code == "sign-in-pkce"


def test_no_console_and_no_provider_are_one_clear_line(tmp_path: Path, workstation: Workstation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    gone = workstation.run("login", "--console", address)
    assert gone.code == 2 and "cannot be reached" in gone.err and "Traceback" not in gone.err
    plain = workstation.run("login", "--console", "http://sluicegate.example")
    assert plain.code == 2 and "plain HTTP" in plain.err
    assert workstation.run("login", "--ca", "/nowhere").code == 2
    assert "Nobody was signed in" in workstation.run("logout").out


def test_the_device_flow_can_be_forbidden(driver: DemoDriver) -> None:
    terms = Terms(driver.issuer, "sluicegate-cli", ("openid",), False, "127.0.0.1:8080", None)
    with pytest.raises(Fault, match="not allowed"):
        device.sign_in(terms, pytest.fail)


@pytest.mark.parametrize(
    "gateway, base, reached",
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8090", "127.0.0.1:8080"),
        ("0.0.0.0:8080", "https://sluicegate.internal", "sluicegate.internal:8080"),
        ("[::]:8080", "https://[2001:db8::1]:8443", "[2001:db8::1]:8080"),
        ("gw.internal:3128", "https://console.internal", "gw.internal:3128"),
    ],
)
def test_the_gateway_as_the_workstation_reaches_it(gateway: str, base: str, reached: str) -> None:
    assert reachable(gateway, base) == reached


def test_a_client_that_says_nothing_does_not_stop_the_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    with Callback("state") as callback:
        callback._server.RequestHandlerClass.timeout = 0.05  # type: ignore[attr-defined]
        port = int(callback.address.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)):
            assert callback.wait(0.3) is None


def test_machines_sign_in_as_themselves(driver: DemoDriver, workstation: Workstation) -> None:
    asked: Any = {"grant_type": "client_credentials"}
    with httpx2.Client(trust_env=False, timeout=60) as client:
        answer = client.post(f"{driver.issuer}/token", data=asked, auth=("nightly-embeddings", "a-secret-of-the-demo"))
        assert client.post(f"{driver.issuer}/token", data=asked, auth=("nightly-embeddings", "no")).status_code == 401
    token = answer.json()["access_token"]
    me = workstation.run("whoami", "--json", SLUICEGATE_TOKEN=token, SLUICEGATE_CONSOLE=workstation.console).json
    assert (me["kind"], me["subject"], me["groups"]) == ("machine", "nightly-embeddings", [])
