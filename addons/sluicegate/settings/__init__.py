"""What policy.toml says, and where the gateway keeps its state."""

from sluicegate.settings.load import Loaded, PolicyFault, Problem, load, nearest
from sluicegate.settings.model import Settings
from sluicegate.settings.state import State

__all__ = ["Loaded", "PolicyFault", "Problem", "Settings", "State", "load", "nearest"]
