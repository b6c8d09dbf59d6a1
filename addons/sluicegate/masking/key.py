"""The key that pseudonyms are made with. Who has it can undo them, so it is guarded like the data itself."""

from __future__ import annotations

from sluicegate.settings import State, key_file

NAME = "masking.key"
LENGTH = key_file.LENGTH
"""In bytes."""
_ANOTHER = "Restore it from a backup; with a new key, new pseudonyms do not join with old ones."


def load_or_create(state: State) -> bytes:
    """The key from the state folder, made at the first start. Raises Fault when it cannot be trusted or kept."""
    return key_file.load_or_create(state.keys / NAME, "masking key", _ANOTHER)
