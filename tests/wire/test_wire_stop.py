"""Stopping, both ways, and what else happens to a gateway that runs: it is never open in between."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time

import psutil
import pytest

from tests.origin import json_response
from tests.running import ROOT, Wire, listening
from tests.wire.starting import PATH, WAYS, ask


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
        assert (status == 200 and b"123-45-" not in body) or status >= 400
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
    with make(way, drain=100, alone=True) as running:
        idle = Wire(running.port)
        idle.connect("localhost", origin.port, token)
        idle.tls(running.gateway_ca, "localhost")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(running, origin, token)))
        asking.start()
        assert arrived.wait(60)
        running.process.send_signal(signal.SIGTERM)
        while listening(running.port):
            pass
        status, _, _ = idle.ask(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
        assert status == 503
        answer.set()
        asking.join(60)
        status, _, body = answers[0]
        assert status == 200 and b"123-45-" not in body and b'"id":1' in body
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
        while listening(running.console):
            assert time.monotonic() < deadline, "the console is still there"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.console), 60)


def test_a_console_that_dies_is_started_again(make):
    with make("up", with_console=True, alone=True) as running:
        (console,) = [one for one in psutil.Process(running.process.pid).children() if "console" in one.cmdline()]
        console.kill()
        running.wait_for("the console ended with status")
        running.wait_for("console on")
