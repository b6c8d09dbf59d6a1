"""sluicegate doctor: what keeps this workstation from going through the gateway, a line each, with what mends it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, state_of
from sluicegate.cli.workstation.settings import AuthorityOption, ConsoleOption, GatewayOption, Known, known
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluicegate.cli.workstation.asking import Canary, Expected
    from sluicegate.cli.workstation.checks import Check
    from sluicegate.settings.model import Service

_NAME = 12
"""Letters of a name that the others stand in line with; the address of a canary is longer."""
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
    quick: Annotated[bool, typer.Option("--quick", help="Start no tools; look at their settings alone.")] = False,
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    hash_known: Annotated[
        bool,
        typer.Option("--hash", help="Read a value from standard input, print it as a canary may hold it."),
    ] = False,
) -> None:
    """Look what keeps this workstation from going through the gateway. Changes nothing.

    Each installed tool that is known (curl, wget, git, Python, pip, Node, npm, Java, Go) is started once and asks for
    something that the gateway refuses. Where the policy is at hand, a canary goes through each of its services, and
    what comes back is held against what the policy says: denied, held, or masked. Exits with 1 for warnings, 2 for
    failures.

    Example: sluicegate doctor --canary https://chunks.internal:8443/datasets/customers/chunks/7
    """
    if hash_known:
        from sluicegate.cli.workstation.canary import hashed

        print(hashed(sys.stdin.readline().rstrip("\r\n")))
        return
    found = list(_checks(gateway, console, ca, canary or [], policy, quick))
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=2))
    else:
        width = max(min(len(check.name), _NAME) for check in found)
        for check in found:
            mend = f"\n{' ' * (width + 7)}-> {check.mend}" if check.mend else ""
            print(f"{_MARKS[check.level]}  {check.name:<{width}} {check.said}{mend}")
    levels = {check.level for check in found}
    if levels & {"warn", "fail"}:
        raise typer.Exit(2 if "fail" in levels else 1)


def _checks(
    gateway: str | None, console: str | None, ca: Path | None, urls: list[str], policy: Path, quick: bool
) -> Iterator[Check]:
    from sluicegate.cli.workstation import asking, checks, running, trust, trying

    try:
        here = known(gateway, console, policy)
    except Fault as fault:
        yield checks.Check("gateway", "fail", fault.message, "sluicegate login, or --gateway HOST:PORT")
        return
    yield asking.gateway(here.gateway)
    said, who = asking.console(here.console, here.secret)
    yield from said
    yield from checks.policy_in_force(policy, state_of(policy, None).root)
    agent = running.found(here.gateway)
    yield from checks.proxies(os.environ, agent[0] if agent is not None else here.gateway)
    try:
        files = trust.prepare(ca, here.console, state_of(policy, None).ca / "mitmproxy-ca-cert.pem")
    except Fault as fault:
        yield checks.Check("authority", "fail", fault.message, fault.hint)
        return
    yield from checks.no_proxy(os.environ, files.names())
    settings = [*checks.trust(os.environ, files, Path.home()), *checks.clients_that_go_direct(os.environ)]
    through = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    origin = _governed(policy, who, urls) if through and not quick else ""
    trials = list(trying.tried(origin, os.environ)) if origin else []
    if not trials:
        why = "they were not asked to be" if quick else "no proxy is set" if not through else "no service is known here"
        yield checks.Check("tools", "note", f"not tried, since {why}; what follows is from their settings")
    yield from trying.instead_of(settings, trials)
    if here.secret:
        yield from _canaries(here, files.authority, who, urls, policy)


def _canaries(
    here: Known, authority: Path, who: dict[str, Any] | None, urls: list[str], policy: Path
) -> Iterator[Check]:
    from sluicegate.cli.workstation import asking
    from sluicegate.settings.hosts import OriginPattern

    expected = _expecting(policy, who)
    sent = [asking.Canary("GET", url) for url in urls]
    if policy.exists():
        from sluicegate.settings import load

        for service in load(policy).settings.services.values():
            pattern = OriginPattern.parse(service.hosts[0])
            if pattern.below:
                continue
            sent.append(_of_service(str(pattern.origin), service))
            past = asking.direct(pattern.origin.host, pattern.origin.port) if service.connect is None else None
            if past is not None:
                yield past
    for one in dict.fromkeys(sent):
        yield asking.canary(here, str(authority), one, expected(one))


def _governed(policy: Path, who: dict[str, Any] | None, urls: list[str]) -> str:
    """The origin of a service that the gateway governs; empty where none is known."""
    from urllib.parse import urlsplit

    from sluicegate.settings import load
    from sluicegate.settings.hosts import OriginPattern

    found = []
    if policy.exists():
        patterns = [OriginPattern.parse(each.hosts[0]) for each in load(policy).settings.services.values()]
        found = [str(pattern.origin) for pattern in patterns if not pattern.below]
    told = (who or {}).get("services")
    found += [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
    found += ["://".join(urlsplit(url)[:2]) for url in urls]
    return next((each for each in found if each.startswith("https://") and each.isprintable()), "")


def _of_service(origin: str, service: Service) -> Canary:
    from sluicegate.cli.workstation.asking import Canary

    declared = service.canary
    if declared is None:
        return Canary("GET", f"{origin}{CANARY}")
    method, _, target = declared.request.partition(" ")
    return Canary(method, f"{origin}{target}", (declared.body or "").encode(), tuple(declared.known))


def _expecting(policy: Path, who: dict[str, Any] | None) -> Callable[[Canary], Expected]:
    """Gives what the policy says of a request by this person; nothing where either is not known."""
    from sluicegate.cli.workstation.asking import Expected

    if who is None or not policy.exists():
        return lambda sent: Expected()
    import time

    from sluicegate.cli.workstation.asking import whose
    from sluicegate.exchange import Principal
    from sluicegate.pipeline.rehearsal import Asked, Rehearsal
    from sluicegate.policy.context import Context
    from sluicegate.settings import load

    subject, groups, issuer = whose(who)
    rehearsal = Rehearsal(load(policy))
    person = Principal(subject, issuer, groups)

    def expected(sent: Canary) -> Expected:
        headers = (("content-type", "application/json"),) if sent.body else ()
        judged = rehearsal.judge(person, Asked(sent.method, sent.url, headers, sent.body), Context(now=time.time()))
        verdict = judged.verdict
        if verdict is None or verdict.effect == "deny":
            return Expected("denied")
        return Expected("held") if verdict.effect == "hold" else Expected("allowed", verdict.obligations)

    return expected
