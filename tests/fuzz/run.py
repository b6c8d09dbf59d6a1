"""One reader of requests under atheris, led by the branches that it reaches, for so many runs: `python -m tests.fuzz.run sql 20000`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris


def main(name: str, runs: int) -> None:
    """Ends the process: 0 when nothing was found; else what was, with the input in a file `crash-...` here."""
    with atheris.instrument_imports(include=["sluicegate"], enable_loader_override=False):
        from tests.fuzz.readers import READERS
        from tests.fuzz.seeds import SEEDS
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        limits = [f"-runs={runs}", "-max_len=1600", "-rss_limit_mb=2048", "-timeout=60", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, folder], READERS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
