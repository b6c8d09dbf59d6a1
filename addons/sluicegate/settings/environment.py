"""`${NAME}` in a value of the policy: an environment variable, so that no secret is in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with each variable's value, once: what the environment holds is not filled again. Raises ValueError."""

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1], "")
        if not found:
            raise ValueError(f"the environment variable {match[1]} is not set")
        return found

    return _NAME.sub(value, text)
