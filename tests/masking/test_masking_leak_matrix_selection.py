"""What `make leak-matrix` leaves out for a part of the rows, and for rows that were done before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.running import ROOT

ROWS = """
import pathlib
import pytest

@pytest.mark.parametrize("row", ["a, b", "Lübeck", *range(18)])
def test_row(row):
    assert row != 7 or pathlib.Path("mended").exists()
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_rows.py").write_text(ROWS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(*options: str) -> tuple[int, set[str]]:
        plugins = ["-p", "xdist", "-p", "tests.masking.leak_matrix.selection"]
        command = [sys.executable, "-m", "pytest", *plugins, "-v", *options]
        # To load all the others takes most of the time, at each start.
        environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
        lines = ended.stdout.splitlines()
        return ended.returncode, {line.split(" PASSED")[0] for line in lines if " PASSED" in line}

    return run


def test_the_parts_together_are_all_rows_once(run):
    parts = [run("--shard", f"{number}/3")[1] for number in (1, 2, 3)]
    assert all(parts) and sum(map(len, parts)) == 19
    assert len(set().union(*parts)) == 19


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/b", "1/0"])
def test_a_part_that_cannot_be_runs_nothing(run, shard):
    assert run("--shard", shard) == (4, set())


def test_a_run_goes_on_with_what_did_not_pass(run, tmp_path):
    done = str(tmp_path / "done")
    assert len(run("--done", done, "--shard", "1/2")[1]) + len(run("--done", done, "--shard", "2/2")[1]) == 19
    assert run("--done", done) == (1, set())
    (tmp_path / "mended").touch()
    assert run("--done", done)[0] == 0
    assert len((tmp_path / "done").read_text().splitlines()) == 20


def test_one_of_several_processes_writes_what_is_done(run, tmp_path):
    run("--done", str(tmp_path / "done"), "-n", "2")
    lines = (tmp_path / "done").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 19
