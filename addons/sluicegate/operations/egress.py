"""Hosts that no service names but that the gateway inspects (`others`): what goes out, and where to."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.exchange import OTHERS, Operation
from sluicegate.operations.destination import Ours, judge
from sluicegate.operations.view import RequestView

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def read_egress(view: RequestView, origin: str, ours: Sequence[Ours]) -> Operation:
    """What is asked of another host. `origin` is `https://host[:port]`. A reading method with a body is an upload."""
    destination, side = judge(origin, ours)
    reading = view.method in _READING and not view.body
    return Operation(
        OTHERS,
        "read" if reading else "upload",
        destination=destination,
        destination_side=side,
        route=f"{view.method} to another host",
    )
