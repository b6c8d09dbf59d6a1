"""Starting and stopping, both ways: one clear line when it cannot, and never open in between."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests.origin import Origin, json_response
from tests.running import ROOT, Running, Wire, free_port

PATH = "/datasets/customers/chunks/1"
WAYS = ["up", "script"]


@pytest.fixture
def origin(certs):
    server = Origin(certs.service, lambda request: json_response(b'{"rows":[{"ssn":"123-45-6789"}]}'))
    yield server
    server.close()


@pytest.fixture
def make(provider, certs, origin, tmp_path):
    """A gateway that is not started yet."""

    def made(way="up", **changes):
        values = dict(folder=tmp_path, issuer=provider.issuer, ca=certs.ca, hosts=[f"localhost:{origin.port}"], way=way)
        return Running(**{**values, **changes})

    return made


def fails_to_start(running) -> str:
    """Runs until it ends; it must not have listened, and must say why in one line."""
    running.launch()
    status = running.process.wait(120)
    running._reader.join(60)
    said = [line for line in running.lines if line.startswith("sluicegate: ")]
    assert status in (1, 2) and said, (status, running.lines)
    assert not any("Traceback" in line for line in running.lines), "\n".join(running.lines)
    return "\n".join(running.lines)


def ask(running, origin, token, path=PATH):
    wire = Wire(running.port)
    assert b" 200 " in wire.connect("localhost", origin.port, token)
    wire.tls(running.gateway_ca, "localhost")
    answer = wire.ask(f"GET {path} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
    wire.close()
    return answer


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_with_errors_lists_them_all(make, way):
    running = make(
        way, more='[[rules]]\nid = "x"\neffect = "alow"\n[[masks]]\nid = "y"\ncolumn = ["a"]\nmethod = "null"\n'
    )
    said = fails_to_start(running)
    assert "did you mean `allow`?" in said and "did you mean `columns`?" in said and said.count(":line ") >= 2


@pytest.mark.parametrize("way", WAYS)
def test_no_policy(make, way):
    running = make(way)
    running.write_policy = lambda: running.folder / "nowhere.toml"
    assert "Cannot read the policy" in fails_to_start(running)


@pytest.mark.parametrize("way", WAYS)
def test_the_identity_provider_cannot_be_reached(make, way):
    assert "identity provider" in fails_to_start(make(way, issuer=f"http://127.0.0.1:{free_port()}")).lower()


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_that_is_not_set(make, way):
    assert "NO_SUCH_SECRET" in fails_to_start(
        make(
            way,
            more='[services.b]\nhosts = ["b.test"]\ndialect = "chunks"\n'
            'credential = { header = "X-Key", value = "${NO_SUCH_SECRET}" }\n',
        )
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_port_is_in_use(make, way):
    running = make(way)
    with socket.create_server(("127.0.0.1", running.port)):
        said = fails_to_start(running)
    assert f"Cannot listen on 127.0.0.1:{running.port}" in said and "in use" in said


@pytest.mark.parametrize("way", WAYS)
def test_a_state_folder_that_cannot_be_written(make, way, tmp_path):
    (tmp_path / "file").write_text("")
    running = make(way, environment={"SLUICEGATE_STATE": str(tmp_path / "file" / "state")})
    assert "cannot be written" in fails_to_start(running)


def on_a_disk(running, options: str):
    """The same gateway, with a small disk of its own where its state is kept."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a disk of its own needs root and unshare")
    running.state.mkdir()
    probe = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(running.state)])
    if probe.returncode != 0:
        pytest.skip("a mount namespace cannot be made here")
    command = running.command()
    mount = f'mount -t tmpfs -o {options} none "$0" && exec "$@"'
    running.command = lambda: ["unshare", "--mount", "sh", "-c", mount, str(running.state), *command]
    return running


@pytest.mark.parametrize("way", WAYS)
def test_a_state_folder_on_a_read_only_disk(make, way):
    assert "cannot be written: Read-only file system" in fails_to_start(on_a_disk(make(way), "ro"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", ["4k", "24k", "100k", "nr_inodes=6"])
def test_the_disk_is_full_at_the_start(make, way, size):
    options = size if "=" in size else f"size={size}"
    said = fails_to_start(on_a_disk(make(way), options))
    assert any(word in said for word in ("No space left", "disk is full", "disk full", "disk I/O")), said


@pytest.mark.parametrize("size", ["24k", "100k"])
def test_the_disk_is_full_at_the_start_of_workers(make, size):
    said = fails_to_start(on_a_disk(make(gateway="workers = 2"), f"size={size}"))
    assert any(word in said for word in ("No space left", "disk is full", "disk full", "disk I/O")), said


@pytest.mark.parametrize("way", WAYS)
def test_an_authority_of_our_own_that_is_no_certificate(make, way):
    running = make(way)
    (running.state / "ca").mkdir(parents=True)
    (running.state / "ca" / "mitmproxy-ca.pem").write_text("not a certificate")
    assert "mitmproxy-ca.pem" in fails_to_start(running)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE"])
def test_keys_are_not_written_to_a_file(make, way, name, tmp_path):
    assert name in fails_to_start(make(way, environment={name: str(tmp_path / "keys")}))


def test_where_requests_can_be_changed_by_hand_the_gate_does_not_run(make):
    running = make("script", options=("--no-web-open-browser", "--web-port", str(free_port())))
    command = running.command()
    running.command = lambda: [command[0].replace("mitmdump", "mitmweb"), *command[1:]]
    assert "does not run in mitmproxy or mitmweb" in fails_to_start(running)


def test_options_in_a_configuration_file_are_seen_as_well(make):
    running = make("script")
    (running.folder / ".mitmproxy").mkdir()
    (running.folder / ".mitmproxy" / "config.yaml").write_text('ignore_hosts: [".*"]\n')
    assert "ignore_hosts" in fails_to_start(running)


@pytest.mark.parametrize("way", WAYS)
def test_a_trusted_ca_that_is_missing(make, way, tmp_path):
    assert "missing.pem cannot be read" in fails_to_start(make(way, ca=tmp_path / "missing.pem"))


UNSAFE = [
    "ignore_hosts=.*", "allow_hosts=x", "tcp_hosts=.*", "udp_hosts=.*", "stream_large_bodies=1", "map_remote=|a|b",
    "map_local=|a|b", "modify_headers=/~q/a/b", "modify_body=/~s/a/b", "block_list=:a:404", "stickycookie=.*",
    "stickyauth=.*", "proxyauth=any", "save_stream_file=x.flows", "hardump=x.har", "mode=reverse:http://localhost:1",
    "mode=socks5", "mode=upstream:http://localhost:1", "flow_detail=3", "store_streamed_bodies=true", "proxy_debug=true",
    "server_replay=x", "upstream_auth=a:b",
]  # fmt: skip


@pytest.mark.parametrize("option", UNSAFE)
def test_options_that_open_a_way_round_end_the_start(make, option, tmp_path):
    running = make("script", options=("--set", option))
    running.launch()
    assert running.process.wait(120) != 0
    assert not any("is serving" in line for line in running.lines)


@pytest.mark.parametrize(
    "option",
    [
        "rawtcp=true",
        "connection_strategy=eager",
        "validate_inbound_headers=false",
        "ssl_insecure=true",
        "websocket=true",
    ],
)
def test_options_that_the_pipeline_needs_are_set_whatever_was_asked(make, origin, provider, option):
    with make("script", options=("--set", option)) as running:
        wire = Wire(running.port)
        wire.connect("localhost", origin.port, provider.token("ada"))
        wire.send(b"SSH-2.0-x\r\n")
        wire.socket.shutdown(1)
        wire.rest()
        assert origin.connections == 0
        assert ask(running, origin, provider.token("ada"))[0] == 200


@pytest.mark.parametrize("what", ["removed", "broken", "emptied"])
def test_the_script_is_removed_or_broken_while_it_runs(make, origin, provider, tmp_path, what):
    script = tmp_path / "gateway.py"
    shutil.copy(ROOT / "addons" / "gateway.py", script)
    running = make("script")
    command = running.command
    running.command = lambda: [str(script) if part.endswith("gateway.py") else part for part in command()]
    with running:
        assert ask(running, origin, provider.token("ada"))[0] == 200
        if what == "removed":
            script.unlink()
            running.wait_for("Removing script")
        else:
            script.write_text("def load(:\n" if what == "broken" else "")
            os.utime(script, (time.time() + 5, time.time() + 5))
            running.wait_for("Loading script")
            if what == "broken":
                running.wait_for("SyntaxError|error in script|invalid syntax")
        before = origin.connections
        head = Wire(running.port).connect("localhost", origin.port)
        assert b" 407 " in head.split(b"\r\n")[0]
        status, _, body = ask(running, origin, provider.token("ada"))
        assert (status == 200 and b"123-45" not in body) or status >= 400
        assert ask(running, origin, provider.token("mallory"))[0] == 403
        assert origin.connections <= before + 1


@pytest.mark.parametrize("way", WAYS)
def test_sigterm_lets_what_is_in_flight_end_and_refuses_the_rest(make, origin, provider, way):
    arrived, answer = threading.Event(), threading.Event()

    def respond(request):
        arrived.set()
        answer.wait(60)
        return json_response(b'{"rows":[{"id":1,"ssn":"123-45-6789"}]}')

    origin.respond = respond
    token = provider.token("ada")
    with make(way) as running:
        idle = Wire(running.port)
        idle.connect("localhost", origin.port, token)
        idle.tls(running.gateway_ca, "localhost")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(running, origin, token)))
        asking.start()
        assert arrived.wait(60)
        running.process.send_signal(signal.SIGTERM)
        while True:  # until it has stopped listening
            try:
                socket.create_connection(("127.0.0.1", running.port), 60).close()
            except (ConnectionError, TimeoutError):
                break
        status, _, _ = idle.ask(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
        assert status == 503
        answer.set()
        asking.join(60)
        status, _, body = answers[0]
        assert status == 200 and b"123-45" not in body and b'"id":1' in body
        assert running.process.wait(60) == 0


def test_killed_means_closed(make, origin, provider):
    with make("up") as running:
        running.process.kill()
        running.process.wait()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_console_ends_with_its_gateway(make, number):
    with make("up", with_console=True) as running:
        socket.create_connection(("127.0.0.1", running.console), 60).close()
        running.process.send_signal(number)
        running.process.wait(60)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", running.console), 60).close()
            except ConnectionRefusedError:
                return
            except (TimeoutError, ConnectionResetError):
                continue  # it is on its way out
        raise AssertionError("the console is still there")


def test_a_console_that_dies_is_started_again(make):
    with make("up", with_console=True) as running:
        children = subprocess.run(
            ["ps", "--ppid", str(running.process.pid), "-o", "pid="], capture_output=True, text=True
        ).stdout.split()
        os.kill(int(children[0]), signal.SIGKILL)
        running.wait_for("the console ended with status")
        running.wait_for("console on")
