"""SQL in the words of many services: what a statement text asks, where its results come from, and how it may go out."""

from sluicegate.operations.sql.reader import read_sql
from sluicegate.operations.sql.reading import Read

__all__ = ["Read", "read_sql"]
