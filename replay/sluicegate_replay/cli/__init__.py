"""The sluicegate-replay command: one file a command, listed in `app.py`."""

from sluicegate_replay.cli.app import main

__all__ = ["main"]
