"""docs/services.md names every dialect, and says of each how it was checked."""

from __future__ import annotations

from pathlib import Path

from sluicegate.operations.built_in import DIALECTS
from tests.interop.checked import BEGIN, END, SEEN_BEGIN, SEEN_END, pairs, seconds, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "services.md"


def test_the_table_is_what_the_tests_say():
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == table(), "run: python -m tests.interop.checked docs/services.md"


def test_how_soon_a_refusal_is_seen_is_what_was_measured():
    shown = PAGE.read_text().partition(SEEN_BEGIN)[2].partition(SEEN_END)[0].strip()
    assert shown == seconds(), "run: python -m tests.interop.checked docs/services.md"


def test_tests_speak_of_dialects_that_exist():
    assert {dialect for dialect, _, _, _ in pairs()} <= set(DIALECTS)


def test_every_dialect_is_described():
    text = PAGE.read_text().partition(END)[2]
    assert not [name for name in DIALECTS if f"`{name}`" not in text]
