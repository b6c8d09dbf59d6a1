"""The demo's chunk service: customers in chunks, over HTTPS, behind one shared bearer token.

It is made like many a real one: whoever holds CHUNKS_TOKEN may read any chunk, pick any column, filter, export to
anywhere and run scripts. Who the person behind a request is, it cannot know. That is the gate's work.

    CHUNKS_TOKEN=... python -m demo.chunk_service --state FOLDER --port 0 --port-file FILE
"""

from __future__ import annotations

import argparse
import os
import secrets
import sqlite3
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from demo import customers, requested, scripts
from demo.answers import Rejected, answer, rejection
from demo.certificates import certificates
from demo.exports import DestinationError, Sink
from demo.serving import serve
from demo.store import NoDataset, Store

MIN_TOKEN = 16
"""Characters that CHUNKS_TOKEN has at least."""


class ChunkService:
    """The endpoints. Each checks the whole request first, then does its work in a thread."""

    def __init__(self, store: Store, sink: Sink) -> None:
        self._store, self._sink = store, sink

    def routes(self) -> list[Route]:
        one = "/datasets/{dataset}"
        return [
            Route(one, self.describe, methods=["GET"]),
            Route(one, self.drop, methods=["DELETE"]),
            Route(one + "/chunks/{chunk}", self.chunk, methods=["GET"]),
            Route(one + "/query", self.query, methods=["POST"]),
            Route(one + "/exports", self.export, methods=["POST"]),
            Route("/scripts", self.script, methods=["POST"]),
        ]

    def describe(self, request: Request) -> Response:
        dataset = request.path_params["dataset"]
        rows = self._store.rows(dataset)
        described = {"dataset": dataset, "rows": rows, "chunks": customers.CHUNKS, "columns": customers.COLUMNS}
        return answer(request, described)

    def drop(self, request: Request) -> Response:
        self._store.drop(request.path_params["dataset"])
        return answer(request, {"dropped": request.path_params["dataset"]})

    def chunk(self, request: Request) -> Response:
        dataset, number = request.path_params["dataset"], requested.chunk_number(request.path_params["chunk"])
        columns = requested.query_columns(request)
        (rows,) = self._store.chunks(dataset, columns, [number])
        return answer(request, {"dataset": dataset, "chunk": number, "columns": columns, "rows": rows})

    async def query(self, request: Request) -> Response:
        body = await requested.members(request, optional=("columns", "filter", "limit"))
        columns, limit = requested.columns(body.get("columns")), requested.limit(body.get("limit"))
        condition = requested.condition(body.get("filter"))
        dataset = request.path_params["dataset"]
        rows = await run_in_threadpool(self._store.query, dataset, columns, condition, limit)
        return await run_in_threadpool(answer, request, {"dataset": dataset, "columns": columns, "rows": rows})

    async def export(self, request: Request) -> Response:
        body = await requested.members(request, required=("destination",), optional=("columns", "chunks"))
        destination = requested.text(body["destination"], "destination")
        columns, chunks = requested.columns(body.get("columns")), requested.chunks(body.get("chunks"))
        dataset = request.path_params["dataset"]

        def write() -> int:
            self._store.rows(dataset)  # a dataset that is gone leaves no empty object behind
            found = self._store.chunks(dataset, columns, chunks)
            return self._sink.write(destination, (row for chunk in found for row in chunk))

        try:
            rows = await run_in_threadpool(write)
        except DestinationError as error:
            raise Rejected(400, "bad-destination", f"{error}.") from None
        made = {"export": secrets.token_hex(8), "destination": destination, "rows": rows, "columns": columns}
        return answer(request, made, 201)

    async def script(self, request: Request) -> Response:
        body = await requested.members(request, required=("dataset", "code"))
        dataset, code = requested.text(body["dataset"], "dataset"), requested.text(body["code"], "code")
        try:
            output = await run_in_threadpool(scripts.run, self._store, dataset, code)
        except scripts.ScriptError as error:
            raise Rejected(400, "bad-script", f"The script did not run: {error}.") from None
        return await run_in_threadpool(answer, request, {"output": output})


class TokenNeeded:
    """Answers 401 to every request that does not carry the token, before it is looked at any further."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and secrets.compare_digest(given[0], self._expected):
            await self._app(scope, receive, send)
            return
        refused = rejection(Request(scope), Rejected(401, "no-token", "The service's token is needed."))
        await refused(scope, receive, send)


def application(store: Store, sink: Sink, token: str) -> Starlette:
    """The service as an ASGI application."""
    return Starlette(
        routes=ChunkService(store, sink).routes(),
        middleware=[Middleware(TokenNeeded, token=token)],
        exception_handlers={
            Rejected: rejection,
            NoDataset: lambda request, error: rejection(request, Rejected(404, "no-dataset", "No such dataset.")),
            sqlite3.Error: lambda request, error: rejection(request, Rejected(503, "busy", "Try again.")),
            HTTPException: _http_error,
        },
    )


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = rejection(request, Rejected(error.status_code, "no-route", error.detail))
    response.headers.update(error.headers or {})
    return response


def main() -> int:
    """Start the service; returns the exit code: 0 after SIGTERM, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m demo.chunk_service", description="The demo's chunk service.")
    parser.add_argument("--state", type=Path, required=True, help="folder for certificates, data and the export sink")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="written with the port once the service listens")
    options = parser.parse_args()
    token = os.environ.get("CHUNKS_TOKEN", "")
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        print(f"Set CHUNKS_TOKEN to the service's token, {MIN_TOKEN} characters or more.", file=sys.stderr)
        return 2
    state: Path = options.state
    try:
        files = certificates(state)
        customers.write(state / "customers.sqlite3")
        app = application(Store(state / "customers.sqlite3"), Sink(state), token)
        return serve(app, "chunk service", port=options.port, port_file=options.port_file, certificate=files.service)
    except (OSError, sqlite3.Error) as error:
        print(f"The chunk service cannot start: {error}.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
