"""sluicegate witness: keeps the newest head of a gateway's ledger on another machine, and signs what continues it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.errors import Fault


def witness(
    state: Annotated[Path, typer.Option("--state", metavar="FOLDER", help="Where the key and the heads are kept.")],
    log: Annotated[list[str], typer.Option("--log", metavar="VKEY", help="A log's key; may be given again.")],
    name: Annotated[str, typer.Option(help="The name of the witness in its signatures.")] = "sluicegate/witness",
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where it listens.")] = "127.0.0.1:8087",
) -> None:
    """Run a witness (C2SP add-checkpoint). It belongs on a machine that the gateway's operator does not run.

    Example: sluicegate witness --state /var/lib/witness --log "$(cat recordings/log/*.vkey)" --listen 0.0.0.0:8087
    """
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from sluicegate.recording.ledger.keys import signing_key
    from sluicegate.recording.ledger.note import COSIGNATURE, NoteError, Signer, Verifier
    from sluicegate.recording.witness.core import MAX_BODY, Witness

    logs: dict[str, list[Verifier]] = {}
    try:
        for text in log:
            key = Verifier.parse(text)
            logs.setdefault(key.name, []).append(key)
    except NoteError as error:
        raise Fault(f"--log {text} is no key of a log: {error}.", hint="It stands in recordings/log/*.vkey.") from None
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise Fault("--listen must be HOST:PORT.")
    signer = Signer(name, signing_key(state, "witness.key"), COSIGNATURE)
    held = Witness(state, signer, logs)

    async def add(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                return Response("too large\n", 413)
        try:
            answer = await run_in_threadpool(held.add, body, time.time())
        except OSError as error:
            return Response(f"the head cannot be kept: {error.strerror}\n", 500)
        return Response(answer.text, answer.status, {"content-type": answer.type})

    print(f"sluicegate: witness on {listen}, witness_key = {signer.verifier.text()}", flush=True)
    app = Starlette(routes=[Route("/add-checkpoint", add, methods=["POST"])])
    uvicorn.run(app, host=host, port=int(port), log_level="warning", access_log=False)
