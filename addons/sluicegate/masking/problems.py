"""What is wrong with the masks of a policy beyond what its model can see."""

from __future__ import annotations

from sluicegate.jsonpath import parse
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.positions import line_of


def problems(loaded: Loaded) -> list[Problem]:
    """Masks whose path cannot be compiled. A path that we do not understand wholly is never ignored."""
    found = []
    for index, rule in enumerate(loaded.settings.masks):
        if rule.path is not None:
            try:
                parse(rule.path)
            except ValueError as error:
                line = line_of(("masks", index, "path"), loaded.lines)
                found.append(
                    Problem(line, f"masks.{rule.id}.path", str(error), "write it like `$.rows[*].ssn` or `$..ssn`")
                )
    return found
