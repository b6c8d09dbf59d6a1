"""The load of the benchmark: N kept connections that ask for one thing again and again, each answer checked.

    python -m bench.load --port 8443 --ca ca.pem --connections 16 --requests 5000 [--proxy 127.0.0.1:8080]

With --proxy each connection is a CONNECT tunnel with the credential from SLUICEGATE_TOKEN, as a client with HTTPS_PROXY
makes it. Prints one JSON object: requests, seconds, rps, and p50 and p99 in milliseconds. With --wait it prints `ready`
once all connections are warm and starts on a line from stdin, so that the proxy's CPU can be read around the run.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.expected import Expected, WrongAnswer
from bench.origin import TARGET

HOST = "localhost"
LIMIT = 600.0
"""Seconds after which a run has failed: something hangs."""
_END = b"\r\n\r\n"


class Tunnel(asyncio.Protocol):
    """Reads the answer to CONNECT, and nothing behind it: the service speaks only after our TLS hello."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        if _END in self._read and not self.answer.done():
            self.answer.set_result(self._read)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(
                WrongAnswer(f"closed while it was asked for a tunnel: {self._read!r} {exc or ''}")
            )


class Connection(asyncio.Protocol):
    """One kept connection: sends a request, checks the response, takes the time, goes on until told to stop."""

    def __init__(self, request: bytes, expected: Expected) -> None:
        self._request, self._expected = request, expected
        self._transport: asyncio.WriteTransport | None = None
        self._read = b""
        self._sent = 0
        self._left = 0
        self._times: list[int] = []
        self._done: asyncio.Future[list[int]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def run(self, count: int) -> asyncio.Future[list[int]]:
        """Send `count` requests, one after the other; gives the time of each in nanoseconds. Raises WrongAnswer."""
        self._done = asyncio.get_running_loop().create_future()
        self._left, self._times = count, []
        self._send()
        return self._done

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.close()

    def _send(self) -> None:
        assert self._transport
        self._sent = time.perf_counter_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(_END)
        if end < 0:
            return
        head = self._read[:end].lower()
        _, named, rest = head.partition(b"\r\ncontent-length:")
        size = int(rest.partition(b"\r\n")[0]) if named else -1
        if size < 0:
            self._fail(WrongAnswer(f"a response without Content-Length: {head!r}"))
            return
        content = self._read[end + 4 :]
        if len(content) < size:
            return
        self._times.append(time.perf_counter_ns() - self._sent)
        self._read = b""
        try:
            self._expected.check(head[9:12], content)
        except WrongAnswer as error:
            self._fail(error)
            return
        self._left -= 1
        if self._left > 0:
            self._send()
        elif self._done and not self._done.done():
            self._done.set_result(self._times)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(WrongAnswer(f"the connection was closed: {exc or 'no reason given'}"))

    def _fail(self, error: WrongAnswer) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(error)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask, where, how often."""

    port: int
    context: ssl.SSLContext
    proxy: tuple[str, int] | None
    headers: str
    credential: str
    connections: int
    requests: int
    warmup: int
    wait: bool


async def run(plan: Plan, expected: Expected) -> dict[str, float]:
    """Carry out the plan. Raises WrongAnswer, or OSError."""
    head = f"GET {TARGET} HTTP/1.1\r\nHost: {HOST}:{plan.port}\r\nAccept: application/json\r\n{plan.headers}\r\n"
    connections = [await _open(plan, Connection(head.encode(), expected), n) for n in range(plan.connections)]
    await asyncio.gather(*(connection.run(plan.warmup) for connection in connections))
    if plan.wait:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    gc.collect()
    gc.disable()  # a collection here would look like a slow answer there
    share, more = divmod(plan.requests, plan.connections)
    begun = time.perf_counter_ns()
    found = await asyncio.gather(*(c.run(share + (n < more)) for n, c in enumerate(connections)))
    seconds = (time.perf_counter_ns() - begun) / 1e9
    times = sorted(taken for each in found for taken in each)
    for connection in connections:
        connection.close()
    return {
        "requests": len(times),
        "seconds": round(seconds, 4),
        "rps": round(len(times) / seconds, 1),
        "p50": times[len(times) // 2] / 1e6,
        "p99": times[min(len(times) - 1, len(times) * 99 // 100)] / 1e6,
    }


async def _open(plan: Plan, connection: Connection, number: int) -> Connection:
    """Connect, straight or through the proxy, and verify the certificate either way."""
    loop = asyncio.get_running_loop()
    if plan.proxy is None:
        await loop.create_connection(lambda: connection, "127.0.0.1", plan.port, ssl=plan.context, server_hostname=HOST)
        return connection
    # Each connection is a workstation of its own, with its own address: workers share clients by that.
    local = (f"127.0.1.{number % 250 + 1}", 0) if plan.proxy[0] == "127.0.0.1" and sys.platform == "linux" else None
    transport, tunnel = await loop.create_connection(Tunnel, *plan.proxy, local_addr=local)
    authority = f"{HOST}:{plan.port}"
    transport.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{plan.credential}\r\n".encode())
    answer = await tunnel.answer
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise WrongAnswer(f"no tunnel: {answer[:300]!r}")
    secured = await loop.start_tls(transport, connection, plan.context, server_hostname=HOST)
    assert secured
    connection.connection_made(secured)
    return connection


def main() -> int:
    """Read the options, run, print; 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="The load of the benchmark.")
    parser.add_argument("--port", type=int, required=True, help="port of the service on localhost")
    parser.add_argument("--ca", type=Path, required=True, help="authority of the certificate that has to be shown")
    parser.add_argument("--proxy", help="HOST:PORT of an explicit proxy")
    parser.add_argument("--masked", action="store_true", help="the rows have to come masked")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1000, help="measured requests over all connections")
    parser.add_argument("--warmup", type=int, default=20, help="requests before, for each connection")
    parser.add_argument("--wait", action="store_true", help="print `ready` and wait for a line before measuring")
    options = parser.parse_args()
    if min(options.connections, options.warmup) < 1 or options.requests < options.connections:
        parser.error("there has to be a connection, a warm-up request, and a request for each connection")
    token, service_token = os.environ.get("SLUICEGATE_TOKEN"), os.environ.get("CHUNKS_TOKEN")
    basic = base64.b64encode(f"sluicegate:{token}".encode()).decode()
    host, _, port = (options.proxy or "").rpartition(":")
    context = ssl.create_default_context(cafile=options.ca)
    context.set_alpn_protocols(["http/1.1"])
    plan = Plan(
        port=options.port,
        context=context,
        proxy=(host, int(port)) if options.proxy else None,
        headers=f"Authorization: Bearer {service_token}\r\n" if service_token else "",
        credential=f"Proxy-Authorization: Basic {basic}\r\n" if token else "",
        connections=options.connections,
        requests=options.requests,
        warmup=options.warmup,
        wait=options.wait,
    )
    try:
        result = asyncio.run(asyncio.wait_for(run(plan, Expected(masked=options.masked)), LIMIT))
    except TimeoutError:
        print(f"bench.load: not done after {LIMIT:.0f} s", file=sys.stderr)
        return 1
    except (WrongAnswer, OSError) as error:
        print(f"bench.load: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
