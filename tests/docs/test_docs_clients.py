"""docs/clients.md has a row for every client that the tests know, and no other."""

from __future__ import annotations

from tests.clients.programs import PROGRAMS
from tests.clients.table import shown


def test_every_client_has_its_row():
    names = [program.name for program in PROGRAMS]
    rows = shown()
    assert set(rows) <= set(names) and len(rows) > 10
    assert all(row[2] in ("through it", "past it") and row[3] for row in rows.values())
    assert list(rows) == [name for name in names if name in rows]
