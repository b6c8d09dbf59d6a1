"""Names that look alike are one name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.masking.names import normal


@pytest.mark.parametrize(
    "name",
    [
        "ssn",
        "SSN",
        " ssn ",
        "ssn\n",
        "ｓｓｎ",
        "ＳＳＮ",
        "s\u200bsn",
        "s\u200d\u2060sn",
        "\ufeffssn",
        "ss\u00adn",
        "s\u202esn",
        "s\u034fsn",
        "ss\ufe0fn",
        "ss\uffa0n",
        "s\0sn",
        "ſſn",
        "ßn",
        "𝐬𝐬𝐧",
        "ssn[0]",
        "ssn[]",
        '"ssn[12][3]"',
        "staff[1].ssn[0]",
    ],
)
def test_disguises_of_one_name(name: str) -> None:
    assert normal(name) == "ssn"


@pytest.mark.parametrize("name", ["ss", "ssn2", "s s n", "s-sn", "", "[0]", "ssn[0].x", "ssn[x]"])
def test_other_names_stay_other(name: str) -> None:
    assert normal(name) != "ssn"


@given(st.text(max_size=300))
def test_normal_is_stable(name: str) -> None:
    assert normal(normal(name)) == normal(name)


def test_names_too_long_to_keep_are_compared_as_well() -> None:
    assert normal("S" + "\u200b" * 5000 + "sn") == "ssn"
