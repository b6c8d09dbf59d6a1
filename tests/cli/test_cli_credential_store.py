"""The stored sign-in: for this user alone, whole or not there, and never shown."""

import os
import stat
from pathlib import Path

import pytest

from sluicegate.cli import credential_store
from sluicegate.cli.credential_store import Stored
from sluicegate.errors import Fault

SIGN_IN = Stored(handle="slg_secret", console="http://127.0.0.1:8090", gateway="127.0.0.1:8080", subject="ada")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def test_what_is_saved_is_loaded_and_forgotten(folder: Path) -> None:
    assert credential_store.load() is None
    assert not credential_store.forget()
    path = credential_store.save(SIGN_IN)
    assert path == folder / "session.json"
    assert credential_store.load() == SIGN_IN
    assert credential_store.forget()
    assert credential_store.load() is None


def test_only_the_user_can_read_it(folder: Path) -> None:
    os.umask(0)
    try:
        path = credential_store.save(SIGN_IN)
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path.chmod(0o640)
    with pytest.raises(Fault, match="read by others"):
        credential_store.load()


def test_saving_over_an_open_file_makes_it_private_again() -> None:
    credential_store.save(SIGN_IN).chmod(0o644)
    assert stat.S_IMODE(credential_store.save(SIGN_IN).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"handle": 1}', b"\xff\xfe", b"{" * 5000])
def test_a_file_that_says_something_else_is_a_fault(content: bytes) -> None:
    path = credential_store.save(SIGN_IN)
    path.write_bytes(content)
    with pytest.raises(Fault, match="cannot be understood"):
        credential_store.load()


def test_nothing_half_written_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credential_store.save(SIGN_IN)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Fault, match="No space left"):
        credential_store.save(Stored(handle="other", console="", gateway=""))
    assert [path.name for path in folder.iterdir()] == ["session.json"]
    assert credential_store.load() == SIGN_IN


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLUICEGATE_CONFIG", str(tmp_path / "file" / "below"))
    with pytest.raises(Fault, match="cannot be written"):
        credential_store.save(SIGN_IN)


def test_the_handle_is_not_shown() -> None:
    assert "secret" not in repr(SIGN_IN)
