"""Whether installed tools go through the gateway and trust it: each is started, asks once, and what it says is judged.

What is asked for is a path that the gateway refuses for every service and everybody, so that its own words come back
and nothing reaches a service. What a tool printed is not shown: a proxy's address may hold a credential.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from sluicegate.cli.workstation.checks import EGRESS, ENV, Check
from sluicegate.cli.workstation.tools import MISSING, Tool, installed, surroundings

PATH = "/sluicegate-canary%7F/tools"
"""Refused whatever the policy says (lockdown: a path that can be read in two ways)."""
SECONDS = 25.0
AT_ONCE = 3
_OURS = re.compile(r"urn:sluicegate:|path can be read in more than one way|Request not accepted", re.I)
_SIGN_IN = re.compile(r"\b511\b|Sign in again", re.I)
_NOT_SIGNED_IN = re.compile(r"\b407\b|Sign in first", re.I)
_DISTRUST = re.compile(
    r"certificate|CERT_|SELF_SIGNED|x509|PKIX|UNABLE_TO_(?:VERIFY|GET)|unable to get (?:local )?issuer|trust anchor",
    re.I,
)
_LOCAL = re.compile(r"localhost|127\.[0-9.]+|::1")


def tried(origin: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """Each installed tool that could be tried, in their order. `origin`: of a governed service (`https://host:port`)."""
    host = urlsplit(origin).hostname or ""
    tools = [tool for tool in installed() if not (tool.keeps_local and _LOCAL.fullmatch(host))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for tool, said in zip(tools, pool.map(lambda tool: ask(tool, origin + PATH, environ), tools), strict=True):
            check = judged(tool, said)
            if check is not None:
                yield check


def judged(tool: Tool, said: str | None) -> Check | None:
    """What the words of a tool mean; None where it could not be tried."""
    if said is None:
        return Check(tool.name, "warn", f"said nothing within {SECONDS:.0f} seconds", "try it by hand")
    if MISSING in said:
        return None
    if _OURS.search(said) or _SIGN_IN.search(said):
        return Check(tool.name, "ok", "goes through the gateway, and trusts it (tried)")
    if _DISTRUST.search(said):
        return Check(tool.name, "fail", "does not trust the gateway (tried)", ENV)
    if _NOT_SIGNED_IN.search(said):
        return Check(tool.name, "warn", "goes through the gateway, which does not know you (tried)", "sluicegate login")
    return Check(tool.name, "warn", "goes past the gateway (tried)", f"{ENV}; and {EGRESS}")


def ask(tool: Tool, url: str, environ: Mapping[str, str]) -> str | None:
    """All that a tool printed; None where it did not end in time. It and what it started are ended then."""
    with tempfile.TemporaryDirectory(prefix="sluicegate-doctor-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            process = subprocess.Popen(  # noqa: S603 - constant words, and the address of a service
                tool.command(url, folder),
                env=surroundings(tool, environ, url, folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return MISSING
        try:
            said, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
    return said.decode("utf-8", "replace")


def instead_of(settings: Sequence[Check], trials: Sequence[Check]) -> Iterator[Check]:
    """Both together: what was tried, and of the rest what their settings say. Settings also say why a trial failed."""
    names = {check.name for check in trials}
    reasons = {check.name: check for check in settings if check.level in ("warn", "fail") and not _wins(check)}
    pythons = any(name.startswith("python ") for name in names)
    for check in trials:
        why = reasons.get(check.name.partition(" ")[0])
        if why is None or check.level == "ok":
            yield check
        elif "ignores proxy" in why.said or "goes past" in why.said:
            # What it met and did not trust, if that is what it says, was the service and not the gateway.
            yield Check(check.name, why.level, f"goes past the gateway (tried): {_reason(why)}", why.mend)
        else:
            yield Check(check.name, check.level, f"{check.said}: {_reason(why)}", why.mend)
    for check in settings:
        if _wins(check) or not (check.name in names or (check.name == "python" and pythons)):
            yield check


def _reason(check: Check) -> str:
    """Why its settings say so, without what they say: that stands there already."""
    said, _, why = check.said.partition(": ")
    return why if said in ("does not trust the gateway", "goes past the gateway") and why else check.said


def _wins(check: Check) -> bool:
    """Whether it is about a file that wins over variables, which is worth saying whatever came of a trial."""
    return "wins" in check.said or "verifies no certificate" in check.said
