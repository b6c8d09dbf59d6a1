"""What it adds up to: what really left in each exchange, what people usually do, and what points to an insider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.settings import Loaded, Problem


def problems(loaded: Loaded) -> list[Problem]:
    """Names in [detection] that mean nothing."""
    # Here, since processes that know nothing of the policy import this package too.
    from sluicegate.detection.indicators import NAMES
    from sluicegate.settings import Problem, nearest
    from sluicegate.settings.positions import line_of

    told, lines = loaded.settings.detection, loaded.lines
    found = [
        Problem(
            line_of(("detection", "off"), lines),
            "detection.off",
            f"there is no indicator `{name}`",
            nearest(name, NAMES),
        )
        for name in told.off
        if name not in NAMES
    ]
    classes = {one for dataset in loaded.settings.datasets.values() for one in dataset.columns.values()}
    found += [
        Problem(
            line_of(("detection", "weights"), lines), f"detection.weights.{name}", "no column has this class",
            nearest(name, classes),
        )
        for name in told.weights
        if name not in classes
    ]  # fmt: skip
    found += [
        Problem(
            line_of(("detection", "time_zones"), lines), "detection.time_zones",
            f"`{name}` is nobody; write `person:SUBJECT` or `group:NAME`",
        )
        for name in told.time_zones
        if not name.startswith(("person:", "group:"))
    ]  # fmt: skip
    return found
