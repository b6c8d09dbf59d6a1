"""Exchanges as they pass: a stream of server-sent events for browsers with JavaScript, rows for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sluicegate.console.pages.site import Site
from sluicegate.console.past import Past
from sluicegate.errors import Refusal

NEWEST = 100
LOOK_SECONDS = 1.0
STREAM_SECONDS = 15.0
"""How long one stream lasts. The browser comes again by itself, and is then asked anew who it is and what it may."""
MOST_STREAMS = 24


class Live:
    """One look a second at the index for each stream; a stream says something only when something is new."""

    def __init__(self, site: Site, past: Past, closing: asyncio.Event) -> None:
        """`closing` ends the streams, which would otherwise keep the console from ending."""
        self._site = site
        self._past = past
        self._closing = closing
        self._streams = 0

    def routes(self) -> list[Route]:
        route = self._site.route
        return [
            route("/live", self.live, "operator", "auditor"),
            route("/live/rows", self.rows, "operator", "auditor"),
            route("/live/stream", self.stream, "operator", "auditor"),
        ]

    async def live(self, request: Request) -> Response:
        return self._site.render(request, "live.html", exchanges=await self._past.latest(NEWEST))

    async def rows(self, request: Request) -> Response:
        """What changes, for browsers that get no stream."""
        return self._site.render(request, "exchange_rows.html", exchanges=await self._past.latest(NEWEST))

    async def stream(self, request: Request) -> Response:
        """The rows each time that they change (WHATWG HTML section 9.2). Refuses when too many look on."""
        if self._streams >= MOST_STREAMS:
            raise Refusal(503, "too-many-streams", "Too many look on", "The page looks for itself from time to time.")
        return StreamingResponse(self._passing(request), media_type="text/event-stream")

    async def _passing(self, request: Request) -> AsyncIterator[str]:
        self._streams += 1
        try:
            said = None
            yield "retry: 1000\n\n"
            for _ in range(round(STREAM_SECONDS / LOOK_SECONDS)):
                if self._closing.is_set():
                    return
                text = bytes((await self.rows(request)).body).decode()
                if text != said:
                    said = text
                    yield "".join(f"data: {line}\n" for line in text.split("\n")) + "\n"
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), LOOK_SECONDS)
        finally:
            self._streams -= 1
