"""`python -m sluicegate_replay`."""

from sluicegate_replay.cli import main

main()
