"""sluicegate recording hold, release, shred and their kin: asked of the console, carried out by the gateway."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sluicegate.cli import console_client
from sluicegate.cli.console_options import Address, AsJson, TokenFile
from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
Key = Annotated[str, typer.Argument(metavar="ID", help="Id of the order.")]
Subject = Annotated[str, typer.Option(metavar="WHO", help="Of this person, by subject.")]
Issuer = Annotated[
    str, typer.Option(metavar="URL", help="The provider of that subject. [default: the policy's]", show_default=False)
]
Session = Annotated[str, typer.Option(metavar="ID", help="Of this session.")]
Exchange = Annotated[str, typer.Option(metavar="ID", help="Of this exchange, by its whole id.")]
Class = Annotated[str, typer.Option("--class", metavar="NAME", help="Originals of this class, such as national-ids.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="From then on, such as 2026-11-01 or 2026-11-01T08:00Z.")]
Until = Annotated[str, typer.Option(metavar="TIME", help="Before then.")]


def hold(
    reason: Reason,
    subject: Subject = "",
    issuer: Issuer = "",
    session: Session = "",
    service: Annotated[str, typer.Option(metavar="NAME", help="Of this service.")] = "",
    exchange: Exchange = "",
    cls: Class = "",
    since: Since = "",
    until: Until = "",
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hold recordings: neither retention nor shredding touches them until two people have released the hold.

    All that is named has to fit. A hold is in force at once. For keepers ([console].keepers of the policy).

    Example: sluicegate recording hold --subject ada --since 2026-11-01 --reason "case 17"
    """
    what = _what(subject, issuer, session, exchange, cls, since, until)
    _ask(console, policy, token_file, as_json, "hold", {**what, "service": service}, reason)


def release(
    key: Annotated[str, typer.Argument(metavar="ID", help="Id of the hold.")],
    reason: Reason,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask for the end of a hold. Somebody else has to agree.

    Example: sluicegate recording release 0b8c1a54-... --reason "case 17 is closed"
    """
    _ask(console, policy, token_file, as_json, "release", {"hold": key}, reason)


def shred(
    reason: Reason,
    subject: Subject = "",
    issuer: Issuer = "",
    session: Session = "",
    exchange: Exchange = "",
    cls: Class = "",
    since: Since = "",
    until: Until = "",
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask for keys of originals to be deleted, so that nobody can open them again. Somebody else has to agree.

    A key is for one session, class and hour: all its originals go together. Proofs stay. What is held stays as well.

    Example: sluicegate recording shred --subject ada --until 2026-11-01 --reason "Art. 17 request of 3 November"
    """
    what = _what(subject, issuer, session, exchange, cls, since, until)
    _ask(console, policy, token_file, as_json, "shred", what, reason)


def orders(
    console: Address = None, policy: Policy = DEFAULT_POLICY, token_file: TokenFile = None, as_json: AsJson = False
) -> None:
    """List what is held, and what was asked to be released or shredded, newest first.

    Example: sluicegate recording orders
    """
    document = _send(console, policy, token_file, as_json, "GET", "orders")
    if as_json:
        return _print(document)
    for order in document["orders"]:
        print("\t".join(safe(part) for part in _line(order)))
    return None


def agree(
    key: Key,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Agree to what somebody else asked for: the gateway carries it out within seconds, or when it next runs.

    Example: sluicegate recording agree 5f0e8f0e-...
    """
    _told(_send(console, policy, token_file, as_json, "POST", "orders", key, "agree", body={}), as_json)


def withdraw(
    key: Key,
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back, or say no to, an order that waits for its second person.

    Example: sluicegate recording withdraw 5f0e8f0e-...
    """
    _told(_send(console, policy, token_file, as_json, "POST", "orders", key, "withdraw", body={}), as_json)


def retain(policy: Policy = DEFAULT_POLICY, state: StateFolder = None, as_json: AsJson = False) -> None:
    """Show what retention ends next, and what holds keep. Nothing is deleted by this: the gateway does that by itself.

    Example: sluicegate recording retain --json
    """
    from sluicegate.clock import SystemClock
    from sluicegate.recording.keeping.due import Kept, due_files
    from sluicegate.recording.keeping.holds import in_force
    from sluicegate.settings import load

    folder, kept = state_of(policy, state).recordings, Kept.of(load(policy).settings.recording)
    try:
        holds = in_force(folder)
        due = due_files(folder, kept, holds, SystemClock().now())
    except (OSError, ValueError) as error:
        raise Fault(f"The recordings in {folder} cannot be read: {error}.") from None
    days = {name: kept.of_file(name) for name in ("flows", "intents", "events")}
    days |= {"originals": kept.originals, **{f"originals of {name}": days for name, days in kept.classes.items()}}
    held = {name: hold.order for name, hold in due.held.items()}
    if as_json:
        _print({"days": days, "holds": [hold.order for hold in holds], "due": due.files, "held": held})
        return
    for name, number in days.items():
        print(f"{safe(name)}: {'without end' if number is None else f'{number} days'}")
    for hold in holds:
        print(f"hold {hold.order}: {safe(str(hold.selection))} ({safe(hold.reason)})")
    for name in due.files:
        print(f"due: {safe(name)}")
    for name, order in held.items():
        print(f"kept by hold {order}: {safe(name)}")


def _what(
    subject: str, issuer: str, session: str, exchange: str, cls: str, since: str, until: str
) -> dict[str, str | float]:
    said: dict[str, str | float] = {
        "subject": subject,
        "issuer": issuer,
        "session": session,
        "exchange": exchange,
        "cls": cls,
    }
    said |= {name: _time(text) for name, text in (("since", since), ("until", until)) if text}
    return said


def _time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Fault(f"{safe(text)} is no time.", hint="Write it like 2026-11-01 or 2026-11-01T08:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _ask(
    console: str | None,
    policy: Path,
    token_file: Path | None,
    as_json: bool,
    kind: str,
    what: dict[str, Any],
    reason: str,
) -> None:
    chosen = {name: value for name, value in what.items() if value != ""}
    body = {"kind": kind, "what": chosen, "reason": reason}
    _told(_send(console, policy, token_file, as_json, "POST", "orders", body=body), as_json)


def _send(
    console: str | None,
    policy: Path,
    token_file: Path | None,
    as_json: bool,
    method: str,
    *path: str,
    body: dict[str, Any] | None = None,
) -> Any:
    base = console_client.address(console, policy)
    bearer = console_client.token(token_file, base)
    try:
        return console_client.send(base, bearer, method, "recordings", *path, body=body)
    except console_client.Refused as refused:
        console_client.complain(refused, as_json)


def _told(order: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return _print(order)
    print("  ".join(safe(part) for part in _line(order)))
    if order["state"] == "asked":
        print(f"Somebody else has to agree: sluicegate recording agree {order['id']}")
    return None


def _line(order: dict[str, Any]) -> tuple[str, ...]:
    what = ", ".join(
        f"{'class' if name == 'cls' else name} {_shown(name, value)}" for name, value in order["what"].items()
    )
    people = [one["name"] for one in (order["asked_by"], order["agreed_by"]) if one]
    results = [f"{name} {value}" for result in order["done"].values() for name, value in result.items() if name != "at"]
    return (
        order["id"], order["state"], order["kind"], what, " and ".join(people), order["reason"], ", ".join(results),
    )  # fmt: skip


def _shown(name: str, value: Any) -> str:
    if name in ("since", "until"):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(value)


def _print(document: Any) -> None:
    print(json.dumps(document, indent=2))
