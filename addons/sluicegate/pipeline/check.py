"""Load a policy and let every room say what is wrong with it: all problems at once, before anything starts."""

from __future__ import annotations

from pathlib import Path

from sluicegate import approvals, credentials, detection, identity, lockdown, masking, operations, policy
from sluicegate.settings import Loaded, PolicyFault, Problem, load

ROOMS = (identity, lockdown, operations, policy, masking, credentials, detection, approvals)


def all_problems(loaded: Loaded) -> list[Problem]:
    """What the rooms find beyond the model: unknown names, bad paths, unset variables. In the order of the file."""
    return sorted(problem for room in ROOMS for problem in room.problems(loaded))


def problems_of(fault: PolicyFault) -> list[Problem]:
    """What the model does not take, and what the rooms find in the rest. In the order of the file."""
    if fault.rest is None or fault.left is None:
        return fault.problems
    try:
        found = all_problems(fault.rest)
    except Exception:  # the rest is no policy that anybody wrote; what is certain has been found
        return fault.problems
    return sorted({*fault.problems, *[one for one in found if fault.left.is_about(one.where, one.message)]})


def load_checked(path: Path) -> Loaded:
    """Raises PolicyFault with every problem of the file."""
    try:
        loaded = load(path)
    except PolicyFault as fault:
        raise PolicyFault(path, problems_of(fault)) from None
    problems = all_problems(loaded)
    if problems:
        raise PolicyFault(path, problems)
    return loaded
