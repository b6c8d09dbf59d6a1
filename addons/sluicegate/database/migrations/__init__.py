"""Bringing a database to the tables of this version: Alembic revisions, run by the program when it opens one."""

from __future__ import annotations

import logging

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from sluicegate.errors import Fault

_ADVISORY_LOCK = 0x51_1C_E6


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision, inside the transaction given. Raises Fault when the database is newer than us."""
    if connection.dialect.name == "postgresql":
        # Two gateways may start at once. On SQLite the writer lock has seen to it.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    config = _config()
    if _revision(connection, config) == ScriptDirectory.from_config(config).get_current_head():
        return
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """Raises Fault unless the database is at the newest revision."""
    config = _config()
    if _revision(connection, config) != ScriptDirectory.from_config(config).get_current_head():
        raise Fault("The database has never been used by this version.", hint="Start the gateway once to migrate it.")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "sluicegate.database:migrations")
    return config


def _revision(connection: Connection, config: Config) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise Fault(
            f"The database is at revision {revision[:40]!r}, which this version does not know: it is newer.",
            hint="Use the Sluicegate that wrote it, or a newer one.",
        )
    return revision
