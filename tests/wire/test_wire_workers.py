"""Several workers: one port, one record, all of a client at one of them, and nothing passes while the record is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading

import psutil
import pytest

from sluicegate.recording.flow_reader import read_all
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.verify import verify
from sluicegate.recording.verify.keys import folder_keys
from tests.origin import Origin, json_response
from tests.running import BIN, Running, Wire, listening

PATH = "/datasets/customers/chunks/1"
CLIENTS = [f"127.0.1.{number}" for number in range(1, 13)]
"""Workstations; with so many, all at one worker would be a wonder."""


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service, lambda request: json_response(b'{"rows":[{"id":1,"ssn":"123-45-6789"}]}'))
    yield server
    server.close()


@pytest.fixture
def make(provider, certs, origin, tmp_path):
    """A gateway of two workers that is not started yet."""

    def made(**changes):
        values = dict(folder=tmp_path, issuer=provider.issuer, ca=certs.ca, hosts=[f"localhost:{origin.port}"])
        return Running(**{**values, "gateway": "workers = 2", **changes})

    return made


def workers(running) -> list[psutil.Process]:
    """The worker processes, the first one first."""
    found = [
        one for one in psutil.Process(running.process.pid).children() if "sluicegate.pipeline.worker" in one.cmdline()
    ]
    return sorted(found, key=lambda one: one.cmdline()[one.cmdline().index("--index") + 1])


def connect(running, origin, token, client="127.0.0.1") -> Wire:
    wire = Wire(running.port)
    wire.socket.close()
    wire.socket = socket.create_connection(("127.0.0.1", running.port), 60, source_address=(client, 0))
    assert b" 200 " in wire.connect("localhost", origin.port, token)
    return wire.tls(running.gateway_ca, "localhost")


def get(wire, origin, path=PATH):
    return wire.ask(f"GET {path} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())


def serving(running, wire) -> int:
    """The process at the other end of a connection."""
    port = wire.socket.getsockname()[1]
    for one in workers(running):
        if any(each.raddr and each.raddr.port == port for each in one.net_connections()):
            return one.pid
    raise AssertionError("nobody serves it")


def test_clients_are_spread_and_each_stays_at_its_worker_and_all_is_one_record(make, origin, provider):
    token = provider.token("ada")
    with make(alone=True) as running:
        at: dict[str, set[int]] = {}
        for client in CLIENTS:
            for _ in range(2):
                wire = connect(running, origin, token, client)
                status, _, body = get(wire, origin)
                assert (status, json.loads(body)) == (200, {"rows": [{"id": 1, "ssn": "****6789"}]})
                at.setdefault(client, set()).add(serving(running, wire))
                wire.close()
        assert all(len(pids) == 1 for pids in at.values()), at
        assert len(set().union(*at.values())) == 2
        assert running.stop() == 0, running.lines
    folder = running.state / "recordings"
    flows = [item for item in read_all(folder) if isinstance(item, Recorded)]
    assert len([item for item in flows if item.text("path")]) >= 2 * len(CLIENTS)
    report = verify(folder, folder_keys(folder))
    assert report.findings == [], report.findings
    assert report.counts["gateway.start"] == report.counts["gateway.stop"] == 1
    listed = subprocess.run(
        [BIN / "sluicegate-replay", "list", "--json", "--from", str(folder)], capture_output=True, text=True, check=True
    )
    assert len([line for line in listed.stdout.splitlines() if '"url"' in line and PATH in line]) == 2 * len(CLIENTS)
    assert "sluicegate: gateway on" in "\n".join(running.lines) and "2 workers" in "\n".join(running.lines)


def test_a_worker_that_is_killed_is_started_again_on_its_socket_and_the_other_goes_on(make, origin, provider):
    token = provider.token("ada")
    with make() as running:
        wires = {}
        for client in CLIENTS:
            wire = connect(running, origin, token, client)
            wires.setdefault(serving(running, wire), (client, wire))
        first, second = (one.pid for one in workers(running))
        client, broken = wires[first]
        os.kill(first, signal.SIGKILL)
        assert broken.rest() == b""
        assert get(wires[second][1], origin)[0] == 200
        running.wait_for("worker 1 ended")
        again = connect(running, origin, token, client)  # waits in the socket's queue until the new one is there
        assert get(again, origin)[0] == 200
        assert serving(running, again) not in (first, second)
        assert running.stop() == 0
    folder = running.state / "recordings"
    assert verify(folder, folder_keys(folder)).findings == []


def test_without_the_one_that_records_nothing_passes_and_the_workers_end(make, origin, provider):
    token = provider.token("ada")
    with make() as running:
        wire = connect(running, origin, token)
        assert get(wire, origin)[0] == 200
        left, before = workers(running), len(origin.received)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        gone, alive = psutil.wait_procs(left, 60)
        assert not alive and len(gone) == 2
        with pytest.raises(OSError):
            connect(running, origin, token)
        assert len(origin.received) == before


def test_what_is_in_flight_ends_and_nobody_new_comes_in_when_it_is_told_to_end(make, origin, provider):
    token = provider.token("ada")
    came, go_on = threading.Event(), threading.Event()

    def slowly(request):
        came.set()
        go_on.wait(60)
        return json_response(b'{"rows":[{"id":2,"ssn":"123-45-6789"}]}')

    before, origin.respond = origin.respond, slowly
    try:
        with make(drain=100) as running:
            wire = connect(running, origin, token)
            answers = []
            thread = threading.Thread(target=lambda: answers.append(get(wire, origin)))
            thread.start()
            assert came.wait(60)
            running.process.send_signal(signal.SIGTERM)
            while listening(running.port):
                pass
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", running.port), 60)
            go_on.set()
            thread.join(60)
            assert answers[0][0] == 200 and b"****6789" in answers[0][2]
            assert running.process.wait(60) == 0
    finally:
        origin.respond = before


def test_a_port_in_use_is_one_line_although_workers_share_ports(make):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = make(port=taken.getsockname()[1]).launch()
        assert running.process.wait(120) == 2
        running._reader.join(60)
    assert len([line for line in running.lines if "Cannot listen on" in line]) == 1, running.lines
    assert not any("Traceback" in line for line in running.lines)


def test_workers_that_cannot_start_are_said_and_end_it(make):
    running = make(gateway="workers = 2", environment={"SLUICEGATE_CA_PASSPHRASE_FILE": "/nowhere"}).launch()
    assert running.process.wait(120) == 2
    running._reader.join(60)
    assert any("/nowhere" in line for line in running.lines), running.lines
    assert not any("Traceback" in line for line in running.lines), running.lines
