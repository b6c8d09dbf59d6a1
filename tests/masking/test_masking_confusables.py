"""The table of look-alikes against the library that it was made from (Unicode's confusables.txt, UTS 39)."""

from __future__ import annotations

import unicodedata

import pytest
from confusable_homoglyphs import confusables as library

from sluicegate.confusables import LOOK_ALIKES
from sluicegate.masking.names import normal


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def table() -> dict[int, str]:
    """Every letter, folded, that looks like one ASCII letter or digit: letters win over digits, `i` over `l`."""
    found: dict[int, str] = {}
    for text, others in sorted(library.confusables_data.items()):
        form = folded(text)
        if len(form) != 1 or form.isascii():
            continue
        alike = {other["c"].lower() for other in others if len(other["c"]) == 1 and other["c"].isascii()}
        alike = {c for c in alike if c.isalnum()}
        if alike:
            best = min(alike, key=lambda c: (c.isdigit(), c))
            found[ord(form)] = min(best, found.get(ord(form), best), key=lambda c: (c.isdigit(), c))
    return found


def test_the_table_is_what_unicode_says() -> None:
    assert table() == LOOK_ALIKES


@pytest.mark.parametrize("name", ["ѕѕn", "ѕsn", "SЅN", "ｓｓｎ", "s\u200bsn", "S\u00adSN", "𝐬𝐬𝐧", "ssո"])
def test_names_that_look_alike_are_one(name: str) -> None:
    assert normal(name) == "ssn"


def test_names_in_ascii_are_never_taken_for_others() -> None:
    assert len({normal("id1"), normal("idl"), normal("idi"), normal("ido"), normal("id0")}) == 5
