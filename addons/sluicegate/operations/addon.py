"""Operations in the pipeline: what is asked, read from the whole request."""

from __future__ import annotations

from mitmproxy import http

from sluicegate.exchange import Exchange
from sluicegate.operations.read import Reader
from sluicegate.operations.view import RequestView
from sluicegate.settings import Settings


class OperationsAddon:
    """Sets `exchange.operation`. What is not understood is of kind `unknown`, for the policy to refuse."""

    name = "operations"

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings)

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.service is None:
            raise RuntimeError("lockdown has not named the service")
        host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
        origin = f"{exchange.scheme}://{host}:{exchange.port}"
        exchange.operation = self._reader.read(view_of(flow.request), exchange.service, origin)


def view_of(request: http.Request) -> RequestView:
    """The request as plain values. Raises RuntimeError when the body is not there, which a streamed one is not."""
    if request.raw_content is None:
        raise RuntimeError("the request has no complete body")
    path, _, query = request.path.partition("?")
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in request.headers.fields:
        key = name.decode("latin-1").lower()
        headers[key] = (*headers.get(key, ()), value.decode("latin-1"))
    return RequestView(request.method, path, query, headers, request.raw_content)
