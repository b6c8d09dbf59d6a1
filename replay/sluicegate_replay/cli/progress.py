"""Progress of long work, on stderr and only where somebody looks."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Shown:
    """A bar that appears when work begins and goes away when it is done."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def start(self, what: str, total: int) -> None:
        """Something that takes `total` steps begins."""
        if not sys.stderr.isatty():
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(what, total=max(total, 1))
        self._bar.start()

    def step(self, count: int) -> None:
        """So many steps are done."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def stop(self) -> None:
        """It is done."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
