"""The harness itself: what is installed is pinned and found again, and a server that does not come up is a failure."""

from __future__ import annotations

import sys

import pytest

from tests.interop import environments
from tests.interop.environments import Environment
from tests.interop.serving import Server
from tests.running import free_port


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "kept")


def installing(monkeypatch, *, fails=False):
    """Runs in place of the installer."""
    ran = []

    def run(command):
        ran.append(command)
        assert not fails
        folder = next(part for part in command if "/kept/" in part)
        if not folder.endswith("python"):
            environments.Path(folder).mkdir(exist_ok=True, parents=True)

    monkeypatch.setattr(environments, "_run", run)
    return ran


def test_an_environment_is_made_once_and_found_again(monkeypatch):
    ran = installing(monkeypatch)
    first = Environment("one", ("a==1", "b==2")).make()
    count = len(ran)
    assert first.ready and count
    assert Environment("one", ("a==1", "b==2")).make().folder == first.folder and len(ran) == count
    other = Environment("one", ("a==1", "b==3")).make()
    assert other.folder != first.folder and len(ran) == 2 * count


def test_one_that_was_interrupted_is_made_anew(monkeypatch):
    environment = Environment("one", ("a==1",))
    installing(monkeypatch, fails=True)
    with pytest.raises(AssertionError):
        environment.make()
    assert not environment.ready
    environment.folder.mkdir(parents=True, exist_ok=True)
    (environment.folder / "half").touch()
    installing(monkeypatch)
    assert environment.make().ready and not (environment.folder / "half").exists()


@pytest.mark.parametrize("package", ["datasette", "datasette>=0.65", "@databricks/sql"])
def test_what_is_not_pinned_is_not_installed(package):
    with pytest.raises(AssertionError, match="not pinned"):
        Environment("one", ("a==1", package)).make()


def test_a_server_that_ends_is_a_failure_with_its_words(tmp_path):
    with (
        pytest.raises(AssertionError, match="no such table"),
        Server([sys.executable, "-c", "raise SystemExit('no such table')"], free_port(), tmp_path),
    ):
        pass


def test_a_server_that_listens_is_ready_and_ends_with_the_test(tmp_path):
    code = "import socket,sys;s=socket.create_server(('127.0.0.1',int(sys.argv[1])));s.accept();sys.stdin.read();s.accept()"
    port = free_port()
    with Server([sys.executable, "-c", code, str(port)], port, tmp_path) as server:
        assert server.process.poll() is None
    assert server.process.returncode is not None
