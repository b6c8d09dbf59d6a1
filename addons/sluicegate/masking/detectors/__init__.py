"""Values that no column tells, found by what they look like: a pattern says where to look, a check what it is."""

from sluicegate.masking.detectors.spans import Look, Span, find

__all__ = ["Look", "Span", "find"]
