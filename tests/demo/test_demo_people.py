"""The command that `make up` names for tokens of the others does what it says there."""

from __future__ import annotations

import re
import subprocess
import sys

from demo import processes
from demo.people import PEOPLE
from tests.running import ROOT, free_port


def test_the_command_that_is_printed_prints_a_token(provider):
    named = re.search(r"python -m (demo\.people) (\w+)", (ROOT / "demo" / "processes.py").read_text())
    assert named and named[2] in PEOPLE
    command = [sys.executable, "-m", named[1], named[2]]
    done = subprocess.run([*command, "--issuer", provider.issuer], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("eyJ") and done.stdout.count(".") == 2 and done.stdout.count("\n") == 1
    shown = subprocess.run([*command[:-1], "--help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "provider" in shown


def test_without_a_provider_it_says_so_in_one_line():
    command = [sys.executable, "-m", "demo.people", "ada", "--issuer", f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and "make up" in done.stderr


def test_it_asks_the_provider_of_the_demo():
    assert f'default="{processes.ISSUER}"' in (ROOT / "demo" / "people.py").read_text()
