"""Masking as a stage: asks the service for what we can read, and lets out nothing that was not masked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from weakref import WeakKeyDictionary

from mitmproxy import http

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure, Message, Original
from sluicegate.masking import body, headers, message, reports
from sluicegate.masking.body import Masked, Reply
from sluicegate.masking.formats import is_heavy
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import Methods
from sluicegate.masking.refusal import unaskable, unmaskable
from sluicegate.masking.rules import Plan, Plans
from sluicegate.masking.stream import load_tables, open_stream
from sluicegate.settings import Loaded, Settings

AT_ONCE = 256 << 10
"""Decoded bytes up to which a body is masked in the hook; larger ones go to a thread, so that the loop goes on."""

_THREADS = 2


class MaskingAddon:
    """Masks responses by the obligations of their verdict. `key` makes the pseudonyms."""

    name = "masking"
    limit = 30.0

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._max_body = settings.gateway.max_body_bytes
        self._plans = Plans(Methods(key, settings.masking.tenant, settings.masking.key_version))
        self._accepts: WeakKeyDictionary[http.HTTPFlow, tuple[str, ...]] = WeakKeyDictionary()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="masking")
        self._tables = False
        self.part = self._ready(settings)

    def prepare(self, loaded: Loaded) -> bool:
        """Make ready what the masks of another policy need: it takes half a second. Runs on a thread."""
        return self._ready(loaded.settings)

    def adopt(self, part: bool) -> None:
        """Masks come with each verdict, so that nothing changes here."""

    @staticmethod
    def _ready(settings: Settings) -> bool:
        """Whether there are detectors; then their patterns are compiled."""
        found = any(mask.detect for mask in settings.masks)
        if found:
            from sluicegate.masking.content import warm

            warm()
        return found

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Leaves only codings that the client and we can read; no pieces and no conditions where masks are owed."""
        plan = self._plan(exchange)
        owing = plan is not None and plan.owes
        current = flow.request.headers
        try:
            fields, codings = headers.ask(current.fields, owing, flow.request.path.partition("?")[2] if owing else "")
        except Unfit as error:
            raise unaskable(plan.masks if plan is not None else (), str(error)) from None
        if fields is not current.fields:
            current.fields = fields
        if owing:
            self._accepts[flow] = codings

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Opens the stream of a response that can be masked in passing. All others are waited for."""
        plan, response = self._plan(exchange), flow.response
        if response is None or exchange.verdict is None:
            raise RuntimeError("there is no response to mask")
        if exchange.whole or exchange.verdict.seal:
            return None
        if plan is not None and not self._tables and is_heavy(body.declared(response.headers.fields).media):
            return self._begins_later(flow, exchange, plan, response)
        self._begin(flow, exchange, plan, response)
        return None

    async def _begins_later(self, flow: http.HTTPFlow, exchange: Exchange, plan: Plan, response: http.Response) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, load_tables)
        self._tables = True
        self._begin(flow, exchange, plan, response)

    def _begin(self, flow: http.HTTPFlow, exchange: Exchange, plan: Plan | None, response: http.Response) -> None:
        try:
            exchange.stream = open_stream(
                response.headers.fields, response.status_code, plan, self._accepts.get(flow, ()), exchange.watch
            )
        except Unfit as error:
            raise unmaskable(plan.masks if plan is not None else (), str(error)) from None
        if plan is not None:
            response.reason = _phrase(response.status_code)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Masks the response in place. Raises Refusal when that cannot be done."""
        if exchange.begun:
            if exchange.stream is None or exchange.exposure is None:
                raise RuntimeError("what left is not known")
            return None
        if exchange.switching:
            exchange.exposure = Exposure()  # lockdown made its fields, and there is nothing else of it
            return None
        plan = self._plan(exchange)
        if plan is None:
            return None
        if plan.reported is not None:
            return self._looked(flow, exchange, plan, plan.reported)
        return self._response(flow, exchange, plan)

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Masks a message from the service in place. Raises Refusal when that cannot be done."""
        said, plan = exchange.message, self._plan(exchange)
        if said is None:
            raise RuntimeError("there is no message to mask")
        if said.from_client or plan is None:
            return None
        if len(said.content) > AT_ONCE or not said.text or plan.reported is not None:
            return self._message_later(exchange, said, plan)
        if plan.owes:
            self._apply_message(exchange, said, message.mask_message(said.content, plan, self._max_body, text=True))
        return None

    async def _message_later(self, exchange: Exchange, said: Message, plan: Plan) -> None:
        loop = asyncio.get_running_loop()
        if plan.reported is not None:
            reply = message.reply_of(said.content, text=said.text)
            exchange.findings += await loop.run_in_executor(
                self._threads, reports.findings, reply, plan.reported, self._max_body, None
            )
        if plan.owes:
            work = partial(message.mask_message, said.content, plan, self._max_body, text=said.text)
            self._apply_message(exchange, said, await loop.run_in_executor(self._threads, work))

    @staticmethod
    def _apply_message(exchange: Exchange, said: Message, masked: Masked) -> None:
        if masked.body != said.content:
            exchange.original = Original(said.content, message.media_of(said.content, text=said.text))
        said.content = masked.body
        exchange.exposure = masked.exposure

    def _response(self, flow: http.HTTPFlow, exchange: Exchange, plan: Plan) -> Awaitable[None] | None:
        response = flow.response
        if response is None:
            raise RuntimeError("there is no response to mask")
        reply = _reply(flow, response)
        accepts = self._accepts.get(flow, ())
        raw = reply.body or b""
        if len(raw) > AT_ONCE or (raw and _packed(exchange, reply, raw)):
            return self._later(response, exchange, reply, plan, accepts)
        try:
            masked = body.mask(reply, plan, accepts, min(AT_ONCE, self._max_body), exchange.delivery)
        except Refusal:
            if not body.declared(reply.headers).coding:
                raise
            # A few kilobytes may decode to many megabytes: the thread tries with the true limit.
            return self._later(response, exchange, reply, plan, accepts)
        self._apply(response, exchange, reply, masked)
        return None

    async def close(self) -> None:
        """Ends the threads; what they had begun is finished, the rest is refused by the pipeline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _plan(self, exchange: Exchange) -> Plan | None:
        if exchange.verdict is None:
            raise RuntimeError("there is no verdict, so nobody knows what is owed")
        owed = exchange.verdict.obligations
        return self._plans.of(owed) if owed else None

    async def _looked(self, flow: http.HTTPFlow, exchange: Exchange, plan: Plan, reported: Plan) -> None:
        """First what is only reported, in the response as it came; then the masks."""
        if flow.response is None:
            raise RuntimeError("there is no response to look at")
        reply, loop = _reply(flow, flow.response), asyncio.get_running_loop()
        exchange.findings += await loop.run_in_executor(
            self._threads, reports.findings, reply, reported, self._max_body, exchange.delivery
        )
        if plan.owes:
            done = self._response(flow, exchange, plan)
            if done is not None:
                await done

    async def _later(
        self, response: http.Response, exchange: Exchange, reply: Reply, plan: Plan, accepts: tuple[str, ...]
    ) -> None:
        loop = asyncio.get_running_loop()
        masked = await loop.run_in_executor(
            self._threads, body.mask, reply, plan, accepts, self._max_body, exchange.delivery
        )
        self._apply(response, exchange, reply, masked)

    @staticmethod
    def _apply(response: http.Response, exchange: Exchange, reply: Reply, masked: Masked) -> None:
        if reply.body and masked.body != reply.body:
            said = response.headers  # still those of the service
            exchange.original = Original(reply.body, said.get("content-type", ""), said.get("content-encoding", ""))
        # The body goes first: should anything fail behind it, what is left is masked and not original.
        response.raw_content = masked.body
        response.trailers = None
        response.headers.fields = masked.headers
        response.reason = _phrase(response.status_code)
        exchange.exposure = masked.exposure


def _phrase(status: int) -> str:
    """What HTTP calls a status, in the place of words that are the service's own: an error may quote a value there."""
    return HTTPStatus(status).phrase if status in _STATUSES else ""


_STATUSES = frozenset(HTTPStatus)


def _reply(flow: http.HTTPFlow, response: http.Response) -> Reply:
    return Reply(
        flow.request.method.upper(),
        response.status_code,
        response.headers.fields,
        None if response.stream else response.raw_content,
    )


def _packed(exchange: Exchange, reply: Reply, raw: bytes) -> bool:
    """Whether a short body may be long work: other formats than JSON can be compressed inside."""
    if exchange.delivery is None or not exchange.delivery.rows:
        return raw[:1] not in _JSON_BEGINS or is_heavy(body.declared(reply.headers).media)
    return any(rows.format != "json" or rows.base64 for rows in exchange.delivery.rows)


_JSON_BEGINS = (b"{", b"[", b'"', b" ", b"\n")
