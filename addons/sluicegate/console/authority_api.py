"""The route by which workstations get the gateway's authority: certificates, which are no secret, and never a key.

GET  /authority.pem             what clients are to trust, as PEM                          (open)
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluicegate.errors import Refusal

PATH = "/authority.pem"


def route(certificates: Path | None) -> Route:
    """The route. `certificates`: the file of the gateway's state folder that holds them, and nothing else."""

    async def shown(_request: Request) -> Response:
        content = await asyncio.to_thread(_read, certificates)
        if b"PRIVATE" in content or b"CERTIFICATE" not in content:
            raise Refusal(404, "no-authority", "No authority", "The gateway has no authority to show yet.")
        return Response(content, media_type="application/x-pem-file")

    return Route(PATH, shown)


def _read(path: Path | None) -> bytes:
    try:
        return path.read_bytes() if path is not None else b""
    except OSError:
        return b""
