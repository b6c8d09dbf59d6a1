"""An end for talks with a server.

The timeout of a socket is one for each read: who answers a letter at a time would keep a thread, and a stop of the
gateway, for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

SECONDS = 15.0


@contextlib.contextmanager
def deadline(line: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Within it, the connection that `line` gives is cut off after SECONDS: what reads or writes then fails."""

    def cut() -> None:
        with contextlib.suppress(OSError, ValueError):
            if (one := line()) is not None:
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
