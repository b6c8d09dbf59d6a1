"""sluicegate doctor: what keeps this workstation from going through the gateway, a line each, with what mends it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, state_of
from sluicegate.cli.workstation.settings import AuthorityOption, ConsoleOption, GatewayOption, Known, known
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from sluicegate.cli.workstation.checks import Check

_MARKS = {"ok": "ok  ", "note": "note", "warn": "WARN", "fail": "FAIL"}
CANARY = "/sluicegate-canary"
"""What is asked of each service: a path that none has and no rule allows, so the gateway itself has to answer."""


def doctor(
    gateway: GatewayOption = None,
    console: ConsoleOption = None,
    ca: AuthorityOption = None,
    canary: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Ask for this too, through the gateway; may be repeated.")
    ] = None,
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look what keeps this workstation from going through the gateway. Changes nothing.

    Where the policy is at hand, a canary goes through each of its services, and what comes back is held against
    what the policy says. Exits with 1 for warnings, 2 for failures.

    Example: sluicegate doctor --canary https://chunks.internal:8443/datasets/customers/chunks/7
    """
    found = list(_checks(gateway, console, ca, canary or [], policy))
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=2))
    else:
        width = max(len(check.name) for check in found)
        for check in found:
            mend = f"\n{' ' * (width + 7)}-> {check.mend}" if check.mend else ""
            print(f"{_MARKS[check.level]}  {check.name:<{width}} {check.said}{mend}")
    levels = {check.level for check in found}
    if levels & {"warn", "fail"}:
        raise typer.Exit(2 if "fail" in levels else 1)


def _checks(
    gateway: str | None, console: str | None, ca: Path | None, urls: list[str], policy: Path
) -> Iterator[Check]:
    from sluicegate.cli.workstation import asking, checks, running, trust

    try:
        here = known(gateway, console, policy)
    except Fault as fault:
        yield checks.Check("gateway", "fail", fault.message, "sluicegate login, or --gateway HOST:PORT")
        return
    yield asking.gateway(here.gateway)
    said, who = asking.console(here.console, here.secret)
    yield from said
    agent = running.found(here.gateway)
    yield from checks.proxies(os.environ, agent[0] if agent is not None else here.gateway)
    try:
        files = trust.prepare(ca, here.console, state_of(policy, None).ca / "mitmproxy-ca-cert.pem")
    except Fault as fault:
        yield checks.Check("authority", "fail", fault.message, fault.hint)
        return
    yield from checks.no_proxy(os.environ, files.names())
    yield from checks.trust(os.environ, files, Path.home())
    yield from checks.clients_that_go_direct(os.environ)
    if here.secret:
        yield from _canaries(here, files.authority, who, urls, policy)


def _canaries(
    here: Known, authority: Path, who: dict[str, Any] | None, urls: list[str], policy: Path
) -> Iterator[Check]:
    from sluicegate.cli.workstation import asking
    from sluicegate.settings.hosts import OriginPattern

    expected = _expecting(policy, who)
    asked = list(urls)
    if policy.exists():
        from sluicegate.settings import load

        for service in load(policy).settings.services.values():
            pattern = OriginPattern.parse(service.hosts[0])
            if not pattern.below:
                asked.append(f"{pattern.origin}{CANARY}")
                past = asking.direct(pattern.origin.host, pattern.origin.port) if service.connect is None else None
                if past is not None:
                    yield past
    for url in dict.fromkeys(asked):
        yield asking.canary(here, str(authority), url, expected(url))


def _expecting(policy: Path, who: dict[str, Any] | None) -> Any:
    """Gives what the policy says of a GET by this person; empty where either is not known."""
    if who is None or not policy.exists():
        return lambda url: ""
    import time

    from sluicegate.cli.workstation.asking import whose
    from sluicegate.exchange import Principal
    from sluicegate.pipeline.rehearsal import Asked, Rehearsal
    from sluicegate.policy.context import Context
    from sluicegate.settings import load

    subject, groups, issuer = whose(who)
    rehearsal = Rehearsal(load(policy))
    person = Principal(subject, issuer, groups)

    def expected(url: str) -> str:
        judged = rehearsal.judge(person, Asked("GET", url), Context(now=time.time()))
        verdict = judged.verdict
        if verdict is None or verdict.effect == "deny":
            return "denied"
        if verdict.effect == "hold":
            return "held"
        masks = sorted({column for owed in verdict.obligations for column in owed.columns})
        return f"allowed, masking {', '.join(masks)}" if masks else "allowed"

    return expected
