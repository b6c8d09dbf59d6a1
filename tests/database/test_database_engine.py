"""The database: the schema is what the tables say, a bad file is one clear line, and the event loop never waits."""

import asyncio
import multiprocessing
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from sluicegate.database import Database, migrations
from sluicegate.database.tables import approvals, decisions, exchanges, metadata
from sluicegate.errors import Fault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sluicegate.sqlite3"


@pytest_asyncio.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database.at(path, checkpoints=True)
    await database.open()
    yield database
    await database.close()


def exchange_row(number: int) -> dict[str, object]:
    return {
        "id": f"x{number}",
        "started": float(number),
        "groups": [],
        "client": "127.0.0.1",
        "method": "GET",
        "host": "h",
        "path": "/",
        "rules": [],
        "reasons": [],
    }


async def test_the_migrated_schema_is_the_schema_of_the_tables(database: Database) -> None:
    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    assert await database.read(compare) == []


async def test_what_the_comparison_does_not_see_is_there_too(database: Database) -> None:
    def names(connection: Connection) -> tuple[dict[str, str], list[object]]:
        inspector = inspect(connection)
        rows = connection.execute(text("select name, sql from sqlite_master where type = 'index' and sql != ''"))
        return {row.name: row.sql for row in rows}, [
            sorted(str(c["name"]) for c in inspector.get_unique_constraints(t.name)) for t in (approvals, decisions)
        ]

    indexes, unique = await database.read(names)
    assert "WHERE state = 'pending'" in indexes["uq_approvals_pending_fingerprint"]
    assert {"ix_exchanges_started", "ix_exchanges_session", "ix_exchanges_subject"} <= set(indexes)
    assert unique == [["uq_approvals_code"], ["uq_decisions_approval_id_subject"]]


def test_the_newest_file_is_the_head_of_the_revisions() -> None:
    """So that a start need not load Alembic to see that there is nothing to do."""
    assert ScriptDirectory.from_config(migrations._config()).get_heads() == [migrations.newest()]


async def test_opening_twice_migrates_once_and_loses_nothing(database: Database, path: Path) -> None:
    await database.run(lambda c: c.execute(insert(exchanges), exchange_row(1)).rowcount)
    again = Database.at(path)
    await again.open()
    assert await again.read(lambda c: c.scalar(select(exchanges.c.id))) == "x1"
    await again.close()


def _open_and_close(path: Path) -> None:
    async def both() -> None:
        database = Database.at(path)
        await database.open()
        await database.close()

    asyncio.run(both())


def test_processes_that_open_a_new_database_at_once_all_succeed(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_open_and_close, args=(path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]


async def test_files_are_for_this_user_alone(database: Database, path: Path) -> None:
    await database.run(lambda c: c.execute(insert(exchanges), exchange_row(1)).rowcount)
    files = sorted(path.parent.iterdir())
    assert [file.name.removeprefix(path.name) for file in files] == ["", "-shm", "-wal", ".lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_database_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(0o644)
    path.chmod(0o644)
    _open_and_close(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("checkpoints", [True, False])
async def test_settings_of_the_connections(path: Path, checkpoints: bool) -> None:
    database = Database.at(path, checkpoints=checkpoints)
    await database.open()

    def pragmas(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous", "wal_autocheckpoint", "query_only")
        return {name: connection.scalar(text(f"PRAGMA {name}")) for name in names}

    common = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000}
    pages = 1000 if checkpoints else 0
    index = {"synchronous": 1, "wal_autocheckpoint": pages, "query_only": 0}
    assert await database.run(pragmas) == common | index
    assert await database.run(pragmas, durable=True) == common | index | {"synchronous": 2}
    assert await database.run(pragmas) == common | index, "a durable commit must not slow the ones after it"
    reader = await database.read(pragmas)
    assert (reader["query_only"], reader["wal_autocheckpoint"]) == (1, 0)
    await database.close()


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(lambda c: c.execute(insert(exchanges), exchange_row(1)))


async def test_whatever_raises_rolls_back_all_of_it(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(exchanges), exchange_row(1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run(half)
    assert await database.read(lambda c: c.scalar(select(exchanges.c.id))) is None
    await database.run(lambda c: c.execute(insert(exchanges), exchange_row(2)).rowcount)


async def test_ddl_rolls_back_too(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE extra (id INTEGER)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run(half)
    assert "extra" not in await database.read(lambda c: inspect(c).get_table_names())


async def test_foreign_keys_hold(database: Database) -> None:
    row = {"approval_id": "none", "subject": "s", "name": "", "approve": True, "reason": "", "at": 0.0}
    with pytest.raises(IntegrityError):
        await database.run(lambda c: c.execute(insert(decisions), row))


async def test_errors_do_not_quote_what_people_asked_for(database: Database) -> None:
    row = exchange_row(1) | {"path": "/?token=hunter2"}
    with pytest.raises(IntegrityError) as caught:
        await database.run(lambda c: c.execute(insert(exchanges), [row, row]))
    assert "hunter2" not in str(caught.value)


async def test_the_event_loop_goes_on_while_the_database_works(database: Database) -> None:
    begun, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def slow(_connection: Connection) -> str:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(60)
        return threading.current_thread().name

    work = asyncio.create_task(database.run(slow))
    await begun.wait()
    assert await database.read(lambda c: c.scalar(text("SELECT 1"))) == 1, "readers do not wait for the writer"
    go_on.set()
    assert (await work).startswith("database-writer")


async def test_a_stuck_writer_elsewhere_is_an_error_and_not_a_hang(database: Database, path: Path) -> None:
    other = Database(f"sqlite:///{path}", busy_seconds=0.05)
    await other.open()
    begun, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def stuck(_connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(60)

    work = asyncio.create_task(database.run(stuck))
    await begun.wait()
    with pytest.raises(TimeoutError, match="locked"):
        await other.run(lambda c: c.execute(insert(exchanges), exchange_row(1)))
    go_on.set()
    await work
    await other.close()


async def test_not_open_and_closed_are_errors(path: Path) -> None:
    database = Database.at(path)
    with pytest.raises(RuntimeError, match="not open"):
        await database.run(lambda c: None)
    await database.open()
    await database.close()
    await database.close()
    with pytest.raises(RuntimeError, match="not open"):
        await database.read(lambda c: None)


def _fault(database: Database) -> str:
    with pytest.raises(Fault) as caught:
        asyncio.run(database.open())
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_folder(tmp_path: Path) -> None:
    assert "No such file or directory" in _fault(Database.at(tmp_path / "none" / "x.sqlite3"))


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    assert "Is a directory" in _fault(Database.at(path))


def test_not_a_database(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)
    assert "not a database" in _fault(Database.at(path))


def test_somebody_elses_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE approvals (id)")
    connection.close()
    assert "already exists" in _fault(Database.at(path))
    with sqlite3.connect(path) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("approvals",)]
    connection.close()


def test_locked_by_another_program(path: Path) -> None:
    _open_and_close(path)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    assert "database is locked" in _fault(Database(f"sqlite:///{path}", busy_seconds=0.05))
    other.close()


def test_newer_than_us(path: Path) -> None:
    _open_and_close(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "newer" in _fault(Database.at(path))
    assert "newer" in _fault(Database.at(path, read_only=True))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in _fault(Database.at(tmp_path / "x.sqlite3"))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "nonsense"])
def test_addresses_that_are_no_database(url: str) -> None:
    with pytest.raises(Fault):
        Database(url)


@pytest.mark.parametrize("url", ["postgresql+nosuchdriver://u:pw@h/db", "nosuch://u:pw@h/db"])
def test_a_driver_that_is_not_installed_is_one_line_without_the_password(url: str) -> None:
    assert "pw" not in _fault(Database(url))


def test_read_only_changes_nothing(path: Path) -> None:
    _open_and_close(path)
    before = path.read_bytes()

    async def use() -> None:
        await reader.open()
        assert await reader.read(lambda c: c.scalar(select(exchanges.c.id))) is None
        with pytest.raises(RuntimeError, match="reading only"):
            await reader.run(lambda c: None)
        await reader.close()

    reader = Database.at(path, read_only=True)
    asyncio.run(use())
    assert path.read_bytes() == before


def test_read_only_does_not_make_or_migrate(path: Path) -> None:
    assert "No such file" in _fault(Database.at(path, read_only=True))
    assert not path.exists()
    path.touch()
    assert "never been used" in _fault(Database.at(path, read_only=True))
    assert path.read_bytes() == b""


@pytest.mark.parametrize(("checkpoints", "left"), [(True, False), (False, True)])
def test_only_the_one_that_checkpoints_folds_the_log_back(path: Path, checkpoints: bool, left: bool) -> None:
    async def use() -> None:
        await database.open()
        await database.run(lambda c: c.execute(insert(exchanges), exchange_row(1)).rowcount)
        await database.close()

    database = Database.at(path, checkpoints=checkpoints)
    asyncio.run(use())
    log = path.with_name(path.name + "-wal")
    assert (log.exists() and log.stat().st_size > 0) is left
    with sqlite3.connect(path) as connection:
        assert connection.execute("select id from exchanges").fetchall() == [("x1",)]
    connection.close()
