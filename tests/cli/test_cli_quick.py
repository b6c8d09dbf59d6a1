"""Commands are quick to start: none of the large packages is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

LARGE = (
    "mitmproxy",
    "sqlglot",
    "pyarrow",
    "sqlalchemy",
    "alembic",
    "httpx2",
    "uvicorn",
    "starlette",
    "joserfc",
    "cryptography",
)


def loaded_by(statement: str) -> set[str]:
    """The large packages that a fresh interpreter has loaded after a statement."""
    report = f"import sys\n{statement}\nprint(*(set({LARGE!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


@pytest.mark.parametrize("module", ["sluicegate.cli.app", "sluicegate_replay.cli"])
def test_a_command_line_loads_nothing_large(module):
    assert loaded_by(f"import {module}") == set()


def test_what_checks_a_policy_loads_no_proxy_and_no_database():
    assert loaded_by("import sluicegate.pipeline.check") <= {"joserfc", "cryptography", "sqlglot"}


def test_the_test_sees_what_is_loaded():
    assert "mitmproxy" in loaded_by("import sluicegate.pipeline.serve")
