"""Starting, both ways: one clear line when it cannot, and never open in between."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from sluicegate.pipeline import script
from tests import forked
from tests.running import Running, Wire, free_port
from tests.wire.starting import WAYS, ask, fails_to_start


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_with_errors_lists_them_all(make, way):
    running = make(
        way,
        alone=True,
        more='[[rules]]\nid = "x"\neffect = "alow"\n[[masks]]\nid = "y"\ncolumn = ["a"]\nmethod = "null"\n',
    )
    said = fails_to_start(running)
    assert "did you mean `allow`?" in said and "did you mean `columns`?" in said and "policy.toml:line" not in said


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
    running = make(way, alone=True)
    with socket.create_server(("127.0.0.1", running.port)):
        said = fails_to_start(running)
    assert f"Cannot listen on 127.0.0.1:{running.port}: Address already in use. Choose another" in said
    assert way != "up" or said.count("\n") == 0, said


@pytest.mark.parametrize("way", WAYS)
def test_a_state_folder_that_cannot_be_written(make, way, tmp_path):
    (tmp_path / "file").write_text("")
    running = make(way, environment={"SLUICEGATE_STATE": str(tmp_path / "file" / "state")})
    assert "cannot be written" in fails_to_start(running)


@pytest.fixture
def on_a_disk():
    """Gives a gateway a small disk of its own, where its state is kept."""
    mounted = []

    def with_disk(running, options: str):
        if os.geteuid() != 0:
            pytest.skip("a disk of its own needs root")
        running.state.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(running.state)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"a disk cannot be made here: {done.stderr.strip()}")
        mounted.append(running.state)
        return running

    yield with_disk
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a worker may be on its way out


@pytest.mark.parametrize("way", WAYS)
def test_a_state_folder_on_a_read_only_disk(make, on_a_disk, way):
    assert "cannot be written: Read-only file system" in fails_to_start(on_a_disk(make(way), "ro"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", ["4k", "24k", "100k", "nr_inodes=6"])
def test_the_disk_is_full_at_the_start(make, on_a_disk, way, size):
    options = size if "=" in size else f"size={size}"
    said = fails_to_start(on_a_disk(make(way), options))
    assert any(word in said for word in ("No space left", "disk is full", "disk full", "disk I/O")), said


@pytest.mark.parametrize("size", ["24k", "100k"])
def test_the_disk_is_full_at_the_start_of_workers(make, on_a_disk, size):
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


@pytest.fixture(scope="module")
def started_with(provider, certs, tmp_path_factory):
    """The end of a start with each of the options, and nothing else that would keep it from starting."""
    folder = tmp_path_factory.mktemp("options")
    (folder / "b").mkdir()
    (folder / "x").touch()
    running = Running(folder=folder, issuer=provider.issuer, ca=certs.ca, hosts=["localhost:1"], way="script")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CHUNKS_TOKEN": "the-service-secret"}
    command = running.command()
    return {option: forked.run([*command, "--set", option], env=environment, cwd=folder) for option in UNSAFE}


@pytest.mark.parametrize("option", UNSAFE)
def test_options_that_open_a_way_round_end_the_start(started_with, option):
    done = started_with[option]
    status, said = done.returncode, done.stdout + done.stderr
    assert status == 2 and "sluicegate: Sluicegate does not run " in said, said
    assert option.partition("=")[0] in said and "is serving" not in said and "Traceback" not in said, said


def test_options_that_the_pipeline_needs_are_set_whatever_was_asked(make, origin, provider):
    asked = (
        "rawtcp=true",
        "connection_strategy=eager",
        "validate_inbound_headers=false",
        "ssl_insecure=true",
        "websocket=true",
    )
    with make("script", options=tuple(part for each in asked for part in ("--set", each))) as running:
        wire = Wire(running.port)
        wire.connect("localhost", origin.port, provider.token("ada"))
        wire.send(b"SSH-2.0-x\r\n")
        wire.socket.shutdown(1)
        wire.rest()
        assert origin.connections == 0
        assert ask(running, origin, provider.token("ada"))[0] == 200


def test_mitmdump_that_listens_elsewhere_than_the_policy_says_is_told(make):
    running = make("script", options=("--listen-host", "127.0.0.2"))
    with running:
        said = "\n".join(running.lines)
    assert f"mitmdump listens on 127.0.0.2:{running.port}, and the policy says 127.0.0.1:{running.port}" in said
    assert f"(add --listen-host 127.0.0.1 -p {running.port})" in said


@pytest.mark.parametrize(
    ("wanted", "listen", "same"),
    [
        ("*:8080", "127.0.0.1:8080", False),
        ("*:8080", "0.0.0.0:8080", True),
        ("*:8080", "[::]:8080", True),
        ("::1:8080", "[::1]:8080", True),
        ("127.0.0.1:8081", "127.0.0.1:8080", False),
    ],
)
def test_where_mitmdump_listens_is_held_against_the_policy(wanted, listen, same):
    assert script._as_the_policy_says(wanted, listen) is same
