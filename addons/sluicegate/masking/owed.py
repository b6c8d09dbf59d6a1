"""What a name owes: the mask on it, and that on a column around it where it is a way (`address.street`).

Where a document is nested the mask on `address` replaces all that is in it. Services that write the same in one level
(tables, sources of Elasticsearch, fields beside a hit) give what is in it a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluicegate.mask_method import Manner, shows_nothing
from sluicegate.masking.methods import Action
from sluicegate.masking.names import levels


def action_of(named: Mapping[str, Action], name: str) -> Action | None:
    """The strictest mask on a name. `named` is column name in normal form to the mask on it."""
    own, *around = levels(name)
    found = [hidden(action) for level in around if (action := named.get(level)) is not None]
    action = named.get(own)
    if action is not None:
        found.append(action)
    return min(found, default=None)


def hidden(action: Action) -> Action:
    """The mask as it is where nothing of a value may be shown."""
    if shows_nothing(action.method, action.manner):
        return action
    return Action.of(action.mask, "redact", Manner(typed=action.manner.typed))
