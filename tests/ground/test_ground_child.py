"""Worker processes end with the process that started them, even when that is killed and can end nothing itself."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from sluicegate.child import end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context(sys.argv[1]), end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("way", ["spawn", "forkserver"])
def test_a_worker_ends_with_a_process_that_is_killed(tmp_path, way):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(file), way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert int(process.stdout.readline()) != process.pid
    process.send_signal(signal.SIGKILL)
    # Whoever is left holds the other end of this pipe open.
    assert process.stdout.read() == ""
    process.wait()
    process.stdin.close()
    process.stdout.close()
