"""The agent that runs on this workstation, if one does: where it listens, told through a file of the user's own."""

from __future__ import annotations

import contextlib
import json
import os
import socket

from sluicegate.cli.truststore import write
from sluicegate.cli.workstation.settings import Place
from sluicegate.cli.workstation.trust import folder

_FILE = "agent.json"


def tell(listens: Place, gateway: Place, word: str) -> None:
    """Write down where the agent of this process listens. Raises OSError."""
    document = {"host": listens.host, "port": listens.port, "gateway": gateway.url, "word": word, "pid": os.getpid()}
    write(folder() / _FILE, json.dumps(document).encode(), 0o600)


def forget() -> None:
    """Remove what `tell` wrote, where it is still of this process."""
    path = folder() / _FILE
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads(path.read_bytes())["pid"] == os.getpid():
            path.unlink()


def found(gateway: Place) -> tuple[Place, str] | None:
    """Where an agent for this gateway listens, and its word (mostly empty); None where none answers."""
    try:
        document = json.loads((folder() / _FILE).read_bytes())
        place, word = Place(str(document["host"]), int(document["port"])), str(document["word"])
        if document["gateway"] != gateway.url or place.host != "127.0.0.1":
            return None
        socket.create_connection((place.host, place.port), 1).close()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return place, word
