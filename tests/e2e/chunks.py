"""The demo's chunk service as a process of its own, and what it truly holds, asked past the gate."""

from __future__ import annotations

import functools
import json
import os
import ssl
import subprocess
import sys
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from tests.running import ROOT

SECRET = "the-service-secret"
"""What `Running` gives the gateway as CHUNKS_TOKEN."""


class ChunkService:
    """Serves from its making until `close`. `folder` holds its certificates, its data and what was exported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port_file = folder / "service.port"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo.chunk_service", "--state", str(folder), "--port-file", str(port_file)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "CHUNKS_TOKEN": SECRET, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("chunk service: https://"), line + self.process.stdout.read()
        self.port = int(port_file.read_text())
        self.host = f"localhost:{self.port}"
        self.url = f"https://{self.host}"

    def ask(self, path: str) -> Any:
        """What the service itself answers, with the service's own secret."""
        trusted = ssl.create_default_context(cafile=self.folder / "ca.pem")
        connection = HTTPSConnection("localhost", self.port, context=trusted, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {SECRET}"})
            response = connection.getresponse()
            assert response.status == 200
            return json.loads(response.read())
        finally:
            connection.close()

    @functools.cache  # noqa: B019 - it lives as long as the tests
    def rows(self, chunk: int) -> list[dict[str, Any]]:
        """The true rows of a chunk."""
        found: list[dict[str, Any]] = self.ask(f"/datasets/customers/chunks/{chunk}")["rows"]
        return found

    def alive(self) -> bool:
        """Whether the dataset is still there."""
        return bool(self.ask("/datasets/customers")["rows"] == 10_000)

    def exported(self, destination: str) -> bool:
        """Whether there is an object at `s3://bucket/key`."""
        return self.folder.joinpath("sink", *destination.removeprefix("s3://").split("/")).exists()

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


def assert_masked(rows: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    """The rows as somebody outside of the fraud group may see them: ssn to its last four, email as a pseudonym."""
    assert len(rows) == len(truth) > 0
    for row, true in zip(rows, truth, strict=True):
        masked = {"ssn": "****" + true["ssn"][-4:], "email": row["email"]}
        assert row == {name: masked.get(name, true[name]) for name in row}
    names = {(row["email"], true["email"]) for row, true in zip(rows, truth, strict=True)}
    assert all(pseudonym.startswith("h1.") for pseudonym, _ in names)
    assert len({pseudonym for pseudonym, _ in names}) == len({email for _, email in names}) == len(names)


def plain_values(rows: list[dict[str, Any]]) -> list[bytes]:
    """What must never be seen by somebody for whom the rows are masked."""
    return [row[name].encode() for row in rows for name in ("ssn", "email") if name in row]
