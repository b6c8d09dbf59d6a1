"""Exposure as a stage: writes down what really left. It never changes the response, and never refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mitmproxy import http

from sluicegate.detection.exposure import LIMIT, read
from sluicegate.exchange import Exchange, Exposure
from sluicegate.settings import Settings

AT_ONCE = 128 << 10
"""Raw bytes up to which a body is read in the hook; larger and coded ones are read in a thread."""


class ExposureAddon:
    """Completes `exchange.exposure` where masking had nothing to do."""

    name = "exposure"

    def __init__(self, settings: Settings) -> None:
        self._limit = min(LIMIT, settings.gateway.max_body_bytes)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Names and counts of what was handed over; columns stay empty where they cannot be read."""
        if exchange.exposure is not None:
            return None
        response = flow.response
        content = response.raw_content if response is not None and not response.stream else None
        if response is None or not content or len(content) > self._limit:
            exchange.exposure = Exposure()
            return None
        coding, content_type = _said(response.headers.fields)
        if "json" in content_type.lower() and len(content) > (AT_ONCE >> 3 if coding else AT_ONCE):
            return self._later(exchange, content, coding, content_type)
        exchange.exposure = read(content, coding, content_type, self._limit)
        return None

    async def _later(self, exchange: Exchange, content: bytes, coding: str, content_type: str) -> None:
        exchange.exposure = await asyncio.to_thread(read, content, coding, content_type, self._limit)


def _said(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[str, str]:
    """Content-Encoding and Content-Type, all lines joined, in one pass: each look-up by name would be one."""
    coding, media = [], []
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-type":
            media.append(value)
        elif lower == b"content-encoding":
            coding.append(value)
    return b", ".join(coding).decode("latin-1"), b", ".join(media).decode("latin-1")
