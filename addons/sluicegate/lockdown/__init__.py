"""Which connections may exist at all: hosts, protocols, and the addresses that may be dialled."""

from sluicegate.lockdown.problems import problems

__all__ = ["problems"]
