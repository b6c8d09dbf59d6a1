"""Calls to the console as the signed-in person."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

from sluicegate.cli import credential_store
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault

TOKEN_VARIABLE = "SLUICEGATE_TOKEN"
SECONDS = 15.0
"""How long a call may take."""


class Refused(Exception):
    """The console said no; `problem` is its problem+json."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail", status)))
        self.status = status
        self.problem = problem


def address(console: str | None, policy: Path) -> str:
    """The console's URL: as named, else where one is signed in, else from the policy.

    Raises Fault when it is unknown, or not safe for a token.
    """
    if console is None and not os.environ.get(TOKEN_VARIABLE):
        stored = credential_store.load_or_none()
        console = stored.console if stored is not None else None
    if console is None:
        if not policy.exists():
            raise Fault(
                f"There is no policy at {policy} to find the console by.",
                hint="Name the console with --console URL or SLUICEGATE_CONSOLE, or the policy with --policy FILE.",
            )
        from sluicegate.settings import load

        listen = load(policy).settings.console.listen
        host, _, port = listen.rpartition(":")
        if port == "0":
            raise Fault("The policy lets the console choose its port.", hint="Name the console with --console URL.")
        console = f"http://{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104
    try:
        parts = urlsplit(console)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise _not_an_address(console) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in console:
        raise _not_an_address(console)
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise Fault(
            f"{safe(console)} is plain HTTP to another machine, where anybody on the way could read the token.",
            hint="Use https, or a tunnel to this machine.",
        )
    return console.rstrip("/")


def token(file: Path | None, base: str | None = None) -> str:
    """The person's credential: from the file, else from the environment, else what `sluicegate login` stored.

    What is stored is for the console that gave it, and for no other `base`. Raises Fault when there is none.
    """
    if file is not None:
        try:
            found = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise Fault(f"Cannot read the token file {file}: {why}.") from None
    else:
        found = os.environ.get(TOKEN_VARIABLE, "").strip()
        stored = None if found else credential_store.load()
        if stored is not None and (base is None or stored.console == base):
            found = stored.handle
    if not found:
        raise Fault(
            "Nobody is signed in: there is no token.",
            hint=f"Run `sluicegate login`; or put a token of your identity provider into {TOKEN_VARIABLE}.",
        )
    if not found.isascii() or not found.isprintable() or " " in found:
        raise Fault("What is given as the token is not a token.", hint="It must be one word, as the provider gave it.")
    return found


def call(base: str, bearer: str, method: str, *path: str, body: dict[str, Any] | None = None) -> Any:
    """What the console answers about approvals. Raises as `send` does."""
    return send(base, bearer, method, "approvals", *path, body=body)


def send(
    base: str,
    bearer: str | None,
    method: str,
    *path: str,
    body: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
    ca: str | None = None,
) -> Any:
    """The JSON that the console answers. Raises Refused when it says no, Fault when it cannot be reached.

    `ca`: a PEM file with who vouches for the console; without it what `sluicegate login --ca` was given.
    """
    import httpx2

    url = "/".join((base, "api", *(quote(part, safe="") for part in path)))
    headers = {"accept": "application/json", **({"authorization": f"Bearer {bearer}"} if bearer else {})}
    if ca is None:
        stored = credential_store.load_or_none()
        ca = stored.ca if stored is not None and stored.console == base else None
    try:
        verify = ssl.create_default_context(cafile=ca) if ca else True
        # The environment's proxy is the gateway itself, and the console cannot be reached through it.
        with httpx2.Client(trust_env=False, timeout=SECONDS, follow_redirects=False, verify=verify) as client:
            answer = client.request(method, url, headers=headers, json=body, params=query)
    except (OSError, ssl.SSLError) as error:
        raise Fault(f"The authorities in {ca} cannot be read: {error.strerror or error}.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Fault(
            f"The console at {safe(base)} cannot be reached: {safe(error) or type(error).__name__}.",
            hint="Is it running? `sluicegate up` starts it; --console URL names another.",
        ) from None
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.status_code == 200 and isinstance(document, dict):
        return document
    if isinstance(document, dict) and str(document.get("type", "")).startswith("urn:sluicegate:"):
        raise Refused(answer.status_code, document)
    raise Fault(f"What answers at {safe(base)} is not a Sluicegate console (status {answer.status_code}).")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _not_an_address(console: str) -> Fault:
    return Fault(f"{safe(console)} is no address of a console.", hint="Write it like http://127.0.0.1:8090.")


def complain(refused: Refused, as_json: bool) -> NoReturn:
    """Say what the console said no with, and end with 1."""
    if as_json:
        print(json.dumps(refused.problem, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))
    else:
        for member in ("detail", "next_step"):
            if refused.problem.get(member):
                print(f"sluicegate: {safe(refused.problem[member])}", file=sys.stderr)
    raise typer.Exit(1)
