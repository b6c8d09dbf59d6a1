"""The table in docs/clients.md, as the tests of real clients found it. They write it where SLUICEGATE_WRITE_CLIENTS is set."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "clients.md"
BEGIN = "<!-- found: written by SLUICEGATE_WRITE_CLIENTS=1 make interop T=tests/clients -->"
END = "<!-- end of found -->"


@dataclass(frozen=True)
class Found:
    """What came of one client under `sluicegate run`."""

    name: str
    release: str
    way: str
    """`through it`, or `past it`."""
    got: str
    """What became of a request that a rule allows."""
    told: str
    """What it shows of a rule's refusal, and where."""
    signed_out: str
    """What it shows where the sign-in has run out, and where."""


HEAD = [
    "| client | release | it goes | what a rule allows | of a rule's refusal it shows | of a sign-in that ran out it shows |",
    "|---|---|---|---|---|---|",
]


def write(found: Found, order: list[str]) -> None:
    """Put one row in, or in the place of the one before, in the order of the names."""
    rows = {**shown(), found.name: list(astuple(found))}
    lines = [*HEAD, *(f"| {' | '.join(rows[name])} |" for name in order if name in rows)]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    text = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def shown() -> dict[str, list[str]]:
    """The rows that stand in the page, by client."""
    rows = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row for row in cells}
