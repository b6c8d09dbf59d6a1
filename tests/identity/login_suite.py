"""What must hold at every provider: each test takes a driver and a workstation. Run by the demo's and by others' tests."""

from __future__ import annotations

import stat
import time
from typing import Any
from unittest import mock

import httpx2

from sluicegate.cli import console_client
from tests.identity.driving import Driver
from tests.identity.workstation import Workstation


def code_with_pkce(driver: Driver, workstation: Workstation, person: str = "ada", **how: Any) -> None:
    """login in a browser, whoami, sessions, logout."""
    ended = workstation.login(driver, person, **how)
    assert ended.code == 0, ended.err
    document, handle = ended.json, workstation.handle
    assert document["session"]["subject"] == person and handle not in ended.out + ended.err
    assert stat.S_IMODE((workstation.folder / "session.json").stat().st_mode) == 0o600
    me = workstation.run("whoami", "--json").json
    assert (me["subject"], me["kind"], me["assurance"]) == (person, "person", "bearer")
    assert me["groups"] == ["engineering"] and me["name"] == "Ada Lovelace"
    listed = workstation.run("sessions", "list", "--json").json["sessions"]
    assert [(one["subject"], one["current"], one["state"]) for one in listed] == [(person, True, "active")]
    assert workstation.run("logout").code == 0
    assert not (workstation.folder / "session.json").exists()
    refused = workstation.run("whoami", SLUICEGATE_TOKEN=handle, SLUICEGATE_CONSOLE=workstation.console)
    assert refused.code == 1 and "signed out" in refused.err
    nobody = workstation.run("whoami", SLUICEGATE_CONSOLE=workstation.console)
    assert nobody.code == 2 and "sluicegate login" in nobody.err


def refused_at_the_provider(driver: Driver, workstation: Workstation) -> None:
    """The person says no."""
    ended = workstation.login(driver, "ada", decision="deny")
    assert ended.code == 1 and "access_denied" in ended.err
    assert not (workstation.folder / "session.json").exists()


def device(driver: Driver, workstation: Workstation, person: str = "ada") -> None:
    """login on another device."""
    ended = workstation.login(driver, person, device=True)
    assert ended.code == 0, ended.err
    assert workstation.run("whoami", "--json").json["subject"] == person


def device_refused(driver: Driver, workstation: Workstation) -> None:
    ended = workstation.login(driver, "ada", device=True, decision="deny")
    assert ended.code == 1 and "access_denied" in ended.err


def signed_out_by_the_provider(driver: Driver, workstation: Workstation, person: str = "ada") -> None:
    """Back-channel logout ends the session."""
    driver.tell_logouts_to(f"{workstation.console}/oidc/backchannel-logout")
    assert workstation.login(driver, person).code == 0
    assert workstation.run("whoami").code == 0
    driver.log_out(person)
    over = workstation.run("whoami")
    assert over.code == 1 and "identity provider ended" in over.err


def a_new_login_ends_the_one_before(driver: Driver, workstation: Workstation) -> None:
    assert workstation.login(driver, "ada").code == 0
    before = workstation.handle
    assert workstation.login(driver, "ada").code == 0
    assert workstation.run("whoami").code == 0
    old = workstation.run("whoami", SLUICEGATE_TOKEN=before, SLUICEGATE_CONSOLE=workstation.console)
    assert old.code == 1 and "signed out" in old.err


def refreshed_while_it_lives(driver: Driver, workstation: Workstation) -> None:
    """The console asks anew by itself (every ten seconds here), again and again with the token of the time before."""
    assert workstation.login(driver, "ada").code == 0
    first = workstation.run("whoami", "--json").json["session"]["confirmed"]
    seen, deadline = {first}, time.monotonic() + 60
    while len(seen) < 3:
        assert time.monotonic() < deadline, seen
        time.sleep(1)
        me = workstation.run("whoami", "--json").json
        assert me["groups"] == ["engineering"] and me["session"]["state"] == "active"
        seen.add(me["session"]["confirmed"])
    assert workstation.run("logout").code == 0


def signing_out_revokes_the_refresh_token(driver: Driver, workstation: Workstation) -> None:
    """Whoever had copied it on its way gets nothing for it; for one of a sign-in that goes on they would."""
    brought: list[dict[str, Any]] = []
    send = console_client.send

    def watched(*arguments: Any, **more: Any) -> Any:
        brought.append(more.get("body") or {})
        return send(*arguments, **more)

    with mock.patch.object(console_client, "send", watched):
        for _ in range(2):
            assert workstation.login(driver, "ada").code == 0
    first, second = (body["refresh_token"] for body in brought if body.get("refresh_token"))
    # A new sign-in ends the one before, so the first is signed out and the second goes on.
    with httpx2.Client(trust_env=False, timeout=60) as client:
        address = client.get(f"{driver.issuer}/.well-known/openid-configuration").json()["token_endpoint"]
        answers = []
        for token in (first, second):
            form = {"grant_type": "refresh_token", "client_id": "sluicegate-cli", "refresh_token": token}
            answers.append(client.post(address, data=form).json())
    assert answers[0].get("error") == "invalid_grant"
    assert answers[1].get("access_token"), answers[1]
    workstation.run("logout")
