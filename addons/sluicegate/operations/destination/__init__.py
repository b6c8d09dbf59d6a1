"""Where data goes: every spelling of a destination in one normal form, and whether the policy calls it ours."""

from sluicegate.operations.destination.form import MAX_LENGTH, place
from sluicegate.operations.destination.judge import SEVERAL, UNREADABLE, judge, judge_all
from sluicegate.operations.destination.ours import Ours
from sluicegate.operations.destination.place import Place

__all__ = ["MAX_LENGTH", "SEVERAL", "UNREADABLE", "Ours", "Place", "judge", "judge_all", "place"]
