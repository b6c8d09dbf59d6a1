"""Where the gateway and its console are, and with what one signs in there, as this workstation knows it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from sluicegate.cli import console_client, credential_store
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault
from sluicegate.settings.hosts import split_authority

GatewayOption = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        metavar="HOST:PORT",
        envvar="SLUICEGATE_GATEWAY",
        help="The gateway. [default: the one you signed in at, or [gateway].listen of the policy]",
        show_default=False,
    ),
]
ConsoleOption = Annotated[
    str | None,
    typer.Option(
        "--console",
        metavar="URL",
        envvar="SLUICEGATE_CONSOLE",
        help="The console. [default: the one you signed in at, or [console].listen of the policy]",
        show_default=False,
    ),
]
AuthorityOption = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        envvar="SLUICEGATE_CA",
        help="The gateway's authority. [default: from the console]",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway's address. `tls`: whether the proxy itself is spoken to over TLS."""

    host: str
    port: int
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Place:
        """From `host:port` or a URL of a proxy. Raises Fault."""
        scheme, separator, rest = text.rpartition("://")
        try:
            if separator and (scheme not in ("http", "https") or urlsplit(text).path not in ("", "/")):
                raise ValueError
            host, port = split_authority(rest.rstrip("/"))
            if port is None or "@" in rest:
                raise ValueError
        except ValueError:
            raise Fault(f"{safe(text)} is no address of a gateway.", hint="Write it like gate.internal:8080.") from None
        return cls(host, port, scheme == "https")

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known here. `secret` is what the proxy is signed in with: a handle, a token, or empty."""

    gateway: Place
    console: str | None
    secret: str = field(default="", repr=False)


def known(gateway: str | None, console: str | None, policy: Path) -> Known:
    """From the options, the sign-in that is stored, and the policy, in that order. Raises Fault without a gateway."""
    stored = credential_store.load()
    text = gateway or (stored.gateway if stored else "") or _listens(policy)
    if not text:
        raise Fault(
            "It is not known where the gateway is.",
            hint="Sign in with `sluicegate login`, or name it with --gateway HOST:PORT or SLUICEGATE_GATEWAY.",
        )
    if console is None and stored is not None and (gateway is None or gateway == stored.gateway):
        console = stored.console
    elif console is None and not policy.exists():
        return Known(Place.parse(text), None, secret(text))
    return Known(Place.parse(text), console_client.address(console, policy), secret(text))


def secret(gateway: str) -> str:
    """What signs in there: the token in the environment, else the stored handle, which no other gateway gets."""
    found = os.environ.get(console_client.TOKEN_VARIABLE, "").strip()
    if found:
        if not found.isascii() or not found.isprintable() or " " in found:
            raise Fault(f"What {console_client.TOKEN_VARIABLE} holds is not a token.")
        return found
    stored = credential_store.load()
    return stored.handle if stored is not None and stored.gateway == gateway else ""


def _listens(policy: Path) -> str:
    if not policy.exists():
        return ""
    from sluicegate.settings import load

    host, _, port = load(policy).settings.gateway.listen.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104
