"""The agent's relay: a proxy on loopback that puts the credential in, for the user who runs it and for nobody else.

It reads the first head of each connection, and passes the rest on as it is. What comes from another user's process is
cut off before a byte of it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import ssl
from collections.abc import Callable

from sluicegate.cli.workstation import peers
from sluicegate.cli.workstation.head import MAX_HEAD, NotForAProxy, authorised, word_in
from sluicegate.cli.workstation.settings import Place

logger = logging.getLogger("sluicegate.agent")

HEAD_SECONDS = 30.0
DIAL_SECONDS = 15.0
PIECE = 64 << 10


class Relay:
    """Listens on 127.0.0.1 from `open` to `close`. `secret` is asked anew for each connection; empty is nobody."""

    def __init__(
        self,
        gateway: Place,
        secret: Callable[[], str],
        *,
        port: int = 0,
        trusted: ssl.SSLContext | None = None,
        by_user: bool | None = None,
    ) -> None:
        self._gateway = gateway
        self._secret = secret
        self._port = port
        self._trusted = trusted
        self.word = "" if (peers.known() if by_user is None else by_user) else secrets.token_urlsafe(24)
        """What clients must send as the password where the system does not say whose a connection is."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises OSError when the port cannot be had."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=MAX_HEAD)

    @property
    def address(self) -> Place:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return Place(host, port)

    async def close(self) -> None:
        """End what is open. Closing twice is harmless."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one of the two went away, or said nothing that could be answered
        except Exception:
            logger.exception("a connection could not be served")
        finally:
            self._open.discard(task)
            await _shut(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.word:
            peer, ours = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
            user = await asyncio.to_thread(peers.user_of, peer, ours)
            if user != os.getuid():
                logger.warning("a connection of another user (%s) was cut off", "unknown" if user is None else user)
                return
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        if self.word and not hmac.compare_digest(word_in(head) or "", self.word):
            await _say(writer, 407, "This agent needs the word that `sluicegate env` gives", challenge=True)
            return
        secret = self._secret()
        if not secret:
            await _say(writer, 511, "Sign in first: run `sluicegate login`")
            return
        try:
            onward = authorised(head, secret)
        except NotForAProxy as error:
            await _say(writer, 400, f"Not passed on: {error}")
            return
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                there, back = await self._dial()
        except (OSError, TimeoutError) as error:
            why = "TLS failed" if isinstance(error, ssl.SSLError) else "it does not answer"
            await _say(writer, 502, f"The gateway at {self._gateway.authority} cannot be reached: {why}")
            return
        try:
            back.write(onward)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            await _shut(back)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._gateway.host, self._gateway.port
        if not self._gateway.tls:
            return await asyncio.open_connection(host, port)
        context = self._trusted or ssl.create_default_context()
        return await asyncio.open_connection(host, port, ssl=context, server_hostname=host)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE):
        target.write(piece)
        await target.drain()
    with contextlib.suppress(OSError, NotImplementedError):
        if target.can_write_eof():
            target.write_eof()


async def _say(writer: asyncio.StreamWriter, status: int, phrase: str, *, challenge: bool = False) -> None:
    # Of a CONNECT that fails clients show the reason phrase and nothing else.
    field = 'Proxy-Authenticate: Basic realm="sluicegate agent"\r\n' if challenge else ""
    head = f"HTTP/1.1 {status} {phrase}\r\n{field}Content-Type: text/plain\r\nConnection: close\r\n"
    body = f"{phrase}.\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii", "replace"))
    await writer.drain()


async def _shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            await writer.wait_closed()
