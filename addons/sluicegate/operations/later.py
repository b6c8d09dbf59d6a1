"""What has to be read elsewhere first, because it would keep the event loop. It loads nothing of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.operations.sql.reader import Asked

MAX_LONG = 4
"""How many long statements one request may have."""

_waits: ContextVar[bool] = ContextVar("waits", default=False)


class Later(Exception):
    """A text that has to be read in a worker first. Only raised inside `waiting`."""

    def __init__(self, asked: Asked) -> None:
        super().__init__("a long statement has to be read in a worker")
        self.asked = asked


@contextmanager
def waiting() -> Iterator[None]:
    """Whoever calls can wait: `read_sql` may raise Later."""
    token = _waits.set(True)
    try:
        yield
    finally:
        _waits.reset(token)


def may_wait() -> bool:
    """Whether whoever calls can."""
    return _waits.get()
