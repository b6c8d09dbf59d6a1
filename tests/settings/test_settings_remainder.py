"""Every problem at once: what the model does not take, and what the rooms find in the rest of the same file."""

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sluicegate.pipeline.check import load_checked
from sluicegate.settings import PolicyFault, Settings
from sluicegate.settings.remainder import remainder

POLICY = Path(__file__).parents[2] / "policy.toml"
IDENTITY = '[identity]\nissuer = "http://127.0.0.1:1"\n'
SERVICE = '[services.x]\nhosts = ["a"]\ndialect = "chunkz"\n'


def found(tmp_path, text):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(PolicyFault) as fault:
        load_checked(file)
    return [f"{one.line} {one.where}" for one in fault.value.problems]


def test_an_unknown_key_hides_nothing(tmp_path):
    text = IDENTITY + SERVICE + '[[rules]]\nid = "r"\neffect = "deny"\nservice = ["zz"]\nkolumn = ["a"]\n'
    assert found(tmp_path, text) == ["5 services.x.dialect", "9 rules.0.service", "10 rules.0.kolumn"]


def test_a_table_that_is_missing_hides_nothing(tmp_path):
    assert found(tmp_path, SERVICE) == ["1 identity", "3 services.x.dialect"]


def test_rules_behind_one_that_is_taken_out_keep_their_numbers(tmp_path):
    text = IDENTITY + '[[rules]]\nid = "a"\neffect = "denyy"\n[[rules]]\nid = "b"\neffect = "deny"\nservice = ["zz"]\n'
    assert found(tmp_path, text) == ["5 rules.0.effect", "9 rules.1.service"]


def test_whoever_names_what_was_taken_out_is_not_blamed(tmp_path):
    text = (
        IDENTITY + '[services.w]\nhosts = 5\ndialect = "chunks"\n[datasets.e]\nservice = "w"\n'
        '[datasets.f]\nservice = "v"\n[[rules]]\nid = "b"\neffect = "deny"\nservice = ["w"]\ndataset = ["e"]\n'
    )
    assert found(tmp_path, text) == ["4 services.w.hosts", "9 datasets.f.service"]


def test_a_list_within_a_table_and_tables_within_tables(tmp_path):
    text = (
        '[identity]\nissuer = "http://127.0.0.1:1"\n[identity.token_exchange]\nclient_idd = "x"\n'
        '[services.x]\nhosts = ["a"]\ndialect = "chunks"\naddresses = [5]\n[datasets.d]\nservice = "y"\n'
    )
    places = found(tmp_path, text)
    assert "10 datasets.d.service" in places and any("token_exchange" in one for one in places)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.text(max_size=3), st.lists(st.integers(0, 1), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 1), max_size=2),
)  # fmt: skip


def paths(value, path=()):
    yield path
    each = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in each:
        yield from paths(inside, (*path, key))


PATHS = sorted(paths(tomllib.loads(POLICY.read_text())), key=repr)[1:]


@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=4))
def test_whatever_is_wrong_something_or_nothing_is_left(changes):
    document = tomllib.loads(POLICY.read_text())
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change has put something else there
            holder = document
            for part in path[:-1]:
                holder = holder[part]
            holder[path[-1]] = value
    try:
        Settings.model_validate(document)
    except ValidationError as error:
        left = remainder(document, error)
        assert left is None or (left.settings is not None and left.places)
