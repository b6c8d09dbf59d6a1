"""sluicegate approvals: held requests, seen and decided as the signed-in person and through the console."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli import approvals_watch, console_client
from sluicegate.cli.console_options import Address, AsJson, TokenFile
from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.safe_text import safe, safe_lines

app = typer.Typer(help="Requests that wait for somebody to approve them.", no_args_is_help=True, rich_markup_mode=None)

Key = Annotated[str, typer.Argument(metavar="ID", help="Id or code, such as WDJB-MJHT.")]

_FIELDS = (
    "code",
    "id",
    "state",
    "requester",
    "purpose",
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
    "rows",
    "destination",
    "statement",
    "job",
    "risk",
    "conflict",
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
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show what changes, until Ctrl-C.")] = False,
) -> None:
    """List what you may decide, and what you asked for yourself.

    Example: sluicegate approvals list --watch
    """
    if watch:
        try:
            approvals_watch.watch(*_who(console, policy, token_file), _json_line if as_json else None)
        except console_client.Refused as refused:
            _refused(refused, as_json)
    else:
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
    """Approve a request: it, and only it, may go through, once unless its rule says more.

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


@app.command()
def withdraw(
    key: Key,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back a request of your own that nobody has decided.

    Example: sluicegate approvals withdraw WDJB-MJHT
    """
    _run(console, policy, token_file, as_json, _decided, "POST", key, "withdraw", body={})


@app.command()
def revoke(
    key: Key,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back a yes that is not used up.

    Example: sluicegate approvals revoke WDJB-MJHT --reason "the wrong bucket after all"
    """
    _run(console, policy, token_file, as_json, _decided, "POST", key, "revoke", body={"reason": reason})


@app.command("break-glass")
def break_glass(
    key: Key,
    reason: Annotated[str, typer.Option(help="What the emergency is.", show_default=False)],
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a request through without an approval, in an emergency. Everybody is told, and it is reviewed.

    Example: sluicegate approvals break-glass WDJB-MJHT --reason "payments are down, the export restores them"
    """
    _run(console, policy, token_file, as_json, _decided, "POST", key, "break-glass", body={"reason": reason})


@app.command()
def review(
    key: Key,
    note: Annotated[str, typer.Option(help="What you found.", show_default=False)],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Whether it was right.", show_default=False)],
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Review a request that somebody let through without an approval.

    Example: sluicegate approvals review WDJB-MJHT --accept --note "incident 4711, talked to Ada"
    """
    said = {"reason": note, "accepted": accept}
    _run(console, policy, token_file, as_json, _reviewed, "POST", key, "review", body=said)


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
    base, bearer = _who(console, policy, token_file)
    try:
        document = console_client.call(base, bearer, method, *path, body=body)
    except console_client.Refused as refused:
        _refused(refused, as_json)
    if as_json:
        _json(document)
    else:
        display(document)


def _who(console: str | None, policy: Path, token_file: Path | None) -> tuple[str, str]:
    base = console_client.address(console, policy)
    # What `sluicegate login` stored is for the console that gave it, and goes to no other.
    return base, console_client.token(token_file, base)


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


def _json_line(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=True).replace("\x7f", "\\u007f"), flush=True)


def _table(document: dict[str, Any]) -> None:
    rows = [approvals_watch.row(approval) for approval in document["approvals"]]
    terminal = _terminal()
    if not terminal.is_terminal:
        for row in rows:
            print("\t".join(safe(cell) for cell in row))
    elif rows:
        terminal.print(approvals_watch.table(rows))
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
    for label, line in _more(document):
        if terminal.is_terminal:
            grid.add_row(Text(label, "bold"), Text(safe(line), overflow="fold"))
        else:
            print(f"{label}\t{safe(line)}")
    if terminal.is_terminal:
        terminal.print(grid)


def _more(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is not one value of one field: what people said, broken glass, and what differs from an earlier request."""
    quorum = document["terms"]["quorum"]
    if quorum > 1:
        yield "yes", f"{sum(vote['approve'] for vote in document['votes'])} of {quorum}"
    for vote in document["votes"]:
        yield "said", f"{vote['name']}: {'yes' if vote['approve'] else 'no'} {vote['reason']}".rstrip()
    glass = document.get("broken_glass")
    if glass:
        yield "broken glass", f"{glass['name']} at {glass['at']}: {glass['reason']}"
        by = f"by {glass['reviewed_by']}: {glass['note']}" if glass["reviewed_at"] else f"due {glass['review_until']}"
        yield "review", by
    differs = document.get("differs")
    if differs:
        for one in differs["in"]:
            change = f"{one['before'] or 'something else'} -> {one['after'] or 'changed'}"
            yield f"differs from {safe(differs['from'])}", f"{one['what']}: {'; '.join(one['lines']) or change}"


def _decided(document: dict[str, Any]) -> None:
    who, code, state = (safe(value) for value in (document["requester"]["name"], document["code"], document["state"]))
    uses, quorum = document["uses_left"], document["terms"]["quorum"]
    if document["state"] == "approved":
        often = "once" if uses == 1 else f"{uses} times"
        print(f"{code} is {state}. {who} can send the request until {document['grant_until']}, {often}.")
    elif document["state"] == "pending":
        print(f"{code} is pending: {sum(vote['approve'] for vote in document['votes'])} of {quorum} have said yes.")
    else:
        print(f"{code} is {state}.")


def _reviewed(document: dict[str, Any]) -> None:
    print(f"{safe(document['code'])} is reviewed.")


def _terminal() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
