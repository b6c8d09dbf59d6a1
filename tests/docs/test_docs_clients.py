"""docs/clients.md has a row for every client that the tests know, and no other."""

from __future__ import annotations

from tests.clients.programs import PROGRAMS
from tests.clients.table import shown


def test_every_client_has_its_row():
    names = [program.name for program in PROGRAMS]
    rows = shown()
    assert set(rows) == set(names)
    never = ["nothing: it never asked us"] * 3
    for row in rows.values():
        assert len(row) == 6 and all(row)
        assert (row[2] == "past it" and row[3:] == never) or (
            row[2] == "through it" and row[3].startswith("arrives")
        ), row
    assert list(rows) == [name for name in names if name in rows]
