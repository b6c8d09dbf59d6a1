"""SQL in the words of many services: what a statement text asks, where its results come from, and how it may go out."""

from sluicegate.operations.later import Later, waiting
from sluicegate.operations.sql.reader import Asked, read_sql
from sluicegate.operations.sql.reading import Read
from sluicegate.operations.sql.worker import Worker

__all__ = ["Asked", "Later", "Read", "Worker", "read_sql", "waiting"]
