"""What leaves: fields of responses are masked as the verdict demands, or the response is refused."""

from __future__ import annotations

from sluicegate.masking.key import load_or_create
from sluicegate.masking.problems import problems

__all__ = ["load_or_create", "problems"]
