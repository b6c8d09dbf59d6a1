"""Events to an address over HTTP, each by itself: a POST that is answered with 2xx is there, anything else is not.

Each carries the finding's id as its Idempotency-Key, so that a place that took one and whose answer was lost knows it
when it comes again. Redirects are not followed, and no proxy of the environment is used: that may be the gateway.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from sluicegate.detection.out.deadline import deadline
from sluicegate.settings.environment import filled
from sluicegate.settings.model.findings_out import Collector

SECONDS = 10.0


class ToCollector:
    """A sink. `put` blocks, and is called on a thread."""

    most = 1

    def __init__(self, settings: Collector, environment: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environment = environment

    def put(self, events: Sequence[dict[str, Any]]) -> int:
        """Send them in their order until one is not taken; how many were. Raises OSError where not even the first was,
        ValueError where a variable of the environment is not set."""
        where = urlsplit(self._settings.url)
        headers = {name: filled(value, self._environment) for name, value in self._settings.headers.items()}
        taken = 0
        with (
            contextlib.closing(self._line(where.scheme, where.hostname or "", where.port)) as line,
            deadline(lambda: line.sock),
        ):
            for event in events:
                try:
                    status = self._post(line, where.path or "/", where.query, headers, event)
                except (http.client.HTTPException, OSError) as error:
                    if not taken:
                        raise OSError(f"it cannot be reached ({type(error).__name__})") from None
                    break
                if not 200 <= status < 300:
                    if not taken:
                        raise OSError(f"it answered {status}")
                    break
                taken += 1
        return taken

    def _line(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SECONDS)
        context = ssl.create_default_context(cafile=self._settings.trusted_ca)
        return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)

    @staticmethod
    def _post(
        line: http.client.HTTPConnection, path: str, query: str, headers: Mapping[str, str], event: dict[str, Any]
    ) -> int:
        sent = {**headers, "Content-Type": "application/json", "Idempotency-Key": f'"{event["metadata"]["uid"]}"'}
        line.request("POST", f"{path}?{query}" if query else path, orjson.dumps(event), sent)
        answer = line.getresponse()
        answer.read(1 << 20)
        return answer.status
