"""sluicegate login and logout: the identity provider's word for a handle, and the end of it."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from sluicegate.cli import console_client, credential_store
from sluicegate.cli.console_options import Address, AsJson
from sluicegate.cli.credential_store import Stored
from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault


def login(
    console: Address = None,
    policy: Policy = DEFAULT_POLICY,
    device: Annotated[bool, typer.Option("--device", help="Sign in on another device, by a code.")] = False,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Who vouches for console and provider (PEM). [default: the system]"),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Have the provider ask who you are, even where it knows you still.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in with your organisation's identity provider. Commands and clients use the sign-in from then on.

    Example: sluicegate login --console https://sluicegate.internal
    """
    from sluicegate.cli.signing_in import browser
    from sluicegate.cli.signing_in import device as by_device
    from sluicegate.cli.signing_in.provider import Terms

    if ca is not None and not ca.is_file():
        raise Fault(f"There is no file {ca}.")
    base = console_client.address(console, policy)
    authorities = str(ca.absolute()) if ca else None
    try:
        terms = Terms.of(console_client.send(base, None, "GET", "sign-in", ca=authorities), authorities)
        if device or not browser.is_here():
            tokens = by_device.sign_in(terms, _tell)
        else:
            tokens = browser.sign_in(terms, _tell, fresh=fresh)
        proof = {name: tokens.get(name) for name in ("id_token", "access_token", "refresh_token", "nonce")}
        begun = console_client.send(
            base, None, "POST", "sign-in", body={**proof, "device": socket.gethostname()}, ca=authorities
        )
    except console_client.Refused as refused:
        console_client.complain(refused, as_json)
    session = begun["session"]
    before = credential_store.load_or_none()
    stored = Stored(
        handle=begun["handle"],
        console=base,
        gateway=reachable(str(begun["gateway"]), base),
        session=session["id"],
        subject=session["subject"],
        name=session["name"],
        expires=session["expires_at"],
        ca=authorities or "",
    )
    place = credential_store.save(stored)
    if before is not None:
        _end(before)
    if as_json:
        print(json.dumps({"session": session, "gateway": stored.gateway, "stored": str(place)}, indent=2))
    else:
        print(
            f"Signed in as {safe(stored.name or stored.subject)} until {session['expires']}, "
            f"or until nothing was asked for {begun['idle_seconds'] / 60:.0f} minutes."
        )
        print(f'The credential is in {place}. Next: eval "$(sluicegate env)", or sluicegate run -- COMMAND.')


def logout(as_json: AsJson = False) -> None:
    """End this machine's sign-in, on every gateway, and forget its credential.

    Example: sluicegate logout
    """
    stored = credential_store.load_or_none()
    forgotten = credential_store.forget()
    ended = stored is not None and _end(stored)
    if as_json:
        print(json.dumps({"ended": ended, "forgotten": forgotten}))
    elif ended:
        print("Signed out.")
    elif stored is None:
        print("Nobody was signed in here.")
    if stored is not None and not ended:
        print("sluicegate: the sign-in is forgotten here, but could not be ended.", file=sys.stderr)
        raise typer.Exit(1)


def reachable(gateway: str, console: str) -> str:
    """The gateway's address as this machine reaches it: one that only means the gateway's own machine is replaced."""
    host, _, port = gateway.rpartition(":")
    where = urlsplit(console).hostname or ""
    if host in ("0.0.0.0", "[::]", "127.0.0.1", "[::1]", "localhost"):  # noqa: S104
        return f"[{where}]:{port}" if ":" in where else f"{where}:{port}"
    return gateway


def _end(stored: Stored) -> bool:
    """Whether the session is over now."""
    try:
        console_client.send(
            stored.console, stored.handle, "POST", "sessions", stored.session, "end", body={}, ca=stored.ca or None
        )
    except console_client.Refused as refused:
        return refused.status in (401, 404)  # it was over before
    except Fault:
        return False
    return True


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def show(document: dict[str, Any]) -> None:
    """Print what was answered, as JSON."""
    print(json.dumps(document, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))
