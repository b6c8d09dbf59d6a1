"""Environments of real servers and clients: made once from a pinned list, kept in `.interop/`, found again by its hash.

Servers and clients clash with each other and with the gateway in what they pin, so each has an environment of its own.
`SLUICEGATE_INTEROP` names another folder, so that several working copies can share what was installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import ROOT

FOLDER = Path(os.environ.get("SLUICEGATE_INTEROP", ROOT / ".interop"))
_READY = ".ready"
_SECONDS = 1800
"""The largest environment is a gigabyte, and an index may be slow; beyond this something is wrong."""


@dataclass(frozen=True)
class Environment:
    """A list of pinned packages under a name. `kind` says whose packages they are."""

    name: str
    packages: tuple[str, ...]
    kind: str = "python"

    @property
    def folder(self) -> Path:
        """Where it is kept; another list, or another Python, is another folder."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}" if self.kind == "python" else "node"
        key = "\n".join((self.kind, version, *self.packages))
        return FOLDER / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    @property
    def ready(self) -> bool:
        """Whether it has been made, completely."""
        return (self.folder / _READY).exists()

    def make(self) -> Environment:
        """Install it unless it is there. Skips the test where npm is missing; raises AssertionError when it fails."""
        unpinned = [package for package in self.packages if "==" not in package and "@" not in package[1:]]
        assert not unpinned, f"not pinned: {unpinned}"
        if self.kind == "npm" and shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder.with_suffix(".lock")):
            if not self.ready:
                shutil.rmtree(self.folder, ignore_errors=True)  # what an interrupted installation left
                for command in self._commands():
                    _run(command)
                (self.folder / _READY).touch()
        return self

    def run(self, name: str) -> str:
        """Path of a command in it."""
        return str(self.folder / ("bin" if self.kind == "python" else "node_modules/.bin") / name)

    def _commands(self) -> Iterator[list[str]]:
        folder = str(self.folder)
        if self.kind == "npm":
            yield ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *self.packages]
        elif uv := shutil.which("uv"):
            yield [uv, "venv", "--quiet", "--python", sys.executable, folder]
            yield [uv, "pip", "install", "--quiet", "--python", self.run("python"), *self.packages]
        else:
            yield [sys.executable, "-m", "venv", folder]
            pip = [self.run("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            yield [*pip, *self.packages]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Two runs of the tests may want the same environment: the second waits for the first, and finds it made.
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    assert done.returncode == 0, f"{' '.join(command[:4])} ...:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
