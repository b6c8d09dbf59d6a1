"""May they: rules and masks, compiled once; a verdict for each operation, with its reasons."""

from sluicegate.policy.check import problems
from sluicegate.policy.context import Context, Use
from sluicegate.policy.decide import decide
from sluicegate.policy.index import Policy

__all__ = ["Context", "Policy", "Use", "decide", "problems"]
