"""The sluicegate-replay command: one file a command, listed in `app`."""

from sluicegate_replay.cli.app import app, main

__all__ = ["app", "main"]
