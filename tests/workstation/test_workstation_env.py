"""`sluicegate env` and `sluicegate run`: what is set, that shells take it as it is meant, and that it holds no secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sluicegate.cli import credential_store
from sluicegate.cli.app import app
from sluicegate.cli.credential_store import Stored
from sluicegate.cli.workstation import shells, variables
from sluicegate.cli.workstation.settings import Place
from sluicegate.cli.workstation.trust import files
from sluicegate.errors import Fault
from sluicegate.pipeline import authority
from sluicegate.pipeline.constraints import Names

HANDLE = "slg_" + "h" * 49


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A workstation of somebody who is signed in; the authority governs `localhost` and `chunks.test`."""
    for name in (*variables.NAMES, "SLUICEGATE_TOKEN", "SLUICEGATE_GATEWAY", "SLUICEGATE_CONSOLE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "ca"
    folder.mkdir()
    authority.prepare(folder, Names(frozenset({"localhost", "chunks.test"})), {})
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(tmp_path / "a folder's"))
    monkeypatch.setenv("SLUICEGATE_CA", str(folder / "mitmproxy-ca-cert.pem"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.chdir(tmp_path)
    credential_store.save(Stored(handle=HANDLE, console="http://127.0.0.1:9", gateway="gate.test:8080", session="s"))
    return tmp_path


def run(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, Fault):
        return done.exception.exit_code, done.stdout, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def found(*arguments):
    status, out, _ = run("env", "--json", *arguments)
    assert status == 0
    return json.loads(out)


def test_every_variable_in_both_cases_and_a_file_behind_each(desk):
    names = found()
    assert set(names) == set(variables.NAMES)
    url = f"http://sluicegate:{HANDLE}@gate.test:8080"
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        assert names[name] == names[name.lower()] == url
    for name in variables.BUNDLES:
        bundle = Path(names[name]).read_bytes()
        assert len(x509.load_pem_x509_certificates(Path(names["NODE_EXTRA_CA_CERTS"]).read_bytes())) == 1
        assert bundle.count(b"BEGIN CERTIFICATE") > 20 and Path(names["NODE_EXTRA_CA_CERTS"]).read_bytes() in bundle
    assert f"ca_certificate = {files().bundle}" in Path(names["WGETRC"]).read_text()


def test_what_is_governed_does_not_go_past_the_gateway(desk):
    """`localhost` is governed here, so it is not in NO_PROXY, whatever other tools put there."""
    names = found("--no-proxy", " intranet.test,, 10.0.0.0/8 ")
    assert names["NO_PROXY"] == names["no_proxy"] == "127.0.0.1,::1,intranet.test,10.0.0.0/8"
    # To any list that is not empty Java adds `localhost` by itself.
    assert "-Dhttp.nonProxyHosts= " in names["JAVA_TOOL_OPTIONS"]
    past = ["localhost", "127.0.0.1", "::1", "intranet.test"]
    found_java = variables.variables(Place("gate.test", 1), "", files(), past, {})["JAVA_TOOL_OPTIONS"]
    assert '"-Dhttp.nonProxyHosts=localhost|127.0.0.1|[::1]|intranet.test"' in found_java


def test_javas_own_options_are_kept_and_ours_do_not_pile_up(desk, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1g '-Dx=a b'")
    first = found()["JAVA_TOOL_OPTIONS"]
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", first)
    assert found()["JAVA_TOOL_OPTIONS"] == first and first.startswith("-Xmx1g '-Dx=a b' ")


def test_java_reads_it_as_it_is_meant(desk, monkeypatch):
    if not shutil.which("java"):
        pytest.skip("java is not installed")
    done = subprocess.run(
        ["java", "-XshowSettings:properties", "-version"],
        env={**os.environ, **found()}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = {line.strip() for line in done.stderr.splitlines()}
    assert "http.nonProxyHosts =" in said and "https.proxyPort = 8080" in said
    assert f"javax.net.ssl.trustStore = {files().java}" in said


def test_the_handle_goes_to_its_own_gateway_alone(desk):
    assert HANDLE in found()["HTTPS_PROXY"]
    assert found("--gateway", "another.test:8080")["HTTPS_PROXY"] == "http://another.test:8080"
    status, _, said = run("env", "--gateway", "another.test:8080")
    assert status == 0 and "sluicegate login" in said
    assert "sluicegate agent" in run("env")[2]


@pytest.mark.parametrize(
    "text", ["gate.test", "gate.test:0", "socks5://gate.test:1", "http://u:p@gate.test:1", "a b:1", ""]
)
def test_what_is_no_gateway(desk, text):
    credential_store.forget()
    assert run("env", "--gateway", text)[0] == 2


def test_nothing_is_known_of_the_authority(desk, monkeypatch):
    monkeypatch.delenv("SLUICEGATE_CA")
    status, _, said = run("env")
    assert status == 2 and "--ca FILE" in said
    bad = desk / "bad.pem"
    for content in ("", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        bad.write_text(content)
        assert run("env", "--ca", str(bad))[0] == 2
    assert run("env", "--ca", str(desk / "nowhere"))[0] == 2


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_a_shell_takes_it_and_takes_it_back(desk, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    wanted = found()
    script = f"{run('env', '--shell', shell)[1]}\nenv -0\nprintf '\\0=====\\0'\n{run('env', '--shell', shell, '--unset')[1]}\nenv -0"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, timeout=60)
    before, after = done.stdout.split("=====")
    pairs = dict(line.split("=", 1) for line in before.split("\0") if "=" in line)
    assert {name: pairs.get(name) for name in wanted} == wanted, done.stderr
    assert not {line.split("=", 1)[0] for line in after.split("\0")} & set(wanted)


values = st.lists(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=12),
    min_size=20,
    max_size=20,
)


@pytest.mark.parametrize("shell", ["sh", "fish"])
@settings(max_examples=3)
@given(values)
def test_nothing_in_a_value_is_run(shell, words):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    words = [*words, "$(touch x)", "`id`", "'; id; '", "\\'", "a\nb", "\\", "$HOME", "!x", "%d"]
    wanted = {f"V{number}": word for number, word in enumerate(words)}
    done = subprocess.run([shell, "-c", shells.setting(shell, wanted) + "env -0"], capture_output=True, timeout=60)
    pairs = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
    assert {name: pairs[name] for name in wanted} == wanted


def test_powershell_doubles_every_kind_of_quote():
    assert shells.setting("powershell", {"A": "it's $x `y` \u2019"}) == "$env:A = 'it''s $x `y` \u2019\u2019'\n"
    assert shells.of(r"C:\Program Files\pwsh.exe") == "powershell" and shells.of("/usr/bin/fish") == "fish"


def test_a_command_runs_without_the_secret_and_ends_as_it_does(desk):
    code = "import os, sys, json; print(json.dumps(dict(os.environ)));sys.exit(7)"
    environment = {**os.environ, "SLUICEGATE_TOKEN": "a-token-of-mine"}
    command = [
        sys.executable,
        "-m",
        "sluicegate.cli",
        "run",
        "--gateway",
        "127.0.0.1:9",
        "--",
        sys.executable,
        "-c",
        code,
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    inside = json.loads(done.stdout)
    assert inside["https_proxy"].startswith("http://127.0.0.1:") and inside["SSL_CERT_FILE"] == str(files().bundle)
    assert "a-token-of-mine" not in done.stdout and HANDLE not in done.stdout
    assert "nobody is signed in" not in done.stderr
    # The sign-in that is stored is for another gateway. A tunnel that fails would be all that the command says.
    del environment["SLUICEGATE_TOKEN"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7 and "nobody is signed in: run `sluicegate login`" in done.stderr
    done = subprocess.run(
        [*command[:4], "--", "no-such-command"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "no command" in done.stderr


def test_the_environment_names_the_agent_that_runs(desk):
    command = [sys.executable, "-m", "sluicegate.cli", "agent", "--port", "0"]
    agent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = agent.stdout.readline()
        assert line.startswith("sluicegate: agent on 127.0.0.1:")
        names = found()
        assert HANDLE not in json.dumps(names) and names["HTTPS_PROXY"] == f"http://{line.split()[3].rstrip(',')}"
        assert found("--gateway", "another.test:1")["HTTPS_PROXY"] == "http://another.test:1"
    finally:
        agent.terminate()
        assert agent.wait(60) == 0
        agent.stdout.close()
    assert HANDLE in found()["HTTPS_PROXY"]


def test_addresses_of_gateways():
    assert Place.parse("https://Gate.test:443") == Place("gate.test", 443, True)
    assert Place.parse("[fd00::1]:8080").url == "http://[fd00::1]:8080"
