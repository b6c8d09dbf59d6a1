"""Tables of sign-ins and approvals: whole on every terminal in what they show, since half an id ends nothing."""

import io

import pytest
from rich.console import Console

from sluicegate.cli import approvals_watch, sessions

TIME = "2026-11-27T10:23:07Z"
ROW = ["74825d1214a818d8 *", "unconfirmed", "Ada Lovelace", "workstation-17", "2001:db8::1f", TIME, TIME, TIME]


@pytest.mark.parametrize(("width", "shown"), [(200, 8), (120, 6), (100, 5), (80, 4)])
def test_ids_and_times_are_never_cut(width, shown):
    terminal = Console(file=io.StringIO(), width=width, force_terminal=False)
    terminal.print(sessions._table([ROW, ROW], width))
    head, *lines = terminal.file.getvalue().rstrip().splitlines()
    assert len(lines) == 2 and len(head.split()) == shown
    assert all(len(line.rstrip()) <= width and ROW[0] in line and line.rstrip().endswith(TIME) for line in lines)
    assert "\u2026" not in "".join(lines)


@pytest.mark.parametrize("width", [80, 100])
def test_codes_times_and_destinations_of_approvals_are_never_cut(width):
    to = "s3://partner-drop-of-somebody/customers-2026.ndjson"
    terminal = Console(file=io.StringIO(), width=width, force_terminal=False)
    row = ("LSRR-ZGFN", "pending", "Ada Lovelace", "export customers", to, "Data is leaving.", TIME, "you")
    terminal.print(approvals_watch.table([row]))
    lines = terminal.file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines) and "\u2026" not in "".join(lines)
    rows = lines[next(at for at, line in enumerate(lines) if "LSRR-ZGFN" in line) :]
    assert TIME in rows[0]
    begin = rows[0].index("s3:")
    assert "".join((line[begin:].split(" ") or [""])[0] for line in rows) == to
