"""Several workers of one gateway: processes that share a port, and hand what they record to the one that started them.

Each is a whole pipeline. What must be one is here: the recorder with its ledger, and the sockets that are listened on,
so that a worker that ends is started again without the port ever being free for somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Collection
from dataclasses import dataclass

from sluicegate.clock import SystemClock
from sluicegate.database import Database
from sluicegate.errors import Fault
from sluicegate.pipeline import authority, constraints, listening
from sluicegate.recording.recorder import Recorder
from sluicegate.recording.relay.far import Relayed
from sluicegate.settings import Loaded, State

logger = logging.getLogger("sluicegate")

START_SECONDS = 60.0
RESTART_SECONDS = 1.0
AFTER_DRAIN_SECONDS = 10.0
"""How much longer than `drain_seconds` a worker may take to end; then it is killed."""


@dataclass
class Worker:
    """One of them: its process and the recorder's end of its socket."""

    process: asyncio.subprocess.Process
    relayed: Relayed


class Workers:
    """Starts them, starts again what ends, and ends them all. `open` before anything is announced, `close` at last."""

    def __init__(self, loaded: Loaded, state: State, mode: str, *, acknowledge_loss: bool = False) -> None:
        self.loaded = loaded
        self.state = state
        self.mode = mode
        settings = loaded.settings
        self._count = settings.gateway.workers
        self._database = Database.of(settings.gateway.database, state.database, checkpoints=True)
        self._recorder = Recorder(
            settings.recording, state, self._database, SystemClock(), acknowledge_loss=acknowledge_loss
        )
        self._recorder.forget = self._forget
        self._sockets: list[list[socket.socket]] = []
        self._workers: dict[int, Worker] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._ending = False

    async def open(self) -> tuple[str, int]:
        """Where they listen, once they all do. Raises Fault; then nothing is left running."""
        settings = self.loaded.settings
        host, _, port = settings.gateway.listen.rpartition(":")
        authority.prepare(self.state.ca, constraints.of_policy(settings))
        try:
            self._sockets = listening.listen(host.strip("[]"), int(port), self._count)
            await self._database.open()
            await self._recorder.open()
            # The first alone: it makes the keys that the others find.
            address = await self._start(0)
            await asyncio.gather(*[self._start(index) for index in range(1, self._count)])
        except BaseException:
            await self.close()
            raise
        self._keeping = [asyncio.create_task(self._keep(index)) for index in range(self._count)]
        return address

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT; SIGHUP is passed on."""
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_end, end)
        loop.add_signal_handler(signal.SIGHUP, self._signal, signal.SIGHUP)
        await end.wait()

    async def close(self) -> None:
        """Take no more connections, let exchanges in flight end, and close the recorder behind them."""
        self._ending = True
        for task in self._keeping:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        listening.close(self._sockets)
        self._signal(signal.SIGTERM)
        seconds = self.loaded.settings.gateway.drain_seconds + AFTER_DRAIN_SECONDS
        await asyncio.gather(*[_ended(worker, seconds) for worker in self._workers.values()], return_exceptions=True)
        try:
            await self._recorder.close()
        finally:
            await self._database.close()

    def _asked_to_end(self, end: asyncio.Event) -> None:
        if end.is_set():
            self._signal(signal.SIGTERM)  # a second time: nobody waits for what is in flight
        end.set()

    def _signal(self, number: int) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(number)

    async def _start(self, index: int) -> tuple[str, int]:
        """Start a worker and wait until it listens. Raises Fault."""
        ours, its = socket.socketpair()
        files = [one.fileno() for one in self._sockets[index]]
        arguments = [
            *("--policy", str(self.loaded.path), "--state", str(self.state.root), "--mode", self.mode),
            *("--index", str(index), "--relay", str(its.fileno())),
            *("--listen", ",".join(map(str, files))),
        ]
        with its:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "sluicegate.pipeline.worker", *arguments,
                stdin=asyncio.subprocess.DEVNULL, pass_fds=[its.fileno(), *files],
                start_new_session=True,  # Ctrl-C is for the one that started it, which then ends them in order
            )  # fmt: skip
        relayed = Relayed(self._recorder)
        await asyncio.get_running_loop().create_unix_connection(lambda: relayed, sock=ours)
        worker = self._workers[index] = Worker(process, relayed)
        try:
            async with asyncio.timeout(START_SECONDS):
                return await relayed.serving
        except (TimeoutError, ConnectionError):
            relayed.close()
            await _ended(worker, 1.0)
            fault = f"Worker {index + 1} of {self._count} did not start."
            raise Fault(fault, hint="What it said stands above.") from None

    async def _keep(self, index: int) -> None:
        """Have a worker there until cancelled."""
        while True:
            worker = self._workers[index]
            await worker.process.wait()
            await worker.relayed.gone
            logger.error(
                "worker %d ended with status %s; its connections are gone, and it is started again",
                index + 1,
                worker.process.returncode,
            )
            while not self._ending:
                await asyncio.sleep(RESTART_SECONDS)
                try:
                    await self._start(index)
                    break
                except (Fault, OSError) as error:  # whatever it is, the others serve, and it is tried again
                    logger.error("worker %d cannot be started: %s", index + 1, error)

    async def _forget(self, keys: Collection[str]) -> None:
        await asyncio.gather(*[worker.relayed.forget(keys) for worker in self._workers.values()])


async def _ended(worker: Worker, seconds: float) -> None:
    """Wait for the end of a worker, and end it where it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            await worker.process.wait()
    except TimeoutError:
        logger.error("a worker did not end in time and is killed")
        with contextlib.suppress(ProcessLookupError):
            worker.process.kill()
        await worker.process.wait()
    await worker.relayed.gone
