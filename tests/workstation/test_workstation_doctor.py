"""`sluicegate doctor` beside a real gateway, and each thing that it must not overlook."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from sluicegate.cli.workstation import asking, checks
from sluicegate.cli.workstation.settings import Known, Place
from sluicegate.cli.workstation.trust import Trust
from sluicegate.clock import SystemClock
from sluicegate.pipeline import authority
from sluicegate.pipeline.constraints import Names
from sluicegate.pipeline.reload import Watch
from sluicegate.settings import State, load
from tests.origin import Origin, json_response
from tests.running import Running

GATE = Place("gate.test", 8080)
URL = "http://gate.test:8080"
ANY = asking.Canary("GET", "https://chunks.test/")


def levels(found):
    return {check.name: check.level for check in found}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"HTTPS_PROXY": "warn", "HTTP_PROXY": "warn"}),
        (
            {"HTTPS_PROXY": URL, "https_proxy": URL, "HTTP_PROXY": "gate.test:8080", "http_proxy": URL},
            {"HTTPS_PROXY": "ok", "HTTP_PROXY": "ok"},
        ),
        ({"HTTPS_PROXY": URL, "https_proxy": "http://corp.test:3128"}, {"HTTPS_PROXY": "fail", "HTTP_PROXY": "warn"}),
        ({"HTTPS_PROXY": URL}, {"HTTPS_PROXY": "fail", "HTTP_PROXY": "warn"}),
        ({"https_proxy": "http://[::1", "HTTPS_PROXY": URL}, {"HTTPS_PROXY": "fail", "HTTP_PROXY": "warn"}),
    ],
)
def test_proxies(environ, expected):
    assert levels(checks.proxies(environ, GATE)) == expected


async def test_a_policy_that_is_not_in_force_is_told(tmp_path):
    """By what a gateway itself wrote down of it."""
    policy, state = tmp_path / "policy.toml", State(tmp_path / ".sluicegate").open()
    text = '[identity]\nissuer = "http://127.0.0.1:9"\nidle_seconds = 900\n'
    policy.write_text(text)

    def said():
        return [(one.level, one.said, one.mend) for one in checks.policy_in_force(policy, state.root)]

    assert said() == []  # no gateway here
    watch = Watch(load(policy), state, {}, lambda loaded, parts: None, SystemClock())
    await watch.open()
    assert [level for level, *_ in said()] == ["ok"]
    policy.write_text(text.replace("900", "600"))
    assert [level for level, *_ in said()] == ["warn"]
    await watch.look()
    await watch.look()
    await watch.close()
    ((level, words, mend),) = said()
    assert level == "fail" and "line 3: identity.idle_seconds cannot change while the gateway runs" in words
    assert "goes by the one from before" in words and "restart the gateway" in mend
    (state.root / "policy.json").write_text("[]")
    assert said() == []


def test_a_secret_in_the_environment_and_a_proxy_over_tls_are_told():
    environ = {"HTTPS_PROXY": "https://u:slg_x@gate.test:8080", "https_proxy": "https://u:slg_x@gate.test:8080"}
    found = list(checks.proxies(environ, GATE))
    assert levels(found)["aiohttp"] == "fail" and levels(found)["secret"] == "note" and "slg_x" not in repr(found)


@pytest.mark.parametrize(
    ("value", "wide"),
    [
        ("localhost,127.0.0.1", False), ("chunks.test", True), (".chunks.test", True), ("*.test", True), ("test", True), ("*", True),
        ("a.chunks.test:8443", True), ("evilchunks.test", False), ("CHUNKS.test.", True), ("10.0.0.7", True), ("10.0.0.8,[::1],::1", False), (" , ", False),
    ],
)  # fmt: skip
def test_no_proxy_too_wide(value, wide):
    import ipaddress

    governed = Names(frozenset({"chunks.test"}), frozenset({ipaddress.ip_address("10.0.0.7")}))
    for name in ("NO_PROXY", "no_proxy"):
        found = list(checks.no_proxy({name: value}, governed))
        assert any(check.level == "fail" for check in found) is wide, (value, found)


def test_presets_that_win_are_found(tmp_path, monkeypatch):
    folder = tmp_path / "ca"
    folder.mkdir()
    authority.prepare(folder, Names(frozenset({"chunks.test"})), {})
    ours = folder / "mitmproxy-ca-cert.pem"
    bundle, company = tmp_path / "bundle.pem", tmp_path / "company.pem"
    bundle.write_bytes(b"# others\n" + ours.read_bytes())
    company.write_text("-----BEGIN CERTIFICATE-----\n")
    for tool in ("curl", "pip", "git", "node", "java"):
        made = tmp_path / "bin" / tool
        made.parent.mkdir(exist_ok=True)
        made.write_text("#!/bin/sh\necho v20.1.0\n")
        made.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    files = Trust(ours, bundle, tmp_path / "java.p12", tmp_path / "wgetrc")
    (tmp_path / ".curlrc").write_text("# mine\nproxy = http://corp.test\n")
    environ = {"SSL_CERT_FILE": str(bundle), "CURL_CA_BUNDLE": str(company), "NODE_EXTRA_CA_CERTS": str(ours)}
    found = list(checks.trust(environ, files, tmp_path))
    said = {(check.name, check.level) for check in found}
    assert ("curl", "fail") in said and ("pip", "fail") in said and ("node", "ok") in said and ("git", "warn") in said
    assert ("java", "warn") in said and any(check.name == "curl" and ".curlrc" in check.said for check in found)
    assert all(check.mend for check in found if check.level in ("warn", "fail"))
    assert levels(checks.clients_that_go_direct({})) == {"node": "warn"}


def test_something_else_answers_or_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = Place("127.0.0.1", listener.getsockname()[1])
        import threading

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert asking.gateway(place).level == "fail"
        thread.join()
    assert asking.gateway(place).level == "fail"
    found, who = asking.console(f"http://{place.authority}", "slg_x")
    assert levels(found) == {"console": "fail"} and who is None
    assert asking.canary(Known(place, None, "slg_x"), str(_any_authority()), ANY, asking.Expected()).level == "fail"


def _any_authority():
    import certifi

    return certifi.where()


@pytest.fixture(scope="module")
def gate(provider, certs, tmp_path_factory):
    origin = Origin(certs.service, lambda request: json_response(b'{"rows": [{"id": 1, "ssn": "123-45-6789"}]}'))
    folder = tmp_path_factory.mktemp("doctor")
    running = Running(folder, provider.issuer, certs.ca, [f"localhost:{origin.port}"], with_console=True)
    running.origin = origin
    with running:
        yield running
    origin.close()


def test_a_workstation_that_is_set_up(gate, provider, tmp_path):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY")
    }
    environment |= {
        "SLUICEGATE_TOKEN": provider.token("ada"),
        "SLUICEGATE_CONFIG": str(tmp_path),
        "HOME": str(tmp_path),
    }
    url = f"https://localhost:{gate.origin.port}/datasets/customers"
    policy = ["--policy", str(gate.folder / "policy.toml")]
    command = [sys.executable, "-m", "sluicegate.cli"]
    asked = [*command, "doctor", *policy, "--json", "--canary", f"{url}/chunks/7?columns=id,ssn"]

    done = subprocess.run(
        [*command, "env", "--json", *policy], env=environment, capture_output=True, text=True, timeout=100
    )
    set_up = environment | json.loads(done.stdout)
    done = subprocess.run(asked, env=set_up, capture_output=True, text=True, timeout=100)
    found = {check["name"]: check for check in json.loads(done.stdout)}
    for name in ("gateway", "console", "clock", "session", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "python urllib"):
        assert found[name]["level"] == "ok", found[name]
    canaries = [check for name, check in found.items() if name.startswith("canary ")]
    assert [check["level"] for check in canaries] == ["ok", "ok"], canaries
    assert "came back allowed (200" in canaries[0]["said"] and "masking" in canaries[0]["said"], canaries
    assert "came back denied (403" in canaries[1]["said"], canaries
    assert found["egress"]["level"] == "warn"  # the service is on this machine
    assert "eyJ" not in done.stdout + done.stderr
    assert not any(check["level"] == "fail" for check in found.values()) or done.returncode == 2

    done = subprocess.run(asked, env=environment | {"NO_PROXY": "*"}, capture_output=True, text=True, timeout=100)
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 2 and found["NO_PROXY"]["level"] == "fail" and found["HTTPS_PROXY"]["level"] == "warn"
