"""Commands are quick to start: none of the large packages is loaded before it is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

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
    "sluicegate.settings.model",
    "phonenumbers",
    "hyperscan",
    "pyrage",
)


def loaded_by(statement: str) -> set[str]:
    """The large packages that a fresh interpreter has loaded after a statement."""
    report = f"import sys\n{statement}\nprint(*(set({LARGE!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else set()


@pytest.mark.parametrize("module", ["sluicegate.cli.app", "sluicegate_replay.cli"])
def test_a_command_line_loads_nothing_large(module):
    assert loaded_by(f"import {module}") == set()


COMMANDS = [
    ("sluicegate", "login --help"),
    ("sluicegate", "up --help"),
    ("sluicegate", "policy explain --help"),
    ("sluicegate", "whoami --policy nowhere.toml"),
    ("sluicegate", "approvals list --policy nowhere.toml"),
    ("sluicegate", "ca show --policy nowhere.toml"),
    ("sluicegate", "env --policy nowhere.toml"),
    ("sluicegate-replay", "--help"),
    ("sluicegate-replay", "list --from . --no-cache"),
    ("sluicegate-replay", "verify --from ."),
]


NEEDED = {
    "env": {"sluicegate.settings.model", "cryptography"},
    "whoami": {"sluicegate.settings.model"},
    "approvals list": {"sluicegate.settings.model"},
    "policy explain": {"sluicegate.settings.model"},
    "ca show": {"sluicegate.settings.model", "cryptography"},
    "verify": {"cryptography"},
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_loads_nothing_large_that_it_does_not_need(command, tmp_path):
    """As it is called: what is loaded when the process ends."""
    name, arguments = command
    report = (
        "import atexit, json, pathlib, runpy, sys\n"
        f"said = lambda: pathlib.Path('modules.json').write_text(json.dumps([*(set({LARGE!r}) & set(sys.modules))]))\n"
        "atexit.register(said)\n"
        f"sys.argv = {[str(BIN / name), *arguments.split()]!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    needed = NEEDED.get(arguments.split(" -")[0], set())
    assert set(json.loads((tmp_path / "modules.json").read_text())) <= needed


def test_what_checks_a_policy_loads_no_proxy_and_no_database():
    assert loaded_by("import sluicegate.pipeline.check") <= {
        "joserfc",
        "cryptography",
        "sqlglot",
        "sluicegate.settings.model",
    }


def test_the_gateway_leaves_out_what_only_others_of_mitmproxys_addons_need():
    others = ("flask", "werkzeug", "ldap3", "alembic", "mako")
    report = (
        "import sys; from sluicegate.pipeline import few_addons; few_addons.leave_out_the_rest()\n"
        "import sluicegate.pipeline.serve\n"
        f"assert not {{*{others!r}}} & {{*sys.modules}}, {{*{others!r}}} & {{*sys.modules}}\n"
        "from mitmproxy import addons; assert len(addons.default_addons()) > 20\n"
    )
    subprocess.run([sys.executable, "-c", report], check=True)


BUILT = """
from pathlib import Path
from sluicegate.pipeline import few_addons; few_addons.leave_out_the_rest()
from sluicegate.pipeline.check import load_checked
from sluicegate.pipeline.order import build
from sluicegate.settings import State
build(load_checked(Path({policy!r})), State(Path({state!r})).open())
import sluicegate.pipeline.serve
"""
SQL = """
[services.lake]
hosts = ["lake.internal:8080"]
dialect = "trino"
"""


@pytest.mark.parametrize("more", ["", SQL], ids=["", "SQL"])
def test_a_gateway_loads_at_its_start_what_its_policy_needs_and_nothing_large_else(more, tmp_path, monkeypatch):
    monkeypatch.setenv("CHUNKS_TOKEN", "x" * 20)
    policy = tmp_path / "policy.toml"
    demo = (Path(__file__).parents[2] / "policy.toml").read_text()
    policy.write_text(re.sub("^trusted_ca = .*$", "", demo, flags=re.MULTILINE) + more)
    loaded = loaded_by(BUILT.format(policy=str(policy), state=str(tmp_path / "state")))
    assert "mitmproxy" in loaded
    assert not loaded & {"pyarrow", "alembic", "uvicorn", "starlette", "phonenumbers", "hyperscan"}
    assert ("sqlglot" in loaded) == bool(more)


def test_the_test_sees_what_is_loaded():
    assert "mitmproxy" in loaded_by("import sluicegate.pipeline.serve")
