"""The sluicegate command: one file a command."""

from sluicegate.cli.app import main

__all__ = ["main"]
