"""sluicegate approvals: list, show, approve and deny held requests, as the signed-in person and through the console."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli import console_client
from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.safe_text import safe, safe_lines

app = typer.Typer(help="Requests that wait for somebody to approve them.", no_args_is_help=True, rich_markup_mode=None)

Address = Annotated[
    str | None,
    typer.Option(
        "--console",
        metavar="URL",
        envvar="SLUICEGATE_CONSOLE",
        help="The console. [default: [console].listen of the policy]",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=f"File with your token. [default: the variable {console_client.TOKEN_VARIABLE}]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[str, typer.Argument(metavar="ID", help="Id or code, such as WDJB-MJHT.")]

_FIELDS = (
    "code",
    "id",
    "state",
    "requester",
    "rules",
    "reasons",
    "approvers",
    "service",
    "dataset",
    "kind",
    "method",
    "target",
    "columns",
    "column_scope",
    "chunks",
    "destination",
    "statement",
    "exchanges",
    "created",
    "pending_until",
    "decided_at",
    "decided_by",
    "decision_reason",
    "grant_until",
    "uses_left",
)


@app.command("list")
def listed(
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List what you may decide, and what you asked for yourself.

    Example: sluicegate approvals list
    """
    _run(console, policy, token_file, as_json, _table, "GET")


@app.command()
def show(
    key: Key,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one request in full.

    Example: sluicegate approvals show WDJB-MJHT
    """
    _run(console, policy, token_file, as_json, _details, "GET", key)


@app.command()
def approve(
    key: Key,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a request: it, and only it, may go through once.

    Example: sluicegate approvals approve WDJB-MJHT
    """
    _run(console, policy, token_file, as_json, _decided, "POST", key, "approve", body={"reason": reason})


@app.command()
def deny(
    key: Key,
    reason: Annotated[str, typer.Option(help="Why; whoever asked is told.", show_default=False)],
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Deny a request.

    Example: sluicegate approvals deny WDJB-MJHT --reason "not to this bucket"
    """
    _run(console, policy, token_file, as_json, _decided, "POST", key, "deny", body={"reason": reason})


def _run(
    console: str | None,
    policy: Path,
    token_file: Path | None,
    as_json: bool,
    display: Callable[[dict[str, Any]], None],
    method: str,
    *path: str,
    body: dict[str, Any] | None = None,
) -> None:
    base, bearer = console_client.address(console, policy), console_client.token(token_file)
    try:
        document = console_client.call(base, bearer, method, *path, body=body)
    except console_client.Refused as refused:
        _refused(refused, as_json)
    if as_json:
        _json(document)
    else:
        display(document)


def _refused(refused: console_client.Refused, as_json: bool) -> NoReturn:
    if as_json:
        _json(refused.problem)
    else:
        for member in ("detail", "next_step"):
            if refused.problem.get(member):
                print(f"sluicegate: {safe(refused.problem[member])}", file=sys.stderr)
    raise typer.Exit(1)


def _json(document: dict[str, Any]) -> None:
    # ASCII only: the encoder escapes whatever a terminal could take for a command.
    print(json.dumps(document, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))


def _table(document: dict[str, Any]) -> None:
    rows = [
        (
            approval["code"],
            approval["state"],
            approval["requester"]["name"],
            " ".join(filter(None, (approval["kind"], approval["dataset"]))),
            approval["destination"] or "",
            " ".join(approval["reasons"]),
            approval["pending_until"],
            "you" if approval["may_decide"] else "",
        )
        for approval in document["approvals"]
    ]
    terminal = _terminal()
    if not terminal.is_terminal:
        for row in rows:
            print("\t".join(safe(cell) for cell in row))
    elif rows:
        table = Table(
            "Code", "State", "Who", "What", "To", "Why held", "Until", "Decides", box=None, header_style="bold"
        )
        for row in rows:
            table.add_row(*(Text(safe(cell)) for cell in row))
        terminal.print(table)
    else:
        terminal.print("Nothing waits for you, and nothing that you asked for waits.")


def _details(document: dict[str, Any]) -> None:
    terminal = _terminal()
    # In a grid a long value stays in its own column: it cannot wrap round and look like another field.
    grid = Table.grid("", "", padding=(0, 2))
    for field in _FIELDS:
        value = document.get(field)
        if value in (None, "", []):
            continue
        if isinstance(value, dict):
            value = f"{value.get('name')} ({value.get('subject')})"
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        lines = safe_lines(value) if field == "statement" else [safe(value)]
        for line, label in zip_longest(lines, [field.replace("_", " ")], fillvalue=""):
            if terminal.is_terminal:
                grid.add_row(Text(label, "bold"), Text(line, overflow="fold"))
            else:
                print(f"{label}\t{line}")
    if terminal.is_terminal:
        terminal.print(grid)


def _decided(document: dict[str, Any]) -> None:
    who, code, state = (safe(value) for value in (document["requester"]["name"], document["code"], document["state"]))
    print(
        f"{code} is {state}."
        + (
            f" {who} can send the request until {document['grant_until']}, once."
            if document["state"] == "approved"
            else ""
        )
    )


def _terminal() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
