"""How each built-in dialect was checked: the table in docs/services.md, made from the tests themselves.

A test module with real services says `CHECKED = [(dialect, service and version, clients and versions), ...]`. A dialect
that none of them names is known from documentation only, and the table says so.

    python -m tests.interop.checked docs/services.md
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from sluicegate.operations.built_in import DIALECTS
from tests.interop.denials import SEEN

HERE = Path(__file__).parent
BEGIN = "<!-- checked: written by `python -m tests.interop.checked docs/services.md` -->"
END = "<!-- end of checked -->"
SEEN_BEGIN = "<!-- seen: measured by `make interop`, written by the same command -->"
SEEN_END = "<!-- end of seen -->"


def pairs() -> Iterator[tuple[str, str, str, str]]:
    """Dialect, service, clients and test module, as the modules say them. Raises ValueError for anything else."""
    for path in sorted(HERE.glob("test_interop_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "CHECKED" for t in node.targets
            ):
                for dialect, service, clients in ast.literal_eval(node.value):
                    yield dialect, service, clients, path.name


def table() -> str:
    """The table, in the order of the dialects' names."""
    lines = ["| dialect | checked with | through clients | tests |", "|---|---|---|---|"]
    found = list(pairs())
    for name in sorted(DIALECTS):
        rows = [pair for pair in found if pair[0] == name]
        for _, service, clients, module in rows:
            lines.append(f"| `{name}` | {service} | {clients} | `tests/interop/{module}` |")
        if not rows:
            lines.append(f"| `{name}` | nothing real: fixtures in the documented shape | none | `tests/operations` |")
    return "\n".join(lines)


def seconds() -> str:
    """How long clients took until somebody saw a refusal, as the last runs of their tests measured it."""
    kept: dict[str, float] = json.loads(SEEN.read_text())
    lines = ["| client | seconds |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {taken:.1f} |" for name, taken in sorted(kept.items()))])


def main(page: Path) -> None:
    """Write the tables into a page, each between its two marks."""
    text = page.read_text()
    for begin, end, made in ((BEGIN, END, table()), (SEEN_BEGIN, SEEN_END, seconds())):
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{made}\n{end}{after}"
    page.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
