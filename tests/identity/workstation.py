"""A console that serves, and a workstation that runs `sluicegate` against it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from sluicegate.cli.app import app
from sluicegate.errors import Fault

POLICY = """
[gateway]
listen = "127.0.0.1:0"
[identity]
issuer = "{issuer}"
refresh_seconds = 10.0
{identity}
[console]
listen = "127.0.0.1:{port}"
operators = ["person:linus"]
"""


def clean_environment() -> dict[str, str]:
    """This one without whatever would change what the commands do."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        and not name.startswith(("SLUICEGATE_", "SSH_"))
        and name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }


@contextmanager
def console(folder: Path, issuer: str, identity: str = "", port: int = 0) -> Iterator[str]:
    """A console, on a free port unless one is named; yields its address."""
    policy = folder / "policy.toml"
    policy.write_text(POLICY.format(issuer=issuer, identity=identity, port=port))
    process = subprocess.Popen(
        [sys.executable, "-m", "sluicegate.cli", "console", "--policy", str(policy), "--state", str(folder / "state")],
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stderr is not None
        said = process.stdout.readline()
        assert "console on" in said, process.stderr.read()
        yield said.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.wait(60)


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Workstation:
    """One person's machine. Its commands run in this process: starting one takes longer than what it does."""

    folder: Path
    console: str

    def run(self, *arguments: str, **environment: str) -> Ended:
        """`sluicegate ARGUMENTS`, to its end."""
        inherited = {name: None for name in os.environ if name not in clean_environment()}
        env = {**inherited, "SLUICEGATE_CONFIG": str(self.folder), "COLUMNS": "200", **environment}
        with contextlib.chdir(self.folder):
            result = CliRunner().invoke(app, arguments, env=env)
        if isinstance(result.exception, Fault):
            # As in `main`, which stands around the commands.
            return Ended(result.exception.exit_code, result.stdout, f"{result.stderr}{result.exception}")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def login(self, driver: Any, person: str, *, device: bool = False, decision: str = "allow", **how: Any) -> Ended:
        """Sign in, and do at the provider what the person would."""
        browse, people = how.get("browse", driver.at_browser), []

        def told(text: str) -> None:
            if device:
                page, code = re.search(r"go to\n\n  (\S+)\n", text), re.search(r"type the code  (\S+)", text)
                assert page and code
                driver.at_device(page[1], code[1], person, decision)
                return
            url = re.search(r"go to:\n\n  (\S+)\n", text)
            assert url
            people.append(pool.submit(browse, url[1], person, decision))

        options = ["login", "--console", self.console]
        options += [f"--{name}" for name, on in (("json", how.get("json", True)), ("device", device)) if on]
        with (
            ThreadPoolExecutor(1) as pool,
            mock.patch("sluicegate.cli.login._tell", told),
            mock.patch("sluicegate.cli.signing_in.browser.is_here", lambda: True),
            mock.patch("webbrowser.open", lambda _url: True),
            mock.patch("sluicegate.cli.signing_in.browser.WAIT_SECONDS", 60.0),
        ):
            ended = self.run(*options)
            for one in people:
                one.result(60)
        return ended

    @property
    def handle(self) -> str:
        """The credential that is stored."""
        return str(json.loads((self.folder / "session.json").read_text())["handle"])
