"""The database: approvals, and the index of recordings. SQLite by default; PostgreSQL for several gateways."""

from sluicegate.database.engine import Database

__all__ = ["Database"]
