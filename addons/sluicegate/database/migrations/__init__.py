"""Bringing a database to the tables of this version: Alembic revisions, run by the program when it opens one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from sluicegate.errors import Fault

# Alembic is loaded only when there is something to migrate: most starts find the tables as they should be.
if TYPE_CHECKING:
    from alembic.config import Config

_ADVISORY_LOCK = 0x51_1C_E6
_TABLE = "alembic_version"


def newest() -> str:
    """The revision that this version wants, by the names of the files: r0010_notices.py holds 0010_notices."""
    return max(file.stem for file in (Path(__file__).parent / "versions").glob("r[0-9]*.py")).removeprefix("r")


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision, inside the transaction given. Raises Fault when the database is newer than us."""
    if connection.dialect.name == "postgresql":
        # Two gateways may start at once. On SQLite the writer lock has seen to it.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    if _is_newest(connection):
        return
    from alembic import command

    config = _config()
    _refuse_newer(connection, config)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """Raises Fault unless the database is at the newest revision."""
    if not _is_newest(connection):
        _refuse_newer(connection, _config())
        raise Fault("The database has never been used by this version.", hint="Start the gateway once to migrate it.")


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table(_TABLE):
        return False
    return [*connection.scalars(text(f"SELECT version_num FROM {_TABLE}"))] == [newest()]  # noqa: S608


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sluicegate.database:migrations")
    return config


def _refuse_newer(connection: Connection, config: Config) -> None:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise Fault(
            f"The database is at revision {revision[:40]!r}, which this version does not know: it is newer.",
            hint="Use the Sluicegate that wrote it, or a newer one.",
        )
