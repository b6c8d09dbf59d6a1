"""PostgreSQL: the same schema, one migration for many that start at once, and changes that are told at once."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from sluicegate.database import Database
from sluicegate.database.address import address
from sluicegate.database.notify import CHANNEL, notify
from sluicegate.database.tables import metadata
from sluicegate.errors import Fault
from tests.postgres import Postgres


async def test_the_migrated_schema_is_the_schema_of_the_tables(postgres: Postgres) -> None:
    url = postgres.new()
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    assert await databases[0].read(compare) == []
    for database in databases:
        await database.close()


async def test_what_another_process_changes_is_told_at_once(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new()
    here, there = Database(url), Database(url)
    await here.open()
    await there.open()
    woken, wake = [], here.changes._wake
    monkeypatch.setattr(here.changes, "_wake", lambda loop: woken.append(wake(loop)))
    async with asyncio.timeout(60):
        while not woken:
            await here.changes.wait()
    # What it was told when it had connected is taken, whether it came before the last look or behind it.
    await asyncio.sleep(0)
    assert here.changes._told is not None
    here.changes._told.clear()
    monkeypatch.setattr("sluicegate.database.notify.TOLD_SECONDS", 3600.0)  # it does not come to look by itself
    waiting = asyncio.create_task(here.changes.wait())
    await asyncio.sleep(0)
    await there.run(lambda connection: notify(connection))
    async with asyncio.timeout(60):
        await waiting
    await here.close()
    await there.close()


async def test_a_change_that_is_rolled_back_is_not_told(postgres: Postgres) -> None:
    url = postgres.new()
    database = Database(url)
    await database.open()

    def fails(connection: Connection) -> None:
        notify(connection)
        connection.execute(text("SELECT 1 / 0"))

    def last(connection: Connection) -> None:
        connection.execute(text("SELECT pg_notify(:channel, 'last')"), {"channel": CHANNEL})

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        with pytest.raises(Exception, match="division by zero"):
            await database.run(fails)
        await database.run(last)
        # They come in the order in which they were committed.
        assert next(listener.notifies(timeout=60)).payload == "last"
    await database.close()


async def test_one_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    database = Database.of(f"postgresql://gate@/x?host={tmp_path}", tmp_path / "unused")
    with pytest.raises(Fault) as caught:
        await database.open()
    assert "\n" not in str(caught.value) and "cannot be opened" in str(caught.value)
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://u:secret@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("${URL}", "postgresql+psycopg://env:***@h/d"),
        ("postgresql://u:${PASSWORD}@h/d", "postgresql+psycopg://u:***@h/d"),
    ],
)
def test_addresses(written: str, shown: str) -> None:
    environment = {"URL": "postgresql://env:x@h/d", "PASSWORD": "secret"}
    assert address(written, Path("f"), environment).render_as_string(hide_password=True) == shown


@pytest.mark.parametrize(
    "written", ["", "mysql://h/d", "sqlite:///x", "nonsense", "${UNSET}", "postgresql+asyncpg://h/d"]
)
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(Fault) as caught:
        address(written, Path("f"), {})
    assert "secret" not in str(caught.value)


def test_without_one_it_is_the_file() -> None:
    assert address(None, Path("/s/f"), {}).database == "/s/f"
