"""The guard in the resolver: on a running loop, with real connections, and for our own calls not at all."""

import asyncio
import socket

import pytest

from sluicegate.lockdown import guard
from sluicegate.lockdown.addresses import AddressRefused


async def test_only_checked_answers_are_dialled():
    loop = asyncio.get_running_loop()
    guard.install(loop)
    guard.install(loop)
    served = asyncio.Event()

    async def serve(reader, writer):
        served.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def refuse_all(address):
        raise AddressRefused(f"{address} is refused")

    async def dial(check):
        guard.upstream.set(check)
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.close()

    async with server:
        with pytest.raises(OSError, match="refused"):
            await asyncio.create_task(dial(refuse_all))
        assert not served.is_set()
        await asyncio.create_task(dial(lambda address: None))
        await asyncio.wait_for(served.wait(), 60)


async def test_a_rebound_answer_is_filtered_not_dialled():
    loop = asyncio.get_running_loop()

    async def resolve(host, port, **hints):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port)),
        ]

    loop.getaddrinfo = resolve
    guard.install(loop)

    def check(address):
        if address.startswith("10."):
            raise AddressRefused("private")

    async def ask(check):
        guard.upstream.set(check)
        return [answer[4][0] for answer in await loop.getaddrinfo("rebound.test", 443)]

    assert await asyncio.create_task(ask(check)) == ["8.8.8.8"]
    assert await asyncio.create_task(ask(None)) == ["10.0.0.1", "8.8.8.8"]


async def test_another_place_is_resolved_and_checked_instead():
    loop = asyncio.get_running_loop()
    asked = []

    async def resolve(host, port, **hints):
        asked.append((host, port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]

    loop.getaddrinfo = resolve
    guard.install(loop)
    seen = []

    async def ask(check, instead):
        guard.upstream.set(check)
        guard.instead.set(instead)
        return await loop.getaddrinfo("vendor.test", 443)

    answers = await asyncio.create_task(ask(seen.append, ("private.test", 8443)))
    assert asked == [("private.test", 8443)] and seen == ["10.0.0.1"] and answers[0][4] == ("10.0.0.1", 8443)
    await asyncio.create_task(ask(None, ("private.test", 8443)))
    assert asked[1] == ("vendor.test", 443)  # a connection of our own is never led elsewhere
