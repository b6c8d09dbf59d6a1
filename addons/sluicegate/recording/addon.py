"""Recording in the pipeline: the intent is on the disk before a request goes out, the outcome before an answer does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from mitmproxy import http, tls
from mitmproxy.proxy import mode_specs

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange, Original
from sluicegate.recording import intents
from sluicegate.recording.flow_untouched import passed_untouched
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.index import Index
from sluicegate.recording.journal import Journal, Place, RecorderDown
from sluicegate.recording.keeping.due import Kept
from sluicegate.recording.keeping.keeper import Keeper
from sluicegate.recording.ledger.entry import about
from sluicegate.recording.ledger.keys import NEXT_KEY, Pseudonyms, origin_of, signing_key
from sluicegate.recording.ledger.log import Ledger
from sluicegate.recording.ledger.note import Signer
from sluicegate.recording.ledger.rotation import take_over
from sluicegate.recording.never import Never
from sluicegate.recording.outbox import Outbox, recorded_lately
from sluicegate.recording.redact import Redactor
from sluicegate.recording.sealing.keys import Made
from sluicegate.recording.sealing.orphans import doubtful, settle
from sluicegate.recording.sealing.recipients import Recipients
from sluicegate.recording.sealing.sealer import Sealer
from sluicegate.recording.segment import FileKind
from sluicegate.recording.witness.client import Heads
from sluicegate.settings import State
from sluicegate.settings.model import Recording

_LARGE = 1 << 20
"""Bodies from this size on are hashed on another thread."""


class RecordingAddon:
    """Writes one intent for each exchange that goes out, and one outcome for each that ends, refused ones included."""

    name = "recording"
    sees_refusals = True

    def __init__(
        self, settings: Recording, state: State, database: Database, clock: Clock, *, acknowledge_loss: bool = False
    ) -> None:
        self._clock = clock
        self._state = state
        self._settings = settings
        self._log = ""
        self._acknowledge_loss = acknowledge_loss
        self._never = Never(settings.never)
        self._redact = Redactor(settings.secret_query)
        self._run = uuid.uuid4().hex
        self._writer = FlowWriter(self._redact, self._run)
        self._index = Index(database)
        self._outbox: Outbox | None = None
        self._sealer: Sealer | None = None
        self._heads: Heads | None = None
        self._keeper: Keeper | None = None
        self._database = database
        self._who: Callable[[str, str], str] = _unnamed
        self._journal = Journal(
            state.recordings,
            clock,
            durability=settings.durability,
            sync_seconds=settings.sync_seconds,
            segment_bytes=settings.segment_bytes,
            segment_seconds=settings.segment_seconds,
            reserve_bytes=settings.reserve_bytes,
        )
        self._intended: WeakSet[http.HTTPFlow] = WeakSet()
        self._ended: WeakSet[http.HTTPFlow] = WeakSet()

    async def open(self) -> None:
        """Make the folder and the first files. Raises Fault when the disk does not take them."""
        try:
            await asyncio.to_thread(self._open)
        except OSError as error:
            raise Fault(
                f"The recordings in {self._journal.folder} cannot be written: {error.strerror or error}.",
                hint="Nothing is let through that cannot be recorded.",
            ) from None
        self._index.open()
        known = await asyncio.to_thread(recorded_lately, self._journal.folder)
        self._outbox = Outbox(self._database, self._enter, known)
        self._outbox.open()
        self._keeper = Keeper(
            self._journal.folder,
            Kept.of(self._settings),
            self._database,
            self._clock,
            log=self._log,
            enter=self._entered,
            who=self._who,
            forget=self._forget,
        )
        self._keeper.open()
        if self._heads is not None:
            self._heads.open()

    def _open(self) -> None:
        self._who = Pseudonyms(self._state.keys).of
        key = signing_key(self._state.keys)
        signer = Signer(self._settings.log_name or origin_of(self._state.keys, key), key)
        self._log = signer.name
        escrow = None
        if self._settings.recipients:
            recipients = Recipients(self._settings.recipients)
            self._sealer = Sealer(self._journal.folder, recipients, self._who, self._key_made)
            escrow = recipients.wrap_text
        coming = (self._state.keys / NEXT_KEY).exists()
        ledger = Ledger(
            self._journal.folder,
            signer,
            escrow=escrow,
            acknowledge_loss=self._acknowledge_loss,
            successor=Signer(signer.name, signing_key(self._state.keys, NEXT_KEY)) if coming else None,
            handed_over=partial(take_over, self._state.keys),
        )
        self._heads = self._outside()
        self._journal.keep_ledger(ledger)
        keys = doubtful(self._journal.folder)
        self._journal.open()
        settle(self._journal.folder, keys)

    def _outside(self) -> Heads | None:
        given = self._settings
        if bool(given.witness_url) != bool(given.witness_key):
            raise Fault("`witness_url` and `witness_key` under [recording] belong together.")
        if not given.witness_url and not given.heads_folder:
            return None
        beside = Path(given.heads_folder) if given.heads_folder else None
        return Heads(self._journal.folder, url=given.witness_url or "", key=given.witness_key or "", beside=beside)

    async def close(self) -> None:
        """Put everything that waits on the disk."""
        if self._keeper is not None:
            await self._keeper.close()
            self._keeper = None
        if self._outbox is not None:
            await self._outbox.close()
            self._outbox = None
        await asyncio.to_thread(self._journal.close)
        if self._heads is not None:
            await self._heads.close()
            self._heads = None
        await self._index.close()

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
        return self._socket_end(exchange)

    async def _socket_end(self, exchange: Exchange) -> None:
        moved = exchange.moved
        said = {"messages": moved.messages, "code": moved.code, "by": moved.by}
        await self._append(None, b"", "socket-end", {**self._said(exchange), **said})

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
        return self._journal.append("sealed", record, "sealed", said)

    async def _key_made(self, what: str, said: dict[str, Any], made: Made) -> None:
        await self._journal.append(None, b"", what, {**said, **about(made.key.file, 0, made.wrapped)})

    async def _enter(self, kind: str, record: bytes) -> None:
        """Have the record of an event on the disk, and an entry of it in the ledger. Raises RecorderDown."""
        await self._journal.append("events", record, kind)

    async def _entered(self, record: bytes | None, what: str, said: Mapping[str, Any]) -> None:
        """Have an entry in the ledger, with the record of an event or without. Raises RecorderDown."""
        await self._journal.append("events" if record is not None else None, record or b"", what, said)

    def _forget(self, keys: Collection[str]) -> None:
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
            place = await self._append("flows", record, "outcome", said)
            if sealed is not None:
                await self._kept(sealed)  # it is in the same batch
                exchange.original = None
        except Refusal:
            self._ended.discard(flow)  # it is not on the disk, so an error that follows may still be
            raise
        self._index.add(summary, place)

    async def _append(self, kind: FileKind | None, record: bytes, what: str, said: dict[str, Any]) -> Place:
        return await self._kept(self._journal.append(kind, record, what, said))

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
