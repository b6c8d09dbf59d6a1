"""What is particular to SQLite: the file and its mode, the settings of a connection, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from sluicegate.errors import Fault

_PAGES_KIB = 512
"""Of pages that a connection keeps for itself. Left alone each takes 2 MB in hours; the system has them too."""


def prepare_file(path: Path, *, create: bool) -> None:
    """Make the file, for this user only; SQLite gives its companions (-wal, -shm) the same mode. Raises Fault."""
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    try:
        file = os.open(path, flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Fault(f"The database {path} is not a file.")
            if create and stat.S_IMODE(os.fstat(file).st_mode) != 0o600:
                os.fchmod(file, 0o600)
        finally:
            os.close(file)
    except OSError as error:
        raise Fault(
            f"The database {path} cannot be opened: {error.strerror}.",
            hint="Choose another state folder with --state FOLDER or SLUICEGATE_STATE.",
        ) from None


def settle(engine: Engine, *, writer: bool, checkpoints: bool, busy_seconds: float) -> None:
    """Have each new connection of the engine set up, and each transaction begun explicitly."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # Left to itself the driver begins transactions late, and not at all for reads and DDL.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            f"PRAGMA cache_size = -{_PAGES_KIB}"
        )  # negative: KiB (sqlite.org/pragma.html#pragma_cache_size)
        # The last connection to close would fold the log back, at a moment that no lock of ours covers.
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        if writer:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise OSError("its folder does not support write-ahead logging")
            connection.execute(f"PRAGMA wal_autocheckpoint = {1000 if checkpoints else 0}")
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA wal_autocheckpoint = 0")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A write that begins as a read can fail half way with "database is locked"; one that begins as a write waits.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def set_durability(connection: Connection, durable: bool) -> None:
    """Before a transaction begins: whether its commit waits for the disk (sqlite.org/pragma.html#pragma_synchronous).

    In WAL mode FULL also makes every earlier commit durable. NORMAL never corrupts; a power cut may lose the last ones.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")


def fold(connection: Connection) -> None:
    """Write the log back into the file and empty it. Outside of a transaction."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
