"""The list of approvals as a table, and the same staying on the screen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sluicegate.cli import console_client
from sluicegate.cli.safe_text import safe

SECONDS = 2.0
"""Between two looks."""

_HEAD = ("Code", "State", "Who", "What", "To", "Why held", "Until", "Decides")


def row(approval: dict[str, Any]) -> tuple[str, ...]:
    """The cells of one approval, not yet safe for a terminal."""
    return (
        approval["code"],
        approval["state"],
        approval["requester"]["name"],
        " ".join(filter(None, (approval["kind"], approval["dataset"]))),
        approval["destination"] or "",
        " ".join(approval["reasons"]),
        approval["pending_until"],
        "you" if approval["may_decide"] else "",
    )


def table(rows: list[tuple[str, ...]]) -> Table:
    """The table for a terminal."""
    made = Table(box=None, header_style="bold")
    for name in _HEAD:
        # Half a code or a time is good for nothing, and of a destination the end says as much as the beginning.
        made.add_column(name, no_wrap=name in ("Code", "Until"), overflow="fold")
    for cells in rows:
        made.add_row(*(Text(safe(cell)) for cell in cells))
    return made


def watch(
    base: str,
    bearer: str,
    as_json: Callable[[dict[str, Any]], None] | None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Show the list until Ctrl-C; a bell rings when something new waits for the person.

    On a terminal the table stays in place; elsewhere, and as JSON, each approval that is new or changed is one line.
    Raises Refused when the console says no, Fault when it cannot be reached.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    live = console.is_terminal and as_json is None
    known: dict[str, Any] = {}
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, auto_refresh=False) if live else _nothing() as on,
    ):
        while True:
            found = console_client.call(base, bearer, "GET")["approvals"]
            changed = [one for one in found if known.get(one["id"]) != one]
            new = any(one["may_decide"] and one["id"] not in known for one in found)
            known = {one["id"]: one for one in found}
            if on is not None:
                if new:
                    console.bell()
                on.update(table([row(one) for one in found]), refresh=True)
            for one in changed if on is None else ():
                if as_json:
                    as_json(one)
                else:
                    print("\t".join(safe(cell) for cell in row(one)), flush=True)
            pause(SECONDS)


@contextlib.contextmanager
def _nothing() -> Any:
    yield None
