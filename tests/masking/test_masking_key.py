"""The masking key: made once, kept, and not believed when others could have had it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluicegate.errors import Fault
from sluicegate.masking import load_or_create
from sluicegate.settings import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state").open()


def test_the_key_is_made_once_for_this_user_alone(state: State) -> None:
    key = load_or_create(state)
    path = state.keys / "masking.key"
    assert len(key) == 32
    assert key == path.read_bytes() == load_or_create(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in state.keys.iterdir()] == ["masking.key"]


def test_two_states_have_two_keys(tmp_path: Path) -> None:
    assert load_or_create(State(tmp_path / "a").open()) != load_or_create(State(tmp_path / "b").open())


def test_gateways_that_start_together_get_one_key(state: State) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_or_create(state), range(32)))
    assert len(set(keys)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_refused(state: State, mode: int) -> None:
    load_or_create(state)
    (state.keys / "masking.key").chmod(mode)
    with pytest.raises(Fault, match="read by others"):
        load_or_create(state)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 100])
def test_a_key_of_another_length_is_refused_and_left_alone(state: State, content: bytes) -> None:
    path = state.keys / "masking.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Fault, match="32 bytes"):
        load_or_create(state)
    assert path.read_bytes() == content


def test_a_link_or_a_folder_in_its_place_is_refused(state: State, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.write_bytes(b"x" * 32)
    other.chmod(0o600)
    path = state.keys / "masking.key"
    path.symlink_to(other)
    with pytest.raises(Fault):
        load_or_create(state)
    path.unlink()
    path.mkdir()
    with pytest.raises(Fault):
        load_or_create(state)


def test_a_state_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="cannot be made"):
        load_or_create(State(tmp_path / "nowhere"))
