"""sluicegate env: the variables that send a shell's tools through the gateway, for `eval`."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, state_of
from sluicegate.cli.workstation import running, shells
from sluicegate.cli.workstation.settings import AuthorityOption, ConsoleOption, GatewayOption, known
from sluicegate.cli.workstation.shells import Shell

NoProxy = Annotated[
    str,
    typer.Option(metavar="HOSTS", help="More hosts that go past the gateway, comma-separated.", show_default=False),
]


def env(
    gateway: GatewayOption = None,
    console: ConsoleOption = None,
    ca: AuthorityOption = None,
    no_proxy: NoProxy = "",
    shell: Annotated[
        Shell | None, typer.Option(help="Which shell reads it. [default: the one of SHELL]", show_default=False)
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Take all of the variables back.")] = False,
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the variables that send tools through the gateway and have them trust it.

    With `sluicegate agent` running, or with `sluicegate run`, no secret is among them.

    For a shell: eval "$(sluicegate env)"

    Example: sluicegate env --shell fish
    """
    from sluicegate.cli.workstation import trust, variables

    shell = shell or shells.of(os.environ.get("SHELL", ""))
    if unset:
        print(json.dumps(list(variables.NAMES)) if as_json else shells.unsetting(shell, variables.NAMES), end="")
        return
    here = known(gateway, console, policy)
    trusted = trust.prepare(ca, here.console, state_of(policy, None).ca / "mitmproxy-ca-cert.pem")
    agent = running.found(here.gateway)
    through, secret = agent if agent is not None else (here.gateway, here.secret)
    past = variables.past_the_gateway(trusted, here.console, no_proxy)
    found = variables.variables(through, secret, trusted, past, os.environ)
    print(json.dumps(found, indent=2) if as_json else shells.setting(shell, found), end="\n" if as_json else "")
    if agent is None:
        said = (
            "your credential is in these variables, for every program to read; `sluicegate agent` keeps it out of them"
            if secret
            else "nobody is signed in: run `sluicegate login`"
        )
        print(f"sluicegate: {said}.", file=sys.stderr)
