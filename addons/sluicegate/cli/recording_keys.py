"""sluicegate recording keys: those of investigators, and the one that signs the ledger."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.errors import Fault

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def keys(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where the secret half is written.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the pair of keys of an investigator: the secret half into a file, the public half to be put into the policy.

    Run it on the investigator's machine, never on the gateway. The file is an age identity.
    The commands below are about the gateway's own keys.

    Example: sluicegate recording keys --out investigator.txt
    """
    if context.invoked_subcommand is not None:
        return
    if out is None:
        raise typer.BadParameter("A file has to be named with --out, or a command: list, rotate.")
    _make(out, as_json)


@app.command("list")
def listed(policy: Policy = DEFAULT_POLICY, state: StateFolder = None, as_json: AsJson = False) -> None:
    """Show the keys of the ledger, in the form that verifies heads, and how many keys of originals there are.

    Example: sluicegate recording keys list
    """
    from sluicegate.recording.ledger.keys import LEDGER_KEY, NEXT_KEY, origin_of, signing_key
    from sluicegate.recording.ledger.note import Signer
    from sluicegate.settings import load

    folder, settings = state_of(policy, state), load(policy).settings.recording
    if not (folder.keys / LEDGER_KEY).exists():
        raise Fault(f"There is no key of a ledger in {folder.keys}: no gateway has run yet.")
    key = signing_key(folder.keys)
    name = settings.log_name or origin_of(folder.keys, key)
    coming = signing_key(folder.keys, NEXT_KEY) if (folder.keys / NEXT_KEY).exists() else None
    current = Signer(name, key).verifier.text()
    following = Signer(name, coming).verifier.text() if coming else None
    earlier = [
        text for path in sorted(folder.recordings.glob("log/*.vkey")) if (text := path.read_text().strip()) != current
    ]
    wrapped = len(list(folder.recordings.glob("keys/*.age")))
    if as_json:
        print(json.dumps({"key": current, "next": following, "earlier": earlier, "recipients": settings.recipients,
                          "keys_of_originals": wrapped}))  # fmt: skip
        return
    print(f"signs heads: {current}")
    if following:
        print(f"comes next, with the gateway's next start: {following}")
    for text in earlier:
        print(f"earlier, or in the overlap: {text}")
    print(f"keys of originals: {wrapped}, wrapped for {len(settings.recipients)} recipients")


@app.command()
def rotate(policy: Policy = DEFAULT_POLICY, state: StateFolder = None, as_json: AsJson = False) -> None:
    """Make the key that signs heads next. The gateway's next start takes it into use, and says so in the ledger.

    During that run both keys sign, and from the run after that the new one alone. Verification follows it from the old
    key by itself; witnesses have to be told the new one, beside the old.

    Example: sluicegate recording keys rotate
    """
    from sluicegate.recording.ledger.keys import LEDGER_KEY, NEXT_KEY, origin_of, prepare_next
    from sluicegate.recording.ledger.note import Signer
    from sluicegate.settings import load

    folder, settings = state_of(policy, state), load(policy).settings.recording
    if not (folder.keys / LEDGER_KEY).exists():
        raise Fault(f"There is no key of a ledger in {folder.keys}: no gateway has run yet.")
    if (folder.keys / NEXT_KEY).exists():
        raise Fault(
            f"A key that comes next is in {folder.keys} already.", hint="Restart the gateway: it takes it into use."
        )
    key = prepare_next(folder.keys, settings.log_name)
    text = Signer(settings.log_name or origin_of(folder.keys, key), key).verifier.text()
    if as_json:
        print(json.dumps({"next": text}))
        return
    print(f"The next key is {text}")
    print("Give it to whoever verifies and to witnesses (`--log` once more), then restart the gateway.")


def _make(out: Path, as_json: bool) -> None:
    from sluicegate.recording.sealing.recipients import new_identity

    identity, recipient = new_identity()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"# public key: {recipient}\n{identity}\n")
    except FileExistsError:
        raise Fault(f"{out} is there already.", hint="Name another file: keys are never written over.") from None
    except OSError as error:
        raise Fault(f"{out} cannot be written: {error.strerror}.") from None
    if as_json:
        print(json.dumps({"recipient": recipient, "file": str(out)}))
    else:
        print(f"The secret key is in {out}: keep it off the gateway, and keep a copy of it.")
        print(f"Put this into [recording].recipients, beside at least one other: {recipient}")
