"""Operations in the pipeline: what is asked, read from the whole request."""

from __future__ import annotations

from mitmproxy import http

from sluicegate.exchange import OTHERS, Exchange
from sluicegate.operations.read import Reader
from sluicegate.operations.view import Lines, RequestView
from sluicegate.settings import Settings


class OperationsAddon:
    """Sets `exchange.operation`. What is not understood is of kind `unknown`, for the policy to refuse."""

    name = "operations"

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings)

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.service is None:
            raise RuntimeError("lockdown has not named the service")
        origin = _origin(exchange) if exchange.service == OTHERS else ""  # a service's own operations do not say it
        exchange.operation = self._reader.read(view_of(flow.request), exchange.service, origin)


def _origin(exchange: Exchange) -> str:
    host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
    return f"{exchange.scheme}://{host}:{exchange.port}"


def view_of(request: http.Request) -> RequestView:
    """The request as plain values. Raises RuntimeError when the body is not there, which a streamed one is not."""
    content = request.raw_content
    if content is None:
        raise RuntimeError("the request has no complete body")
    path, _, query = request.path.partition("?")
    return RequestView(request.method, path, query, Lines(request.headers.fields), content)
