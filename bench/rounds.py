"""Rounds: every target gets the same load in turn, in one run, so that a slow minute of the machine hits them all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ROOT, Failed, Process, on_core


@dataclass(frozen=True, slots=True)
class Target:
    """A way to the service. `token` makes a fresh credential for each run; `process` is what is measured."""

    name: str
    ca: Path
    proxy: int | None = None
    process: Process | None = None
    token: Callable[[], str] | None = None
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One run against one target. Times are in milliseconds."""

    target: str
    connections: int
    rps: float
    p50: float
    p99: float
    cpu: float | None
    """CPU of the proxy per request, or None where there is no proxy."""


def samples(
    targets: list[Target], port: int, service_token: str, plan: dict[int, int], rounds: int, core: int | None
) -> Iterator[Sample]:
    """Run each target in each round; `plan` says how many requests for how many connections. Raises Failed."""
    for number in range(rounds):
        turn = number % len(targets)
        for connections, requests in plan.items():
            for target in targets[turn:] + targets[:turn]:
                yield load(target, port, service_token, connections, requests, core)


def load(target: Target, port: int, service_token: str, connections: int, requests: int, core: int | None) -> Sample:
    """One run of the load generator. Raises Failed when an answer was wrong or it did not end."""
    command = [sys.executable, "-m", "bench.load", "--wait", "--port", str(port), "--ca", str(target.ca)]
    command += ["--connections", str(connections), "--requests", str(requests)]
    environment = dict(os.environ)
    environment.pop("SLUICEGATE_TOKEN", None)
    if target.proxy:
        command += ["--proxy", f"127.0.0.1:{target.proxy}"]
    if target.masked:
        command.append("--masked")
    if target.token:  # the person's own credential; the service's secret is put in on the way
        environment["SLUICEGATE_TOKEN"] = target.token()
        environment.pop("CHUNKS_TOKEN", None)
    else:
        environment["CHUNKS_TOKEN"] = service_token
    pipe = subprocess.PIPE
    with on_core(core):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=1
        )
    assert process.stdin and process.stdout
    with process:
        ready = process.stdout.readline()
        before = target.process.cpu_seconds() if target.process else 0.0
        if ready == "ready\n":
            process.stdin.write("go\n")
            process.stdin.flush()
        line = process.stdout.readline()
        after = target.process.cpu_seconds() if target.process else 0.0
        _, errors = process.communicate()
    if process.returncode != 0 or not line:
        raise Failed(f"{target.name}, {connections} connections: {errors.strip()}")
    result = json.loads(line)
    cpu = (after - before) * 1000 / result["requests"] if target.process else None
    return Sample(target.name, connections, result["rps"], result["p50"], result["p99"], cpu)
