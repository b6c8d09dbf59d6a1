"""A part of the rows, and the rows that are not done yet, for runs that take long.

pytest takes it with `-p tests.masking.leak_matrix.selection`; without `--shard` and `--done` all rows run.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise pytest.UsageError(f"--shard {text}: say 1/4, 2/4, 3/4 or 4/4 for the quarters")
    return int(found[1]), int(found[2])


class _Done:
    """Writes down each row once it did not fail."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.failed:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shard", type=_shard, default=(1, 1), help="1/4 runs the first quarter of the rows")
    parser.addoption("--done", type=Path, help="rows in this file are left out; rows that pass are added to it")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("done")
    if path is not None and not hasattr(config, "workerinput"):  # of several processes one writes
        config.pluginmanager.register(_Done(path))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    number, of = config.getoption("shard")
    path = config.getoption("done")
    done = set(path.read_text(encoding="utf-8").splitlines()) if path is not None and path.exists() else set()
    # By name, not by place: a row stays in its part when others are added.
    kept = [item for item in items if zlib.crc32(item.nodeid.encode()) % of == number - 1 and item.nodeid not in done]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
