"""Each test of the approvals runs on SQLite, and on PostgreSQL where that is installed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from sluicegate.database import Database
from tests.databases import put_tables
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def tables(postgres: Postgres) -> URL:
    """A database with the tables of this version: to copy it takes a tenth of migrating another."""
    address = postgres.new()

    async def make() -> None:
        database = Database(address)
        await database.open()
        await database.close()

    asyncio.run(make())
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The address of a database that has its tables, and that nobody has used."""
    if request.param == "sqlite":
        path = put_tables(tmp_path / "sluicegate.sqlite3")
        return URL.create("sqlite", database=str(path))
    found: URL = request.getfixturevalue("postgres").new(like=request.getfixturevalue("tables"))
    return found


@pytest.fixture
def database_at(address: URL) -> Callable[[], Database]:
    """Makes another Database on the one that the test has."""
    return lambda: Database(address)
