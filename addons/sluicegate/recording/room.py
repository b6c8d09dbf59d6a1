"""Room on the disk: a warning when it runs short, and an end of recording (so of everything) before it is used up.

What is kept back is for the record itself: that there is a gap, and that the gateway stopped, still fits.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
_SHORT = 0.10
"""Below this part of the disk a warning is logged, once until there is more again."""


class Room:
    """Looks at the disk of a folder once a second. Used by one thread."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._due = 0.0
        self._warned = False
        self._full = False

    def check(self) -> None:
        """Raises OSError (ENOSPC) while less than the reserve is free."""
        now = time.monotonic()
        if self._reserve and now >= self._due:
            self._due = now + LOOK_SECONDS
            self._look()
        if self._full:
            raise OSError(errno.ENOSPC, "the disk is full but for its reserve")

    def _look(self) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        short = disk.f_bavail < disk.f_blocks * _SHORT
        if short and not self._warned:
            logger.warning("the disk of the recordings runs short: %d MiB are left", free >> 20)
        self._warned = short
        self._full = free < self._reserve
