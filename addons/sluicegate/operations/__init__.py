"""What is asked: a request becomes an Operation. One file a dialect; most services are declared in policy.toml."""

from sluicegate.operations.check import problems
from sluicegate.operations.read import Reader
from sluicegate.operations.view import RequestView

__all__ = ["Reader", "RequestView", "problems"]
