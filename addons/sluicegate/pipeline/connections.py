"""A connection handler that runs hooks in place: a task, a lock and a turn of the loop fewer for each of them.

mitmproxy makes a task for every hook and puts events behind a lock, so that each hook costs a turn of the event loop
even where every addon answers at once. Here an event that comes while another is being handled waits in a queue, and
only a hook whose addons really have to wait gets a task. What a connection receives is handled when it comes, without
a task that has to be woken for it. The order of events is the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any

from mitmproxy import flow
from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.master import Master
from mitmproxy.proxy import commands, events, mode_servers
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.utils import asyncio_utils

from sluicegate.pipeline.addons import DirectAddons
from sluicegate.pipeline.inflow import Inflow

HIGH_WATER = 64 << 10
"""Bytes that may wait to be sent on one connection before nothing more is received. It is asyncio's own mark."""


class DirectHandler(mode_servers.ProxyConnectionHandler):
    """Handles one client connection. Stands in for mitmproxy's own handler; its master has DirectAddons."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._arrived: deque[events.Event] = deque()
        self._busy = False

    async def server_event(self, event: events.Event) -> None:
        """Handle an event, or leave it to the call that is handling one further up the stack."""
        self._arrive(event)

    def _arrive(self, event: events.Event) -> None:
        self._arrived.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._arrived:
                self._handle(self._arrived.popleft())
        finally:
            self._busy = False

    async def handle_connection(self, connection: Connection) -> None:
        """Hand on what it receives until it ends, and then, as mitmproxy does, wait until ours is closed as well."""
        io = self.transports[connection]
        if not (isinstance(io.reader, asyncio.StreamReader) and isinstance(io.writer, asyncio.StreamWriter)):
            await super().handle_connection(connection)
            return
        cancelled = None
        try:
            hand_on = partial(self._received, connection)
            await Inflow((io.reader, io.writer), hand_on, self._full, self.drain_writers).run()
        except asyncio.CancelledError as error:
            cancelled = error
        # TCP can be closed by halves.
        connection.state = ConnectionState.CLOSED if cancelled else connection.state & ~ConnectionState.CAN_READ
        self._arrive(events.ConnectionClosed(connection))
        if connection.state is ConnectionState.CAN_WRITE:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError as error:
                cancelled = error
        io.writer.close()
        self.transports.pop(connection)
        if cancelled:
            raise cancelled

    def _received(self, connection: Connection, data: bytes) -> None:
        self._arrive(events.DataReceived(connection, data))

    def _full(self) -> bool:
        """Whether somebody does not read as fast as we write."""
        for io in self.transports.values():
            writer = io.writer
            if isinstance(writer, asyncio.StreamWriter) and writer.transport.get_write_buffer_size() > HIGH_WATER:
                return True
        return False

    def _handle(self, event: events.Event) -> None:
        self.timeout_watchdog.register_activity()
        try:
            for command in self.layer.handle_event(event):
                if isinstance(command, commands.SendData):
                    self._send(command)
                elif isinstance(command, commands.StartHook):
                    self._hook(command)
                else:
                    self._carry_out(command)
        except Exception:
            self.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)

    def _send(self, command: commands.SendData) -> None:
        transport = self.transports.get(command.connection)
        if transport is None:
            return  # the connection has been closed already
        writer = transport.writer
        assert writer
        if not writer.is_closing():
            writer.write(command.data)

    def _hook(self, hook: commands.StartHook) -> None:
        (data,) = hook.args()
        addons = self.master.addons
        assert isinstance(addons, DirectAddons)
        pending = addons.begin(hook)
        if pending is not None or (isinstance(data, flow.Flow) and data.intercepted):
            _run(self._finish(hook, data, pending))
        elif hook.blocking:
            self._arrived.append(events.HookCompleted(hook))

    async def _finish(self, hook: commands.StartHook, data: Any, pending: Awaitable[None] | None) -> None:
        with self.timeout_watchdog.disarm():
            if pending is not None:
                await pending
            if isinstance(data, flow.Flow) and data.intercepted:
                await data.wait_for_resume()
        if hook.blocking:
            await self.server_event(events.HookCompleted(hook))

    def _carry_out(self, command: commands.Command) -> None:
        match command:
            case commands.OpenConnection():
                assert command.connection not in self.transports
                opening = self._task(self.open_connection(command), "server connection")
                self.transports[command.connection] = ConnectionIO(handler=opening)
            case commands.RequestWakeup():
                self.wakeup_timer.add(self._task(self.wakeup(command), "wakeup"))
            case commands.ConnectionCommand() if command.connection not in self.transports:
                pass  # the connection has been closed already
            case commands.CloseTcpConnection():
                self.close_connection(command.connection, command.half_close)
            case commands.CloseConnection():
                self.close_connection(command.connection, False)
            case commands.Log():
                self.log(command.message, command.level)
            case _:
                raise RuntimeError(f"Unexpected command: {command}")

    def _task(self, work: Any, name: str) -> Any:
        return asyncio_utils.create_task(work, name=name, keep_ref=True, client=self.client.peername)


_running: set[asyncio.Task[None]] = set()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """What mitmproxy's own create_task does, but for the words for debugging."""
    task = asyncio.get_running_loop().create_task(work)
    if not task.done():
        _running.add(task)
        task.add_done_callback(_running.discard)


_stock = mode_servers.ProxyConnectionHandler


def _handler(master: Master, *args: Any) -> mode_servers.ProxyConnectionHandler:
    kind = DirectHandler if isinstance(master.addons, DirectAddons) else _stock
    return kind(master, *args)


def install() -> None:
    """Let masters that have DirectAddons handle their connections this way, and others as before."""
    mode_servers.ProxyConnectionHandler = _handler  # type: ignore[misc, assignment]
