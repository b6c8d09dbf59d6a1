"""How the chunk service answers: JSON, in the content coding that the client likes best, and errors in one shape."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import brotli
import orjson
import zstandard
from starlette.requests import Request
from starlette.responses import Response

_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=1).compress(body),
    "br": lambda body: bytes(brotli.compress(body, quality=3)),
    "gzip": lambda body: gzip.compress(body, compresslevel=3, mtime=0),
}
_WORTH_IT = 200  # bytes; below, a coding makes the body no smaller


class Rejected(Exception):
    """The request cannot be answered; becomes an error body with this status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def answer(request: Request, value: Any, status: int = 200) -> Response:
    """The value as JSON, coded as the client's Accept-Encoding says."""
    body = orjson.dumps(value)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    coding = preferred(", ".join(request.headers.getlist("accept-encoding"))) if len(body) >= _WORTH_IT else None
    if coding:
        body = _ENCODERS[coding](body)
        headers["Content-Encoding"] = coding
    return Response(body, status, headers, "application/json")


def rejection(request: Request, error: Exception) -> Response:
    """The error body of a Rejected."""
    assert isinstance(error, Rejected)
    headers = {"WWW-Authenticate": 'Bearer realm="chunks"'} if error.status == 401 else {}
    response = answer(request, {"error": {"code": error.code, "message": str(error)}}, error.status)
    response.headers.update(headers)
    return response


def preferred(accept: str) -> str | None:
    """The coding with the highest weight in an Accept-Encoding value, None for identity (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, _, parameter = item.partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            weights[name.strip()] = float(value) if key.strip() == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0  # a weight that cannot be read asks for nothing
    rest = weights.get("*", 0.0)
    best = max(_ENCODERS, key=lambda name: weights.get(name, rest))
    weight = weights.get(best, rest)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None
