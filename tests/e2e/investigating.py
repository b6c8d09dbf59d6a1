"""What an investigator does with the recordings of a gateway: list them, and open the files with stock mitmproxy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import zstandard
from mitmproxy.io import FlowReader

from tests import forked
from tests.running import BIN, Running, free_port


class Listed(NamedTuple):
    """What `sluicegate-replay list --json` printed."""

    code: int
    exchanges: list[dict[str, Any]]
    unknown: list[str]
    damage: list[Any]


def replay(gate: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `sluicegate-replay` on the recordings."""
    return forked.run(
        [str(BIN / "sluicegate-replay"), *arguments, "--from", str(gate.state / "recordings")],
        env={"PATH": os.environ["PATH"], "HOME": str(gate.folder)},
        cwd=gate.folder,
    )


def listed(gate: Running) -> Listed:
    """Every exchange that is recorded."""
    done = replay(gate, "list", "--json", "--limit", "100000")
    document = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    return Listed(done.returncode, document["exchanges"], document["unknown"], document["damage"])


def mitmdump(gate: Running, file: Path) -> str:
    """What stock mitmdump shows of a flow file. Raises AssertionError when it cannot read it."""
    done = subprocess.run(
        [str(BIN / "mitmdump"), "-n", "-r", str(file), "--set", f"confdir={gate.folder / 'stock'}"],
        env={"PATH": os.environ["PATH"], "HOME": str(gate.folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and not re.search("corrupt|error|invalid", done.stderr, re.I), done.stderr
    return done.stdout


def mitmweb(gate: Running, file: Path) -> list[dict[str, Any]]:
    """The flows that stock mitmweb holds once it has opened a flow file, as its own pages get them."""
    port = free_port()
    options = ("--no-web-open-browser", "--web-port", str(port), "--set", "web_password=pw")
    process = subprocess.Popen(
        [str(BIN / "mitmweb"), "-n", "-r", str(file), *options, "--set", f"confdir={gate.folder / 'stock'}"],
        env={"PATH": os.environ["PATH"], "HOME": str(gate.folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Web server listening" in line:
                break
        else:
            raise AssertionError("".join(said))
        # It listens first and reads then: asked until it has as many flows as there are elements in the file.
        wanted = sum(1 for _ in FlowReader(file.open("rb")).stream())
        deadline = time.monotonic() + 60
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/flows?token=pw", timeout=60) as answer:
                flows: list[dict[str, Any]] = json.load(answer)
            if len(flows) == wanted or time.monotonic() > deadline:
                return flows
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def kept(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder with its bytes, and once more with whatever in it can be decompressed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            for start in (match.start() for match in re.finditer(rb"\x1f\x8b\x08", data)):
                try:
                    yield path, zlib.decompressobj(31).decompress(data[start:])
                except zlib.error:
                    continue
            for start in (match.start() for match in re.finditer(rb"\x28\xb5\x2f\xfd", data)):
                try:
                    yield path, zstandard.ZstdDecompressor().decompressobj().decompress(data[start:])
                except zstandard.ZstdError:
                    continue
            # br has no mark of its own: bodies stand behind `content;LENGTH:` in a flow file.
            for match in re.finditer(rb"7:content;(\d{2,7}):", data):
                try:
                    yield path, brotli.decompress(data[match.end() : match.end() + int(match[1])])
                except brotli.error:
                    continue
