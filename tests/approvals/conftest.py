"""Each test of the approvals runs on SQLite, and on PostgreSQL where that is installed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from sluicegate.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The address of a database that nobody has used."""
    if request.param == "sqlite":
        return URL.create("sqlite", database=str(tmp_path / "sluicegate.sqlite3"))
    found: URL = request.getfixturevalue("postgres").new()
    return found


@pytest.fixture
def database_at(address: URL) -> Callable[[], Database]:
    """Makes another Database on the one that the test has."""
    return lambda: Database(address)
