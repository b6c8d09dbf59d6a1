"""Events to a syslog server: RFC 5424 messages in the frames of RFC 5425, over TLS.

Syslog has no answer. So each batch is a connection of its own that is closed in order: the server's close_notify, which
it sends when it has read what came before ours (RFC 5425 section 4.4), is what counts as having taken the batch.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from sluicegate import __version__
from sluicegate.detection.out.deadline import deadline
from sluicegate.settings.model.findings_out import Syslog

SECONDS = 10.0
_FACILITY = 13
"""Log audit (RFC 5424 section 6.2.1)."""
_SEVERITY = {5: 2, 4: 3, 3: 4, 2: 5}
"""OCSF's severities in syslog's: critical, error, warning, notice."""
_NAME = frozenset(map(chr, range(33, 127)))


class ToSyslog:
    """A sink. `put` blocks, and is called on a thread."""

    most = 200

    def __init__(self, settings: Syslog) -> None:
        host, _, port = settings.address.rpartition(":")
        self._place = (host.strip("[]"), int(port))
        self._settings = settings

    def put(self, events: Sequence[dict[str, Any]]) -> int:
        """Send them all; how many there were. Raises OSError where it is not certain that they were read."""
        context = ssl.create_default_context(cafile=self._settings.trusted_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._settings.certificate is not None:
            context.load_cert_chain(self._settings.certificate, self._settings.key)
        host, _ = self._place
        with (
            socket.create_connection(self._place, timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as line,
            deadline(lambda: line),
        ):
            line.do_handshake()
            line.sendall(b"".join(map(frame, events)))
            line.unwrap()
        return len(events)


def frame(event: dict[str, Any]) -> bytes:
    """One event as a message with its length before it (RFC 5425 section 4.3)."""
    text = b"".join(_message(event))
    return b"%d %b" % (len(text), text)


def _message(event: dict[str, Any]) -> Iterator[bytes]:
    """RFC 5424 section 6. The text is JSON and begins with no byte order mark: MSG-ANY, as JSON wants it."""
    priority = _FACILITY * 8 + _SEVERITY.get(event["severity_id"], 5)
    at = datetime.fromtimestamp(event["time"] / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    kind = "".join(letter for letter in event["finding_info"]["title"] if letter in _NAME)[:32] or "-"
    host = "".join(letter for letter in socket.gethostname() if letter in _NAME)[:255] or "-"
    data = f'[origin software="sluicegate" swVersion="{__version__}"]'
    yield f"<{priority}>1 {at} {host} sluicegate - {kind} {data} ".encode()
    yield orjson.dumps(event)
