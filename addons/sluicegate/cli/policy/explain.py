"""sluicegate policy explain: one request, how it is read, what every rule says to it, and what the person is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.console import Console

from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.policy import explained, recordings
from sluicegate.cli.policy.asking import NOON, load_to_ask, moment, principal_of, typed
from sluicegate.errors import Fault
from sluicegate.exchange import Assurance
from sluicegate.policy.cases import Person
from sluicegate.policy.context import Context
from sluicegate.settings import Loaded, State

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Asked, Judged, Rehearsal


def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- curl ...]", help="The request, in curl's words.", show_default=False),
    ] = None,
    policy: Policy = DEFAULT_POLICY,
    subject: Annotated[str, typer.Option("--as", metavar="SUBJECT", help="Who asks.")] = "somebody",
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", metavar="A,B", help="Their groups; may be given again.", show_default=False),
    ] = None,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="person or machine.")] = "person",
    assurance: Annotated[
        str, typer.Option("--assurance", metavar="LEVEL", help="network, account, bearer or bound.")
    ] = "bearer",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, as 2026-01-07T12:00:00Z. [default: that moment]")
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option("--exchange", metavar="ID", help="A recorded exchange instead, by (the start of) its id."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="The recordings. [default: those in the state folder]"),
    ] = None,
    client: Annotated[
        str, typer.Option("--client", metavar="ADDRESS", help="The address that they come from.")
    ] = "127.0.0.1",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Explain what the policy says to one request.

    Every rule, matched or why not; the masks; the verdict; what the person is told. The request is typed in curl's
    words behind `--`, or taken from a recording. Nothing is sent anywhere. Exit code 0 when it could be explained,
    whatever the verdict is.

    Example: sluicegate policy explain --as ada --groups engineering -- curl https://localhost:9443/datasets/customers
    """
    loaded = load_to_ask(policy)
    from sluicegate.pipeline.rehearsal import Rehearsal

    rehearsal = Rehearsal(loaded)
    if (exchange is None) == (not words):
        raise Fault(
            "Say which request is meant.", hint="Write it behind -- as curl would be called, or name --exchange ID."
        )
    if exchange is not None:
        recorded = folder or State.beside(policy).recordings
        judged, request, when = _recorded(rehearsal, exchange, recorded, loaded)
    else:
        person = _person(groups or [], kind, assurance)
        when = moment(at, NOON)
        try:
            asked = typed(words or [], Path())
            context = Context(now=when, client=client)
            judged, request = rehearsal.judge(principal_of(loaded, subject, person), asked, context), asked
        except ValueError as error:
            raise Fault(f"The request cannot be explained: {error}.") from None
    if as_json:
        typer.echo(json.dumps(explained.document(rehearsal.policy, judged, request, when), indent=2))
    else:
        explained.show(Console(highlight=False), rehearsal.policy, judged, request)


def _person(groups: list[str], kind: str, assurance: str) -> Person:
    if kind not in ("person", "machine"):
        raise Fault(f"`{kind}` is neither person nor machine.", hint="Write --kind person or --kind machine.")
    if assurance not in ("network", "account", "bearer", "bound"):
        raise Fault(f"There is no assurance `{assurance}`.", hint="Write network, account, bearer or bound.")
    names = [name.strip().removeprefix("group:") for text in groups for name in text.split(",") if name.strip()]
    return Person(groups=names, kind=cast(Literal["person", "machine"], kind), assurance=cast(Assurance, assurance))


def _recorded(rehearsal: Rehearsal, wanted: str, folder: Path, loaded: Loaded) -> tuple[Judged, Asked, float]:
    """The exchange of that id, after all that was recorded before it, since it may name a result of those."""
    found: tuple[Judged, Asked, float] | None = None
    seen: list[str] = []
    for item in recordings.questions(folder):
        if isinstance(item, str):
            if item.startswith(wanted):
                raise Fault(f"It cannot be explained: {item}.", exit_code=1)
            continue
        try:
            judged = recordings.judge(rehearsal, item, loaded.settings.gateway.max_body_bytes)
        except ValueError as error:
            if item.recorded.id.startswith(wanted):
                raise Fault(f"It cannot be explained: {error}.", exit_code=1) from None
            continue
        if item.recorded.id.startswith(wanted):
            seen.append(item.recorded.id)
            found = judged, item.asked, item.recorded.started
    if len(seen) > 1:
        raise Fault(f"{len(seen)} exchanges begin with {wanted}.", hint="Write more of the id.")
    if found is None:
        raise Fault(f"There is no exchange {wanted} in {folder}.", hint="`sluicegate-replay list` shows their ids.")
    return found
