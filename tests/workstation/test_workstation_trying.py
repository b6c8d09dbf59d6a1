"""Tools that doctor starts: what their words mean, that they are ended, and the real ones beside a real gateway."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import psutil
import pytest

from sluicegate.cli.workstation import trying
from sluicegate.cli.workstation.checks import Check
from sluicegate.cli.workstation.tools import MISSING, TOOLS, Tool
from sluicegate.cli.workstation.trying import instead_of, judged, tried
from sluicegate.lockdown.shape import check_path
from tests.origin import Origin
from tests.running import Running

CURL = TOOLS[0]


@pytest.mark.parametrize(
    ("said", "level", "words"),
    [
        ('{"type": "urn:sluicegate:malformed-request"}', "ok", "trusts"),
        ("remote: The request was refused because the path can be read in more than one way.", "ok", "trusts"),
        ("npm error 400 Request not accepted - GET https://x/", "ok", "trusts"),
        ("HTTP/1.1 511 Sign in again: session expired", "ok", "trusts"),
        ("curl: (56) CONNECT tunnel failed, response 407", "warn", "does not know you"),
        ("curl: (60) SSL certificate problem: unable to get local issuer certificate", "fail", "does not trust"),
        ("x509: certificate signed by unknown authority", "fail", "does not trust"),
        ("PKIX path building failed", "fail", "does not trust"),
        ("code: 'SELF_SIGNED_CERT_IN_CHAIN'", "fail", "does not trust"),
        ("<html>hello from the service</html>", "warn", "goes past"),
        ("curl: (6) Could not resolve host: chunks.internal", "warn", "goes past"),
        ("", "warn", "goes past"),
        (None, "warn", "said nothing"),
    ],
)
def test_what_the_words_of_a_tool_mean(said: str | None, level: str, words: str) -> None:
    found = judged(CURL, said)
    assert found is not None and found.level == level and words in found.said
    assert bool(found.mend) == (level != "ok") and (said is None or len(said) < 9 or said not in repr(found))


def test_what_is_not_there_is_not_reported() -> None:
    assert judged(CURL, f"{MISSING}\n") is None


def test_the_path_is_one_that_no_policy_lets_through() -> None:
    with pytest.raises(Exception, match="more than one way"):
        check_path(trying.PATH)


def test_one_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "pid"

    class Begun(subprocess.Popen[bytes]):
        """Its time begins when it has started another."""

        def communicate(self, *arguments: Any, **more: Any) -> Any:
            while not started.exists():
                assert self.poll() is None
            return super().communicate(*arguments, **more)

    monkeypatch.setattr(trying, "SECONDS", 0.1)
    monkeypatch.setattr(trying.subprocess, "Popen", Begun)  # type: ignore[attr-defined]
    code = f"sleep 600 & echo $! > {started}.new; mv {started}.new {started}; wait"
    slow = Tool("slow", "sh", lambda url, folder: ["sh", "-c", code])
    said = trying.ask(slow, "https://x/", os.environ)
    found = judged(slow, said)
    assert said is None and found is not None and found.level == "warn"
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(int(started.read_text())).status() != psutil.STATUS_ZOMBIE:
            pass


def test_settings_say_why_and_what_was_not_tried() -> None:
    settings = [
        Check("curl", "fail", "CURL_CA_BUNDLE names another file", "A"), Check("python", "ok", "set"),
        Check("curl", "warn", "~/.curlrc sets a proxy of its own, and wins", "look"), Check("aws", "warn", "not set", "A"),
        Check("node", "ok", "trusts"), Check("node", "warn", "Node 20 ignores proxy variables", "egress"),
    ]  # fmt: skip
    trials = [
        Check("curl", "fail", "does not trust", "B"), Check("python urllib", "ok", "tried"), Check("node", "warn", "goes past", "B"),
    ]  # fmt: skip
    found = list(instead_of(settings, trials))
    assert [(check.name, check.level) for check in found] == [
        ("curl", "fail"), ("python urllib", "ok"), ("node", "warn"), ("curl", "warn"), ("aws", "warn"),
    ]  # fmt: skip
    assert "CURL_CA_BUNDLE" in found[0].said and "Node 20" in found[2].said and found[2].mend == "egress"
    assert list(instead_of(settings, [])) == settings
    # A client that is known to go direct met the service's certificate, and not the gateway's.
    (node,) = instead_of(settings[-1:], [Check("node", "fail", "does not trust the gateway (tried)", "B")])
    assert node.level == "warn" and "goes past the gateway (tried)" in node.said and node.mend == "egress"


@pytest.fixture(scope="module")
def desk(provider: Any, certs: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway, and a workstation that has signed in and runs an agent; the policy is not at hand there."""
    origin = Origin(certs.service)
    home = tmp_path_factory.mktemp("home")
    gate = Running(
        tmp_path_factory.mktemp("gate"), provider.issuer, certs.ca, [f"localhost:{origin.port}"], with_console=True
    )
    gate.origin = origin  # type: ignore[attr-defined]
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | {
        "HOME": str(home), "SLUICEGATE_CONFIG": str(home / "config"), "SLUICEGATE_TOKEN": provider.token("ada"),
    }  # fmt: skip
    command = [sys.executable, "-m", "sluicegate.cli"]
    with gate:
        where = ["--gateway", f"127.0.0.1:{gate.port}", "--console", f"http://127.0.0.1:{gate.console}"]
        agent = subprocess.Popen([*command, "agent", "--port", "0", *where], env=clean, stdout=subprocess.PIPE, text=True, cwd=home)  # fmt: skip
        try:
            assert agent.stdout is not None and agent.stdout.readline().startswith("sluicegate: agent on ")
            done = subprocess.run(
                [*command, "env", "--json", *where], env=clean, capture_output=True, text=True, cwd=home
            )

            def doctor(*more: str, **changes: str) -> dict[str, dict[str, Any]]:
                done = subprocess.run(
                    [*command, "doctor", "--json", *where, *more], env=set_up | changes, capture_output=True, text=True,
                    cwd=home, timeout=200,
                )  # fmt: skip
                assert done.stdout, done.stderr
                assert clean["SLUICEGATE_TOKEN"] not in done.stdout + done.stderr
                return {check["name"]: check for check in json.loads(done.stdout)}

            set_up = clean | json.loads(done.stdout)
            yield gate, doctor, set_up
        finally:
            agent.terminate()
            agent.wait(60)
            assert agent.stdout is not None
            agent.stdout.close()
    origin.close()


@pytest.mark.timeout(300)
def test_real_tools_go_through_and_trust(desk: Any) -> None:
    gate, doctor, _ = desk
    found = doctor()
    through = {name for name, check in found.items() if check["said"].endswith("and trusts it (tried)")}
    assert {"curl", "git", "python urllib"} <= through, found
    for name in ("wget", "pip", "npm", "java"):
        assert name not in found or name in through, found[name]
    # Node before 24 knows no proxy: it went past, and doctor says so.
    if "node" in found and "node" not in through:
        assert "goes past the gateway (tried)" in found["node"]["said"], found["node"]
    assert b"the-service-secret" not in gate.origin.received


@pytest.mark.timeout(300)
def test_real_tools_that_do_not_trust(desk: Any) -> None:
    _, doctor, _ = desk
    others = dict.fromkeys(
        ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "PIP_CERT", "npm_config_cafile"),
        certifi.where(),
    )
    found = doctor(**others, NODE_EXTRA_CA_CERTS="")
    for name in ("curl", "git", "python urllib"):
        assert found[name]["level"] == "fail" and "does not trust the gateway (tried)" in found[name]["said"], found[
            name
        ]
        assert "sluicegate env" in found[name]["mend"]
    for name in ("pip", "npm"):
        assert name not in found or found[name]["level"] == "fail", found[name]


def test_none_is_started_where_that_is_not_wanted_or_would_go_direct(desk: Any) -> None:
    gate, doctor, set_up = desk
    before = gate.origin.connections
    for found in (doctor("--quick"), doctor(**{name: "" for name in set_up if name.lower() == "https_proxy"})):
        assert found["tools"]["level"] == "note" and not any("(tried)" in check["said"] for check in found.values())
    assert gate.origin.connections == before


def test_what_keeps_to_its_own_machine_is_not_asked_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(trying, "ask", lambda tool, url, environ: asked.append(tool.name) or "urn:sluicegate:x")
    monkeypatch.setattr("shutil.which", lambda name: "/bin/true")
    assert "go" not in {check.name for check in tried("https://localhost:9443", {})}
    assert "go" in {check.name for check in tried("https://chunks.test", {})} and "go" in asked
