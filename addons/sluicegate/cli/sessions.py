"""sluicegate whoami and sessions: who I am to the gateway, where I am signed in, and ending that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli import console_client
from sluicegate.cli.console_options import Address, AsJson, TokenFile
from sluicegate.cli.login import show
from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.safe_text import safe

app = typer.Typer(help="Sign-ins: yours, and for operators everybody's.", no_args_is_help=True, rich_markup_mode=None)

_COLUMNS = ("id", "state", "name", "device", "address", "created", "used", "expires")
_SPARE = ("created", "device", "address", "used")
"""Columns that a narrow terminal does without, in this order: an id or a time that is cut off is good for nothing."""


def whoami(
    console: Address = None, policy: Policy = DEFAULT_POLICY, token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """Say who you are to the gateway, in which groups, and until when.

    Example: sluicegate whoami
    """
    document = _ask(console, policy, token_file, as_json, "GET", "session")
    if as_json:
        return show(document)
    session = document.get("session") or {}
    for label, value in (
        ("name", document["name"]),
        ("subject", document["subject"]),
        ("issuer", document["issuer"]),
        ("groups", ", ".join(document["groups"]) or "(none)"),
        ("kind", document["kind"]),
        ("assurance", document["assurance"]),
        ("operator", "yes" if document["operator"] else ""),
        ("session", session.get("id", "")),
        ("confirmed", session.get("confirmed", "")),
        ("expires", document["expires"] or ""),
    ):
        if value:
            print(f"{label:<10} {safe(value)}")
    return None


@app.command("list")
def listed(
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's. For operators.")] = False,
    over: Annotated[bool, typer.Option("--over", help="Those that are over as well.")] = False,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List sign-ins that are in force, newest first.

    Example: sluicegate sessions list
    """
    query = {"all": "1"} if everybody else None
    document = _ask(console, policy, token_file, as_json, "GET", "sessions", query=query)
    if not over:
        document["sessions"] = [one for one in document["sessions"] if one["state"] in ("active", "unconfirmed")]
    if as_json:
        return show(document)
    terminal = Console(highlight=False, markup=False, emoji=False)
    rows = [[safe(one[name]) + (" *" if name == "id" and one["current"] else "") for name in _COLUMNS]
            for one in document["sessions"]]  # fmt: skip
    if not terminal.is_terminal:
        for row in rows:
            print("\t".join(row))
        return None
    terminal.print(_table(rows, terminal.width) if rows else "Nobody is signed in.")
    return None


def _table(rows: list[list[str]], width: int) -> Table:
    shown = list(_COLUMNS)
    widths = {name: max(len(name), *(len(row[at]) for row in rows)) for at, name in enumerate(_COLUMNS)}
    for name in _SPARE:
        if sum(widths[one] + 2 for one in shown) > width:
            shown.remove(name)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in shown:
        table.add_column(name.title(), no_wrap=name != "name", overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[_COLUMNS.index(name)]) for name in shown))
    return table


@app.command()
def end(
    session: Annotated[str | None, typer.Argument(metavar="ID", help="The sign-in.")] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="SUBJECT", help="All of somebody's, with every token. For operators."),
    ] = None,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End a sign-in, at once and on every gateway: one of yours; as an operator, anybody's.

    Example: sluicegate sessions end 3f2a9c0d11e84b76
    """
    if (session is None) == (person is None):
        raise typer.BadParameter("Name one ID, or --person SUBJECT.")
    if person is not None:
        document = _ask(console, policy, token_file, as_json, "POST", "sessions", "end", body={"subject": person})
        said = f"{safe(person)}: {document['ended']} ended; tokens given until now count no more."
    else:
        document = _ask(console, policy, token_file, as_json, "POST", "sessions", str(session), "end", body={})
        said = f"{safe(document['id'])} of {safe(document['name'] or document['subject'])} is ended."
    show(document) if as_json else print(said)


def _ask(
    console: str | None,
    policy: Path,
    token_file: Path | None,
    as_json: bool,
    method: str,
    *path: str,
    body: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    base = console_client.address(console, policy)
    bearer = console_client.token(token_file, base)
    try:
        document: dict[str, Any] = console_client.send(base, bearer, method, *path, body=body, query=query)
    except console_client.Refused as refused:
        console_client.complain(refused, as_json)
    return document
