"""What a connection receives, on real sockets: all of it, in order, never while somebody does not read, never after the end."""

import asyncio
import contextlib
import socket
import struct

import pytest

from sluicegate.pipeline.inflow import PIECE, Inflow


class Side:
    """One connection whose far end is a plain socket; `got` is what was handed on."""

    def __init__(self, streams, far):
        self.streams, self.far = streams, far
        self.got: list[bytes] = []
        self.blocked = False
        self.drained = asyncio.Event()
        self.waits = 0

    async def run(self):
        await Inflow(self.streams, self.take, lambda: self.blocked, self.wait).run()

    def take(self, data):
        self.got.append(data)

    async def wait(self):
        self.waits += 1
        if self.blocked:
            await self.drained.wait()
            self.blocked = False

    async def until(self, size):
        while len(b"".join(self.got)) < size:
            await asyncio.sleep(0)


@pytest.fixture
async def side():
    near, far = socket.socketpair()
    streams = await asyncio.open_connection(sock=near)
    yield Side(streams, far)
    streams[1].close()
    far.close()


async def test_everything_in_order_in_pieces_of_a_bounded_size(side):
    data = bytes(range(256)) * 4096
    running = asyncio.create_task(side.run())
    await asyncio.to_thread(side.far.sendall, data)
    side.far.shutdown(socket.SHUT_WR)
    await running
    assert b"".join(side.got) == data and max(map(len, side.got)) <= PIECE


async def test_what_came_before_it_ran_comes_first(side):
    await asyncio.to_thread(side.far.sendall, b"before ")
    while not side.streams[0]._buffer:
        await asyncio.sleep(0)
    running = asyncio.create_task(side.run())
    await side.until(7)
    side.far.sendall(b"after")
    side.far.close()
    await running
    assert b"".join(side.got) == b"before after"


async def test_an_end_that_came_before_it_ran(side):
    side.far.close()
    while not side.streams[0].at_eof():
        await asyncio.sleep(0)
    await side.run()
    assert side.got == []


async def test_nothing_is_received_while_somebody_does_not_read(side):
    running = asyncio.create_task(side.run())
    side.blocked = True
    side.far.sendall(b"one")
    await side.until(3)
    side.far.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # until the kernel takes no more: it does not reach us
        while True:
            side.far.send(b"x" * PIECE)
            await asyncio.sleep(0)
    assert side.got == [b"one"] and side.waits == 1 and not side.streams[1].transport.is_reading()
    side.drained.set()
    await side.until(1000)
    assert side.streams[1].transport.is_reading()
    side.far.close()
    await running


async def test_nothing_is_handed_on_after_a_cancel(side):
    running = asyncio.create_task(side.run())
    await asyncio.sleep(0)
    side.far.sendall(b"late")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    side.far.sendall(b"later")
    while b"later" not in bytes(side.streams[0]._buffer):
        await asyncio.sleep(0)
    assert side.got == []


async def test_a_cancel_while_it_waits_leaves_nothing_running(side):
    running = asyncio.create_task(side.run())
    side.blocked = True
    side.far.sendall(b"one")
    await side.until(3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("waits", [False, True])
async def test_a_connection_that_breaks_off_is_an_end(waits):
    listener = socket.create_server(("127.0.0.1", 0))
    streams = await asyncio.open_connection(*listener.getsockname())
    far, _ = listener.accept()
    side = Side(streams, far)
    running = asyncio.create_task(side.run())
    side.blocked = waits
    far.sendall(b"one")
    await side.until(3)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    far.close()
    side.drained.set()
    await running
    assert side.got == [b"one"]
    streams[1].close()
    listener.close()
