"""Rows of a label or two and a text that wraps beside them, without a space at the end of any line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from sluicegate.cli.safe_text import safe

_NARROW = 24
"""The least room that a text is given; below it lines run over rather than into one word a line."""
Row = tuple[Sequence[Text], Text | str]


def rows(console: Console, entries: Iterable[Row], *, indent: int = 0, gap: int = 2, least: int = 0) -> None:
    """Print rows whose labels stand in columns. A text keeps its style; a plain one is made safe."""
    found = list(entries)
    count = max((len(labels) for labels, _ in found), default=0)
    widths = [max((len(labels[i]) for labels, _ in found if i < len(labels)), default=0) for i in range(count)]
    if widths:
        widths[0] = max(widths[0], least)
    for labels, text in found:
        line = Text(" " * indent)
        for index, label in enumerate(labels):
            line.append_text(label)
            line.append(" " * (widths[index] - len(label) + gap))
        room = max(console.width - len(line), _NARROW)
        plain = text.plain if isinstance(text, Text) else safe(text)
        style = text.style if isinstance(text, Text) else ""
        wrapped = textwrap.wrap(plain, room, break_on_hyphens=False) or [""]
        margin = " " * len(line)
        for number, part in enumerate(wrapped):
            start = line if number == 0 else Text(margin)
            out = Text.assemble(start, (part, style))
            out.rstrip()
            console.print(out, soft_wrap=True)


def field(console: Console, label: str, text: Text | str) -> None:
    """One line of an explanation: a label in bold, and what it says."""
    rows(console, [((Text(label, "bold"),), text)], least=9)
