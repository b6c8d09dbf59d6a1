"""One large response through the gateway, masked while it passes: how much memory its process takes, and how fast.

    python -m bench.large [--megabytes 1000] [--form lines csv json xml msgpack parts]

The peak is the process's own (VmHWM), the console and other processes apart. Every byte that arrives is looked at.
Exit code 0: under the bar; 1: over it, or a form is refused; 2: it could not be measured.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import ssl
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.gateway import Bench
from bench.large_origin import FORMS, SECRET
from bench.processes import Failed, Process

BAR = 150
"""Megabytes that the gateway's process may take, whatever the size of the response."""

_NAMES = {"lines": 0, "csv": 1, "json": 2, "xml": 3, "msgpack": 4, "parts": 5}
_USUAL = ["lines", "csv", "json"]
_HOST = "localhost"


class LargeBench(Bench):
    """The same processes, with a service whose answer is large."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, megabytes: int) -> None:
        self._megabytes = megabytes
        super().__init__(folder, stack)

    def _start(self, name: str, command: Sequence[str], core: int | None) -> Process:
        if name == "origin":
            command = ["bench.large_origin" if each == "bench.origin" else each for each in command]
            command += ["--megabytes", str(self._megabytes)]
        return super()._start(name, command, core)


def fetch(proxy: int, port: int, ca: Path, token: str, chunk: int) -> tuple[int, int, int]:
    """Status, bytes and rows of one response. Raises Failed where a value is in clear, or something is cut off."""
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection("127.0.0.1", proxy, context=context, timeout=120)
    credential = base64.b64encode(f"bearer:{token}".encode()).decode()
    connection.set_tunnel(_HOST, port, {"Proxy-Authorization": f"Basic {credential}"})
    with contextlib.closing(connection):
        connection.request("GET", f"/datasets/customers/chunks/{chunk}")
        response = connection.getresponse()
        size = rows = 0
        rest, secret = b"", SECRET.encode()
        try:
            while piece := response.read(1 << 18):
                size += len(piece)
                if secret in rest + piece:
                    raise Failed("a value is in clear")
                rows += (rest + piece).count(b"Name ") - rest.count(b"Name ")
                rest = piece[-64:]
        except http.client.IncompleteRead as error:
            raise Failed(f"the response was cut off after {size:,} bytes") from error
        return response.status, size, rows


def memory(process: Process) -> tuple[float, float]:
    """Megabytes that a process has, and had at most."""
    lines = Path(f"/proc/{process.popen.pid}/status").read_text().splitlines()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(found["VmRSS"].split()[0]) * 1024 / 1e6, int(found["VmHWM"].split()[0]) * 1024 / 1e6


def measure(megabytes: int, form: str) -> tuple[str, ...]:
    """One row of the table, by a gateway of its own. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="sluicegate-bench-") as folder, contextlib.ExitStack() as stack:
        bench = LargeBench(Path(folder), stack, megabytes)
        gate = bench.target("sluicegate up")
        assert gate.process and gate.proxy and gate.token
        idle, _ = memory(gate.process)
        begun, before = time.monotonic(), gate.process.cpu_seconds()
        status, size, rows = fetch(gate.proxy, bench.port, gate.ca, gate.token(), _NAMES[form])
        seconds, used = time.monotonic() - begun, gate.process.cpu_seconds() - before
        _, peak = memory(gate.process)
        if status != 200:
            return FORMS[_NAMES[form]], f"{status}", "-", f"{idle:.0f}", f"{peak:.0f}", "-", "-"
        if not rows or size < megabytes * 900_000:
            raise Failed(f"{size:,} bytes with {rows:,} rows arrived")
        speeds = f"{size / seconds / 1e6:.0f}", f"{size / used / 1e6:.0f}"
        return FORMS[_NAMES[form]], "200", f"{size / 1e6:,.0f}", f"{idle:.0f}", f"{peak:.0f}", *speeds


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description="A large response through the gateway.")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--form", nargs="+", choices=_NAMES, default=_USUAL)
    options = parser.parse_args()
    table = Table(title=f"{options.megabytes} MB, two masks owed (bar: {BAR} MB)")
    for column in ("type", "status", "MB arrived", "idle MB", "peak MB", "MB/s", "MB/s of CPU"):
        table.add_column(column, justify="left" if column == "type" else "right")
    met = True
    try:
        for form in options.form:
            row = measure(options.megabytes, form)
            met &= row[1] == "200" and float(row[4]) < BAR
            table.add_row(*row)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
