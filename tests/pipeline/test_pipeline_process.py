"""The process that `sluicegate up` becomes: nothing of the command line is left, and nothing of where somebody stood."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from pathlib import Path

from sluicegate.pipeline import process

BIN = Path(sys.executable).parent


def test_up_is_no_command_line_any_more_and_takes_no_module_from_the_folder_that_it_was_started_in(tmp_path):
    for name in ("orjson", "sluicegate", "msgspec"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path('taken').touch(); raise SystemExit(9)\n")
    done = subprocess.run(
        [BIN / "sluicegate", "up", "--policy", "nowhere.toml"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2 and "nowhere.toml" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "taken").exists()


def test_what_runs_has_not_loaded_what_reads_options():
    report = (
        "import sys, json; import sluicegate.pipeline.process, sluicegate.pipeline.check\n"
        "from sluicegate.pipeline import few_addons; few_addons.leave_out_the_rest()\n"
        "import sluicegate.pipeline.order, sluicegate.pipeline.serve\n"
        "print(json.dumps([name for name in ('typer', 'rich', 'alembic', 'sluicegate.cli') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_tables_are_made_by_a_process_of_their_own(tmp_path):
    from sluicegate.database import Database
    from sluicegate.pipeline.process import migrate

    migrate(str(tmp_path / "made.sqlite3"))
    report = (
        "import asyncio, sys; from pathlib import Path; from sluicegate.database import Database\n"
        "async def main():\n"
        "    database = Database.of(None, Path(sys.argv[1])); await database.open(); await database.close()\n"
        "asyncio.run(main()); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", report, str(tmp_path / "made.sqlite3")], check=True)
    assert Database.of(None, tmp_path / "made.sqlite3").place.endswith("made.sqlite3")


def test_a_console_that_ends_each_time_is_started_again_less_and_less_often(monkeypatch, caplog):
    pauses = []

    class Console:
        async def wait(self):
            return 2

    async def start(*command, **options):
        return Console()

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with contextlib.suppress(asyncio.CancelledError), caplog.at_level(logging.ERROR):
        asyncio.run(process._keep_console(process.Wanted("p", "s", "regular", True, False)))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert "ended with status 2, and is started again in 16 s" in caplog.text
