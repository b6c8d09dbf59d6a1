"""What policy.toml says, and where the gateway keeps its state.

Names are loaded when they are asked for: most commands want to know where the state is, and the model of a whole
policy takes longer to make than what they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluicegate.settings.loading import Loaded, PolicyFault, Problem, load, nearest
    from sluicegate.settings.model import Settings
    from sluicegate.settings.state import State

__all__ = ["Loaded", "PolicyFault", "Problem", "Settings", "State", "load", "nearest"]


def __getattr__(name: str) -> Any:
    if name == "State":
        from sluicegate.settings import state as home
    elif name == "Settings":
        from sluicegate.settings import model as home  # type: ignore[no-redef]
    elif name in __all__:
        from sluicegate.settings import loading as home  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(home, name)
    return found
