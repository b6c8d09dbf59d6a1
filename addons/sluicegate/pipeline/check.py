"""Load a policy and let every room say what is wrong with it: all problems at once, before anything starts."""

from __future__ import annotations

from pathlib import Path

from sluicegate import approvals, credentials, detection, identity, lockdown, masking, operations, policy
from sluicegate.settings import Loaded, PolicyFault, Problem, load

ROOMS = (identity, lockdown, operations, policy, masking, credentials, detection, approvals)


def all_problems(loaded: Loaded) -> list[Problem]:
    """What the rooms find beyond the model: unknown names, bad paths, unset variables. In the order of the file."""
    return sorted(problem for room in ROOMS for problem in room.problems(loaded))


def load_checked(path: Path) -> Loaded:
    """Raises PolicyFault with every problem of the file."""
    loaded = load(path)
    problems = all_problems(loaded)
    if problems:
        raise PolicyFault(path, problems)
    return loaded
