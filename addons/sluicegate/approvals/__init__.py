"""Held requests: who asked, who may decide, and the grant that lets one exact request through."""

from sluicegate.approvals.problems import problems

__all__ = ["problems"]
