"""Of several gateways that share a database, one at a time sends to a sink: two would send what waits twice.

It is a lock of the connection that writes (PostgreSQL): who is killed has lost it, and another goes on. A SQLite
database has one gateway.
"""

from __future__ import annotations

import zlib

from sqlalchemy import Connection, text

_CLASS = 0x51CE
"""The locks of this room; the sink is the other half of each key."""
_DEAD_SECONDS = 30
"""After so long, a machine that is gone without a word no longer holds its locks."""
_HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = :room AND objid = :sink AND objsubid = 2"
)


def alone(connection: Connection, sink: str) -> bool:
    """Whether this gateway is the one that sends to the sink, from now on or still."""
    if connection.dialect.name != "postgresql":
        return True
    key = _key(sink)
    if connection.execute(_HELD, key).scalar():
        return True
    # What is taken twice would have to be let go twice.
    if not connection.execute(text("SELECT pg_try_advisory_lock(:room, :sink)"), key).scalar():
        return False
    connection.execute(text(f"SET tcp_keepalives_idle = {_DEAD_SECONDS}"))
    connection.execute(text("SET tcp_keepalives_interval = 10"))
    return True


def let_go(connection: Connection, sink: str) -> None:
    """Another may send; nothing where this gateway does not."""
    if connection.dialect.name == "postgresql" and connection.execute(_HELD, _key(sink)).scalar():
        connection.execute(text("SELECT pg_advisory_unlock(:room, :sink)"), _key(sink))


def _key(sink: str) -> dict[str, int]:
    return {"room": _CLASS, "sink": zlib.crc32(sink.encode()) >> 1}
