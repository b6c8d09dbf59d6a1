"""sluicegate request: ask for an approval ahead of time, with the very request that will be sent later."""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, state_of
from sluicegate.cli.safe_text import safe
from sluicegate.cli.workstation.settings import AuthorityOption, ConsoleOption, GatewayOption, Place, known
from sluicegate.errors import Fault

SECONDS = 30.0


def request(
    url: Annotated[str, typer.Argument(help="What will be asked for.")],
    method: Annotated[str, typer.Option("--method", "-X", help="[default: GET, or POST with a body]")] = "",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="A header, as it will be sent.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="The body, or @FILE.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever decides.")] = "",
    gateway: GatewayOption = None,
    console: ConsoleOption = None,
    ca: AuthorityOption = None,
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask for the approval of a request without sending it to the service.

    The approval is bound to the request: send the same method, address, headers and body later, and it goes through.

    Example: sluicegate request https://chunks.internal/exports -d @export.json -H "Content-Type: application/json"
    """
    from sluicegate.cli.workstation import trust

    here = known(gateway, console, policy)
    if not here.secret:
        raise Fault("Nobody is signed in.", hint="Run `sluicegate login`.")
    trusted = trust.prepare(ca, here.console, state_of(policy, None).ca / "mitmproxy-ca-cert.pem")
    body = _body(data)
    headers = [_header(text) for text in header or ()]
    status, said = _ask(here.gateway, here.secret, trusted.bundle, method, url, headers, body, reason)
    if as_json:
        print(json.dumps(said, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))
    elif status == 202:
        print(f"{safe(said['code'])}: {safe(said['detail'])}")
        print(safe(said.get("next_step", "")))
    else:
        for member in ("detail", "next_step"):
            if said.get(member):
                print(f"sluicegate: {safe(said[member])}", file=sys.stderr)
    if status != 202 and said.get("type") != "urn:sluicegate:nothing-to-approve":
        raise typer.Exit(1)


def _ask(
    gateway: Place,
    secret: str,
    bundle: Path,
    method: str,
    url: str,
    headers: list[tuple[str, str]],
    body: bytes,
    reason: str,
) -> tuple[int, dict[str, Any]]:
    import httpx2

    names = {name.lower() for name, _ in headers}
    ours = [("Sluicegate-Ask", "only"), *([("Sluicegate-Reason", reason)] if reason else [])]
    # The headers that curl and requests send by themselves; any other is the user's to name.
    usual = [] if "accept" in names else [("Accept", "*/*")]
    try:
        proxy = httpx2.Proxy(gateway.url, auth=("sluicegate", secret))
        asked = httpx2.Request(
            (method or ("POST" if body else "GET")).upper(),
            url,
            headers=[*usual, *headers, *ours],
            content=body or None,
        )
        context = ssl.create_default_context(cafile=str(bundle))
        with httpx2.Client(proxy=proxy, verify=context, trust_env=False, timeout=SECONDS) as client:
            answer = client.send(asked)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, ssl.SSLError) as error:
        raise Fault(f"The gateway at {gateway.authority} cannot be asked: {safe(error)}.") from None
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict) or not str(document.get("type", "")).startswith("urn:sluicegate:"):
        raise Fault(
            f"What answered ({answer.status_code}) is not the gateway, or it refused in the service's own words.",
            hint="If the gateway is older than this command, the request may have reached the service.",
        )
    return answer.status_code, document


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    if not data.startswith("@"):
        return data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise Fault(f"Cannot read {data[1:]}: {error.strerror}.") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Fault(f"{safe(text)} is no header.", hint="Write it like 'Content-Type: application/json'.")
    return name.strip(), value.strip()
