"""Recording in the pipeline: the intent is on the disk before a request goes out, the outcome before an answer does."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import uuid
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from weakref import WeakSet

from mitmproxy import http, tls
from mitmproxy.proxy import mode_specs

from sluicegate.clock import Clock
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Original
from sluicegate.recording import intents
from sluicegate.recording.flow_untouched import passed_untouched
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.journal import Place, RecorderDown
from sluicegate.recording.ledger.entry import about
from sluicegate.recording.ledger.keys import Pseudonyms
from sluicegate.recording.never import Never
from sluicegate.recording.recorder import Records
from sluicegate.recording.redact import Redactor
from sluicegate.recording.sealing.keys import Made
from sluicegate.recording.sealing.recipients import Recipients
from sluicegate.recording.sealing.sealer import Sealer
from sluicegate.recording.segment import FileKind
from sluicegate.settings import State
from sluicegate.settings.model import Recording

_LARGE = 1 << 20
"""Bodies from this size on are hashed on another thread."""


class RecordingAddon:
    """Writes one intent for each exchange that goes out, and one outcome for each that ends, refused ones included."""

    name = "recording"
    sees_refusals = True

    def __init__(self, settings: Recording, state: State, clock: Clock, records: Records) -> None:
        self._clock = clock
        self._state = state
        self._settings = settings
        self._never = Never(settings.never)
        self._redact = Redactor(settings.secret_query)
        self._run = uuid.uuid4().hex
        self._writer = FlowWriter(self._redact, self._run)
        self._sealer: Sealer | None = None
        self._who: Callable[[str, str], str] = _unnamed
        self._records = records
        self._intended: WeakSet[http.HTTPFlow] = WeakSet()
        self._ended: WeakSet[http.HTTPFlow] = WeakSet()

    async def open(self) -> None:
        """Have the recorder ready. Raises Fault when the disk does not take what it writes."""
        await self._records.open()
        self._who = Pseudonyms(self._state.keys).of
        if self._settings.recipients:
            recipients = Recipients(self._settings.recipients)
            self._sealer = Sealer(self._state.recordings, recipients, self._who, self._key_made)
            self._records.forget = self._forget

    async def close(self) -> None:
        """Put everything that waits on the disk."""
        await self._records.close()

    def http_connect(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """A CONNECT reaches no other hook, so what ends with it is recorded here: refusals, and tunnels."""
        tunnelled = exchange.verdict is not None and exchange.principal is not None
        return self._outcome(flow, exchange) if exchange.refusal is not None or tunnelled else None

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Keep the intent. What is refused goes nowhere and needs none."""
        return self._intent(flow, exchange) if exchange.refusal is None else None

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Keep that a response begins to leave, before its first byte does. Its outcome follows at its end."""
        if exchange.refusal is not None or exchange.stream is None or exchange.whole:
            return None
        return self._begins(exchange)

    async def _begins(self, exchange: Exchange) -> None:
        await self._append(None, b"", "delivery", self._said(exchange))

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Keep the outcome."""
        return self._outcome(flow, exchange)

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Keep a message of a WebSocket before it moves, or that it did not."""
        return self._outcome(flow, exchange)

    def socket_end(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None]:
        """Keep how a WebSocket ended."""
        return self._socket_end(flow, exchange)

    async def _socket_end(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        moved = exchange.moved
        said = {"messages": moved.messages, "code": moved.code, "by": moved.by}
        await self._append(None, b"", "socket-end", {**self._said(exchange), **said})
        if not self._never.covers(exchange.host, exchange.target):
            await self._whole_socket(flow, exchange)

    async def _whole_socket(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """What it added up to, as an exchange of its own: detection learned from it, and learns it anew out of this."""
        ended = http.HTTPFlow(flow.client_conn, flow.server_conn)
        ended.request, ended.response = flow.request, flow.response
        whole = dataclasses.replace(exchange, id=ended.id, opened=exchange, original=None)
        moved = exchange.moved
        summary = self._writer.summary(ended, whole, self._clock.now(), intent=False)
        summary |= {"sealed": False, "ended": (moved.messages, moved.received, moved.sent, moved.code, moved.by)}
        record = self._writer.encode(ended, whole, summary)
        said = {**self._said(whole), "status": summary["status"], "refusal": summary["refusal"]}
        await self._kept(self._records.outcome(record, said, summary))

    def error(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Keep the outcome of an exchange that broke: the service failed, or the client went away."""
        return self._outcome(flow, exchange)

    def tls_clienthello(self, data: tls.ClientHelloData) -> Awaitable[None] | None:
        """Keep what lets TLS pass untouched where no CONNECT was sent; after this hook nothing of it is seen."""
        transparent = isinstance(data.context.client.proxy_mode, mode_specs.TransparentMode)
        if not data.ignore_connection or not transparent:
            return None
        return self._outcome(*passed_untouched(data, self._clock.now()))

    async def _intent(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if self._never.covers(exchange.host, exchange.target):
            await self._append(None, b"", "intent", {**self._said(exchange), "unrecorded": True})
            self._intended.add(flow)
            return
        body = self._writer.request_body(flow) or b""
        digest = hashlib.sha256(body) if len(body) < _LARGE else await asyncio.to_thread(hashlib.sha256, body)
        salt = os.urandom(16).hex()
        line = intents.encode(exchange, self._redact, self._clock.now(), self._run, digest.hexdigest(), salt)
        await self._append("intents", line, "intent", self._said(exchange))
        self._intended.add(flow)

    def _outcome(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        if flow in self._ended:
            return None  # the client went away after its answer was recorded
        if self._never.covers(exchange.host, exchange.target):
            self._ended.add(flow)
            return self._passed(flow, exchange)
        self._ask_for_seal(flow, exchange)
        summary = self._writer.summary(flow, exchange, self._clock.now(), intent=flow in self._intended)
        summary["sealed"] = exchange.original is not None and exchange.refusal is None and self._sealer is not None
        record = self._writer.encode(flow, exchange, summary)
        self._ended.add(flow)
        said = {**self._said(exchange), "status": summary["status"], "refusal": summary["refusal"]}
        return self._keep(flow, exchange, record, summary, said)

    def _ask_for_seal(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Where a rule wants it and no mask changed the answer, the original is what the client is about to get."""
        if exchange.verdict is None or not exchange.verdict.seal or exchange.refusal is not None:
            return
        response, message = flow.response, exchange.message
        if message is not None:
            if exchange.original is None:
                if self._sealer is None:
                    raise _unsealed()
                exchange.original = Original(message.content)
            return
        if response is None or flow.error is not None or exchange.original is not None:
            return
        body = response.raw_content
        if body is None or self._sealer is None:  # it passes piece by piece, or recipients came with a new policy
            raise _unsealed()
        if body:
            said = response.headers
            exchange.original = Original(body, said.get("content-type", ""), said.get("content-encoding", ""))

    async def _passed(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """The outcome of what is never recorded: its entry alone."""
        exchange.original = None
        status = flow.response.status_code if flow.response else None
        refusal = exchange.refusal.code if exchange.refusal else None
        said = {**self._said(exchange), "status": status, "refusal": refusal, "unrecorded": True}
        try:
            await self._append(None, b"", "outcome", said)
        except Refusal:
            self._ended.discard(flow)
            raise

    def _said(self, exchange: Exchange) -> dict[str, Any]:
        """What the ledger says in clear of an exchange: nothing of a person, nothing off the wire."""
        principal, verdict = exchange.principal, exchange.verdict
        within = {} if exchange.opened is None else {"socket": exchange.opened.id}
        return {
            **within,
            "id": exchange.id,
            "who": self._who(principal.issuer, principal.subject) if principal else None,
            "service": exchange.service,
            "effect": verdict.effect if verdict else None,
            "policy": verdict.policy if verdict else "",
        }

    async def _seal(self, exchange: Exchange) -> asyncio.Future[Place]:
        if self._sealer is None or exchange.original is None:
            raise RuntimeError("there is nothing to seal")
        try:
            record, said = await self._sealer.seal(exchange, exchange.original, self._clock.now())
        except (OSError, RecorderDown):
            raise _down() from None
        return self._records.append("sealed", record, "sealed", said)

    async def _key_made(self, what: str, said: dict[str, Any], made: Made) -> None:
        await self._records.append(None, b"", what, {**said, **about(made.key.file, 0, made.wrapped)})

    async def _forget(self, keys: Collection[str]) -> None:
        if self._sealer is not None:
            self._sealer.forget(keys)

    async def _keep(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        record: bytes,
        summary: dict[str, Any],
        said: dict[str, Any],
    ) -> None:
        try:
            sealed = await self._seal(exchange) if summary["sealed"] else None
            await self._kept(self._records.outcome(record, said, summary))
            if sealed is not None:
                await self._kept(sealed)  # it is in the same batch
                exchange.original = None
        except Refusal:
            self._ended.discard(flow)  # it is not on the disk, so an error that follows may still be
            raise

    async def _append(self, kind: FileKind | None, record: bytes, what: str, said: dict[str, Any]) -> Place:
        return await self._kept(self._records.append(kind, record, what, said))

    @staticmethod
    async def _kept(done: asyncio.Future[Place]) -> Place:
        try:
            return await done
        except RecorderDown:
            raise _down() from None


def _down() -> Refusal:
    return Refusal(
        503,
        "recorder-down",
        "Recorder down",
        "The gateway cannot record this exchange, so nothing of it was let through.",
        next_step="Try again later; if it stays, tell the gateway's operator.",
        headers={"retry-after": "30"},
    )


def _unsealed() -> Refusal:
    return Refusal(
        503,
        "cannot-be-sealed",
        "Cannot be sealed",
        "A rule wants the answer kept as it came, and it cannot be, so nothing of it was let through.",
        next_step="Tell the gateway's operator: new recipients take a restart.",
    )


def _unnamed(issuer: str, subject: str) -> str:
    return ""  # nothing of it is recorded: the journal is not open
