"""The gateway's own certificate authority: made at the first start, and looked at before anything listens."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mitmproxy import certs

from sluicegate.errors import Fault

NAME = "mitmproxy"
"""How mitmproxy calls the files in its confdir."""
KEY_BITS = 2048


def prepare(folder: Path) -> None:
    """Make the authority where there is none yet. Raises Fault, one line, where it cannot be made or read."""
    file = folder / f"{NAME}-ca.pem"
    there = file.exists()
    try:
        certs.CertStore.from_store(folder, NAME, KEY_BITS)
    except OSError as error:
        if not there:
            _clear(folder)  # half of an authority would stop the next start as well
        raise Fault(
            f"The gateway's own authority {file} cannot be {'read' if there else 'made'}: {error.strerror or error}.",
            hint="Nothing is let through without it.",
        ) from None
    except Exception:  # mitmproxy and its libraries raise many kinds for files that are something else
        raise Fault(
            f"The gateway's own authority {file} is not a certificate with its key.",
            hint="Restore it from a backup; with a new one, every client has to trust that anew.",
        ) from None


def _clear(folder: Path) -> None:
    for path in folder.glob(f"{NAME}-*"):
        with suppress(OSError):
            path.unlink()
