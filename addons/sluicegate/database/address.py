"""The address of the database, from the policy: PostgreSQL for several gateways, else a file in the state folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sluicegate.errors import Fault

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def address(written: str | None, file: Path, environment: Mapping[str, str]) -> URL:
    """The URL. `${NAME}` in it stands for a variable, so that no password is in the policy. Raises Fault."""
    if written is None:
        return URL.create("sqlite", database=str(file))

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1], "")
        if not found:
            raise Fault(f"The database address needs the environment variable {match[1]}, which is not set.")
        return found

    try:
        url = make_url(_NAME.sub(value, written))
    except (ArgumentError, ValueError):
        raise _unusable() from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise _unusable()
    return url.set(drivername="postgresql+psycopg")


def _unusable() -> Fault:
    return Fault(
        "[gateway].database is not the address of a PostgreSQL database.",
        hint="Write it like postgresql://user@host/name, or ${DATABASE_URL}; leave it out for a file of SQLite.",
    )
