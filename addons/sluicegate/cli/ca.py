"""sluicegate ca: the authority that the gateway signs with. Shown, handed out, replaced."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from sluicegate.pipeline.constraints import Names
    from sluicegate.pipeline.rotation import Authorities

app = typer.Typer(
    help="The gateway's own authority: show it, export it, replace it.", no_args_is_help=True, rich_markup_mode=None
)

Format = Literal["pem", "der", "java"]
WARN_DAYS = 45


@app.callback()
def options() -> None:
    """The gateway's own authority: show it, export it, replace it."""


@app.command()
def show(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what workstations are to trust, and for which hosts. Exits with 1 when something is to be done about it.

    Example: sluicegate ca show --policy policy.toml
    """
    from sluicegate.pipeline import rotation

    wanted = _wanted(policy)
    found = rotation.read(state_of(policy, state).ca)
    advice = _advice(found, wanted)
    if as_json:
        print(json.dumps({"authorities": _documents(found), "policy": str(wanted), "to_do": advice}, indent=2))
    else:
        for document in _documents(found):
            print(f"{document['role']}\n  {document['subject']}, until {document['until']}")
            print(f"  SHA-256 {document['sha256']}\n  signs for {document['signs_for']}")
        for line in advice:
            print(f"! {line}")
    if advice:
        raise typer.Exit(1)


@app.command()
def export(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    form: Annotated[Format, typer.Option("--format", help="java: a PKCS #12 trust store.")] = "pem",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to. [default: standard output]", show_default=False)
    ] = None,
) -> None:
    """Write the certificates that workstations are to trust; never a key. `der` is the one that signs, alone.

    Example: sluicegate ca export --output sluicegate-ca.pem
    """
    from sluicegate.pipeline import rotation

    found = rotation.read(state_of(policy, state).ca)
    content = _exported(found, form)
    if output is not None:
        try:
            output.write_bytes(content)
        except OSError as error:
            raise Fault(f"{output} cannot be written: {error.strerror}.") from None
        print(f"{len(found.trusted) if form != 'der' else 1} certificate(s) in {output}")
    elif form != "pem" and sys.stdout.isatty():
        raise Fault("That is not text for a terminal.", hint="Name a file with --output FILE.")
    else:
        sys.stdout.buffer.write(content)


@app.command()
def rotate(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    switch: Annotated[bool, typer.Option("--switch", help="Let the next one sign, from the next start on.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Forget the one before.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Throw the next one away.")] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the next one is good for.")] = 730,
) -> None:
    """Replace the authority in three steps: make the next one for the policy's hosts, --switch, --finish.

    Workstations get the next one in between, with `sluicegate ca export` or from the console. A new authority is
    also needed when the policy governs a new host: the one that signs is bound to the hosts that it was made for.

    Example: sluicegate ca rotate --policy policy.toml
    """
    from sluicegate.pipeline import authority, rotation

    if switch + finish + discard > 1:
        raise Fault("One step at a time: --switch, --finish or --discard.")
    folder = state_of(policy, state).ca
    wanted = _wanted(policy)
    if finish:
        rotation.finish(folder)
        print("The authority before is forgotten. Workstations can throw it away.")
    elif discard:
        rotation.discard(folder)
        print("The next authority is thrown away. Nothing was signed with it.")
    elif switch:
        found = rotation.switch(folder, wanted, authority.passphrase(os.environ))
        print(f"From the gateway's next start on, {found.current.fingerprint} signs. Start it anew now.")
        print("When nobody meets the old one any more: sluicegate ca rotate --finish")
    else:
        found = rotation.begin(folder, wanted, authority.passphrase(os.environ), days=days)
        assert found.next is not None
        print(f"The next authority is made: {found.next.fingerprint}\n  signs for {found.next.names}")
        print("Give it to every workstation (sluicegate ca export), then: sluicegate ca rotate --switch")


def _wanted(policy: Path) -> Names:
    from sluicegate.pipeline import constraints
    from sluicegate.settings import load

    return constraints.of_policy(load(policy).settings)


def _documents(found: Authorities) -> list[dict[str, str]]:
    roles = (
        ("signs", found.current),
        ("next: trusted already, signs after --switch", found.next),
        ("before: still trusted, signs no more", found.previous),
    )
    return [
        {
            "role": role,
            "subject": each.certificate.subject.rfc4514_string().removeprefix("CN="),
            "sha256": each.fingerprint,
            "until": f"{each.ends:%Y-%m-%d}",
            "signs_for": str(each.names),
        }
        for role, each in roles
        if each is not None
    ]


def _advice(found: Authorities, wanted: Names) -> list[str]:
    from datetime import UTC, datetime, timedelta

    advice = []
    missing = found.current.names.lack(wanted)
    if missing:
        advice.append(f"it may not sign for {', '.join(missing)}: sluicegate ca rotate")
    elif found.current.names.everything and not wanted.everything:
        advice.append("it may sign for every host, and the policy governs few: sluicegate ca rotate")
    else:
        surplus = wanted.lack(found.current.names)
        if surplus:
            advice.append(f"it may still sign for {', '.join(surplus)}, which the policy no longer governs")
    if found.current.ends < datetime.now(UTC) + timedelta(days=WARN_DAYS):
        advice.append(f"it ends on {found.current.ends:%Y-%m-%d}: sluicegate ca rotate")
    return advice


def _exported(found: Authorities, form: Format) -> bytes:
    if form == "pem":
        return found.pem
    from cryptography.hazmat.primitives import serialization

    if form == "der":
        return found.current.certificate.public_bytes(serialization.Encoding.DER)
    from sluicegate.cli.truststore import java_store

    return java_store([each.certificate for each in found.trusted])
