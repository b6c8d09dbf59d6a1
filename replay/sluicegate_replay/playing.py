"""A session played again: its exchanges in their own rhythm, faster, or step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from sluicegate.recording.readable import readable
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.shown import masked, verdict_of
from sluicegate_replay.escape import label, moment, plain
from sluicegate_replay.rows import UNKNOWN, Line
from sluicegate_replay.showing import verdict_label

IDLE_SECONDS = 2.0
"""Longer pauses are not waited for."""
_PREVIEW_LINES = 12


@dataclass(slots=True)
class Player:
    """Plays on a console. `wait` takes seconds; `step` is asked before each exchange and says whether to go on."""

    console: Console
    load: Callable[[Line], Recorded]
    wait: Callable[[float], None]
    step: Callable[[], bool] | None = None
    speed: float = 1.0

    def play(self, lines: Sequence[Line]) -> None:
        """Show exchanges, given in the order in which they started."""
        before: float | None = None
        for line in lines:
            if before is not None:
                self._pause(line.started - before)
            if self.step is not None and not self.step():
                return
            before = line.started
            self._show(line)

    def _pause(self, gap: float) -> None:
        if not 0 < gap <= IDLE_SECONDS:
            if gap > 0:
                self.console.print(label(f"… {_span(gap)} idle", "dim"))
            return
        if self.step is None:
            self.wait(gap / self.speed)

    def _show(self, line: Line) -> None:
        self.console.print(
            Text.assemble(
                (moment(line.started), "dim"), "  ", (plain(line.who), "bold"), "  ", (plain(line.request), "cyan")
            )
        )
        if line.verdict == UNKNOWN:
            self.console.print(Text("    ").append_text(verdict_label(UNKNOWN)))
            return
        item = self.load(line)
        outcome = Text("    ").append_text(verdict_label(verdict_of(item)))
        if item.response is not None:
            outcome.append_text(label(f" → {item.response.line}"))
        for name, value in (("rules", ", ".join(line.rules)), ("masked", masked(item))):
            if value:
                outcome.append_text(label(f"  {name}: {value}", "dim"))
        self.console.print(outcome)
        if item.response is not None and item.response.body:
            preview = readable(item.response, _PREVIEW_LINES)
            self.console.print(Text("\n".join(f"    {text}" for text in preview.split("\n")), "dim"))


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
