"""Each test of the approvals runs on SQLite, and on PostgreSQL where that is installed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sluicegate.database import Database


@pytest.fixture
def database_at(tmp_path: Path) -> Callable[[], Database]:
    """Makes another Database on the one that the test has."""
    return lambda: Database.at(tmp_path / "sluicegate.sqlite3")
