"""The gate beside bare mitmdump and no proxy at all, measured in one run.

    python -m bench.gateway                 requests per second, p50, p99, CPU per request, and the ratios
    python -m bench.gateway --memory        also: the memory that 100,000 requests leave behind

Everything of the gate is on: identity, policy, masking, the service's credential, recording to disk, the console.
Exit code 0: the bars are met; 1: one is not; 2: it could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import policy, report
from bench.processes import Failed, Process, cores, free_port, started
from bench.rounds import Target, load, samples
from demo.people import token_for

DIRECT = "direct"
TARGETS = (DIRECT, report.BARE, report.GATE, report.WORKERS)
PERSON = "ada"
BATCHES = 10
WARM = 100_000
"""Requests before memory is looked at: what is kept of people and their chunks is full then, and the allocator has what
it needs. After 20,000 that is not so: what is added until then is shown as well."""


class Bench:
    """The processes of one run. Servers are started when they are asked for and end with the stack."""

    measured: int | None
    rest: int | None

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        pair = cores()
        self.measured, self.rest = pair if pair else (None, None)
        self.token = secrets.token_urlsafe(24)
        origin = self._start("origin", [sys.executable, "-m", "bench.origin", *self._places("origin")], self.rest)
        self.port = origin.wait_for_port_file(folder / "origin.port")
        self.ca = folder / "origin" / "ca.pem"

    def target(self, name: str) -> Target:
        """A way to the origin, with its process running. Raises Failed."""
        if name == report.BARE:
            return self._bare()
        if name == report.WORKERS:
            return self._gate(name, 2)
        return self._gate(name) if name == report.GATE else Target(DIRECT, self.ca)

    def _bare(self) -> Target:
        port, confdir = free_port(), self._folder / "bare"
        command = [_tool("mitmdump"), "-q", "--listen-host", "127.0.0.1", "-p", str(port)]
        command += ["--set", f"confdir={confdir}", "--set", f"ssl_verify_upstream_trusted_ca={self.ca}"]
        process = self._start(report.BARE, command, self.measured)
        process.wait_for_port(port)
        return Target(report.BARE, confdir / "mitmproxy-ca-cert.pem", port, process)

    def _gate(self, name: str, workers: int = 1) -> Target:
        provider = self._start(
            f"identity provider {workers}",
            [sys.executable, "-m", "demo.identity_provider", *self._port(f"provider-{workers}")],
            self.rest,
        )
        issuer = f"http://127.0.0.1:{provider.wait_for_port_file(self._folder / f'provider-{workers}.port')}"
        port, console, state = free_port(), free_port(), self._folder / f"gate-{workers}"
        file = self._folder / f"policy-{workers}.toml"
        policy.write(file, port=port, console=console, service=self.port, ca=self.ca, issuer=issuer, workers=workers)
        command = [_tool("sluicegate"), "up", "--policy", str(file), "--state", str(state)]
        # Several workers are for several cores: they share the second one with the load and the service.
        process = self._start(name, command, self.measured if workers == 1 else None)
        process.wait_for_port(port)
        process.wait_for_port(console)  # its start must not fall into a measured run
        token = functools.partial(token_for, issuer, PERSON)
        return Target(name, state / "ca" / "mitmproxy-ca-cert.pem", port, process, token, masked=True)

    def _start(self, name: str, command: Sequence[str], core: int | None) -> Process:
        log = self._folder / f"{name.replace(' ', '-')}.log"
        return self._stack.enter_context(started(name, command, log, {"CHUNKS_TOKEN": self.token}, core))

    def _port(self, name: str) -> list[str]:
        return ["--port-file", str(self._folder / f"{name}.port")]

    def _places(self, name: str) -> list[str]:
        return ["--state", str(self._folder / name), *self._port(name)]


def _tool(name: str) -> str:
    """A command of the environment that this runs in."""
    return str(Path(sys.executable).with_name(name))


def measure_speed(console: Console, bench: Bench, targets: list[Target], plan: dict[int, int], rounds: int) -> bool:
    """Measure, print the table; whether the bar is met."""
    found = []
    total = rounds * len(plan) * len(targets)
    with console.status("measuring") as status:
        for sample in samples(targets, bench.port, bench.token, plan, rounds, bench.rest):
            found.append(sample)
            status.update(f"measuring: {len(found)} of {total} runs")
    report.print_table(console, found, rounds)
    return report.bar_met(console, found)


def measure_memory(console: Console, bench: Bench, target: Target, requests: int) -> bool:
    """Measure, print; whether memory stayed where it was."""
    assert target.process

    def sizes(count: int) -> list[int]:
        assert target.process
        found = []
        for _ in range(BATCHES):
            load(target, bench.port, bench.token, 16, count // BATCHES, bench.rest)
            found.append(target.process.rss())
        return found

    with console.status("measuring memory"):
        warming = sizes(WARM)
        report.print_sizes(console, warming, WARM)
        return report.growth_met(console, [warming[-1], *sizes(requests)], requests)


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description="The gate beside bare mitmdump.")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--requests", type=int, default=4000, help="requests of a run with 16 connections; 1 has half")
    parser.add_argument("--memory", action="store_true", help="also measure the growth of memory")
    parser.add_argument("--memory-requests", type=int, default=100_000)
    parser.add_argument("--only", action="append", choices=TARGETS, help="leave the other targets out")
    options = parser.parse_args()
    if options.rounds < 1 or options.requests < 32 or options.memory_requests < 16 * BATCHES:
        parser.error("too few rounds or requests to measure anything")
    console = Console(width=None if sys.stdout.isatty() else 110)  # a log has no width of its own
    names = [name for name in TARGETS if not options.only or name in options.only]
    plan = {1: options.requests // 2, 16: options.requests}
    try:
        with tempfile.TemporaryDirectory(prefix="sluicegate-bench-") as folder, contextlib.ExitStack() as stack:
            bench = Bench(Path(folder), stack)
            targets = [bench.target(name) for name in names]
            met = measure_speed(console, bench, targets, plan, options.rounds)
            if options.memory and report.GATE in names:
                met &= measure_memory(console, bench, targets[names.index(report.GATE)], options.memory_requests)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
