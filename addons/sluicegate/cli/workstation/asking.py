"""What doctor asks of others: gateway, console, identity provider, and each service through the gateway."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from sluicegate.cli import credential_store
from sluicegate.cli.safe_text import safe
from sluicegate.cli.workstation.canary import Judged, judge
from sluicegate.cli.workstation.checks import EGRESS, Check, Level
from sluicegate.cli.workstation.settings import Known, Place
from sluicegate.cli.workstation.variables import proxy_url
from sluicegate.errors import Fault
from sluicegate.exchange import Obligation

SECONDS = 8.0
SKEW_WARN, SKEW_FAIL = 20.0, 60.0
"""Seconds that a clock may be off before sign-in gets into trouble, and before it fails."""


def gateway(place: Place) -> Check:
    """Whether a Sluicegate answers there: it asks whoever brings no credential to sign in."""
    try:
        with socket.create_connection((place.host, place.port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(b"CONNECT sluicegate.invalid:443 HTTP/1.1\r\nHost: sluicegate.invalid:443\r\n\r\n")
            head = connection.recv(4096).decode("latin-1")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Check(
            "gateway", "fail", f"{place.authority} does not answer: {why}", "sluicegate up, or --gateway HOST:PORT"
        )
    if " 407 " in head[:40] and 'realm="sluicegate"' in head:
        return Check("gateway", "ok", f"answers at {place.authority}")
    return Check("gateway", "fail", f"what answers at {place.authority} is not a Sluicegate", "name it with --gateway")


def console(base: str | None, secret: str) -> tuple[list[Check], dict[str, Any] | None]:
    """Console, clock, session and provider, in that order; and who one is, where that is known."""
    import httpx2

    if base is None:
        return [Check("console", "warn", "not known, so session and clock are not looked at", "sluicegate login")], None
    stored = credential_store.load_or_none()
    trusted = ssl.create_default_context(cafile=stored.ca) if stored is not None and stored.ca else True
    with httpx2.Client(trust_env=False, verify=trusted, timeout=SECONDS, follow_redirects=False) as client:
        try:
            before = time.time()
            answer = client.get(f"{base}/healthz")
            middle = (before + time.time()) / 2
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            said = f"{safe(base)} does not answer: {type(error).__name__}"
            return [Check("console", "fail", said, "name another with --console URL")], None
        found = [Check("console", "ok", f"answers at {safe(base)}"), *_clock(answer.headers.get("date", ""), middle)]
        session, who = _session(client, base, secret)
        found.append(session)
        found += _provider(client, base)
    return found, who


def _clock(date: str, now: float) -> Iterator[Check]:
    try:
        off = now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return
    level: Level = "ok" if abs(off) < SKEW_WARN else "warn" if abs(off) < SKEW_FAIL else "fail"
    said = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the gateway's"
    yield Check("clock", level, said, "" if level == "ok" else "set the clock: timedatectl set-ntp true")


def _session(client: Any, base: str, secret: str) -> tuple[Check, dict[str, Any] | None]:
    import httpx2

    if not secret:
        return Check("session", "fail", "nobody is signed in", "sluicegate login"), None
    try:
        answer = client.get(f"{base}/api/session", headers={"authorization": f"Bearer {secret}"})
        document = answer.json()
    except (httpx2.HTTPError, ValueError):
        return Check("session", "warn", "the console does not say who you are", "sluicegate whoami"), None
    if answer.status_code != 200 or not isinstance(document, dict) or "subject" not in document:
        detail = safe(str(document.get("detail", answer.status_code))) if isinstance(document, dict) else "no answer"
        return Check("session", "fail", detail, "sluicegate login"), None
    who = document.get("name") or document["subject"]
    return Check(
        "session", "ok", f"signed in as {safe(str(who))}, until {safe(str(document.get('expires', '?')))}"
    ), document


def _provider(client: Any, base: str) -> Iterator[Check]:
    import httpx2

    try:
        issuer = str(client.get(f"{base}/api/sign-in").json()["issuer"])
        found = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError):
        yield Check(
            "provider", "warn", "the identity provider cannot be reached from here", "sign-in needs it: try later"
        )
        return
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        yield Check(
            "provider", "fail", f"what answers at {safe(issuer)} says that it is another one", "tell the operator"
        )
    else:
        yield Check("provider", "ok", safe(issuer))


@dataclass(frozen=True, slots=True)
class Canary:
    """A request to send, and values that must not come back to whoever owes a mask."""

    method: str
    url: str
    body: bytes = b""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What the policy says of a request; an empty effect where that is not known here."""

    effect: str = ""
    owed: tuple[Obligation, ...] = ()

    def __str__(self) -> str:
        masks = sorted({column for one in self.owed for column in one.columns})
        return f"{self.effect}, masking {', '.join(masks)}" if masks else self.effect


def canary(here: Known, authority: str, sent: Canary, expected: Expected) -> Check:
    """Send it through the gateway: what came back, and whether that is what the policy says."""
    import httpx2

    name = f"canary {safe(sent.url)}"
    context = ssl.create_default_context(cafile=authority)
    headers = {"user-agent": "sluicegate-doctor", "prefer": "wait=1"}
    if sent.body:
        headers["content-type"] = "application/json"
    try:
        with httpx2.Client(
            proxy=proxy_url(here.gateway, here.secret),
            trust_env=False,
            verify=context,
            timeout=30,
            follow_redirects=False,
        ) as client:
            answer = client.request(sent.method, sent.url, headers=headers, content=sent.body or None)
    except httpx2.ProxyError as error:
        return Check(
            name, "fail", f"refused at CONNECT: {safe(str(error))}", "sluicegate login; is the host in the policy?"
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        said = safe(str(error)) or type(error).__name__
        return Check(name, "fail", f"did not get through: {said}", "sluicegate ca show, on the gateway")
    came = _came_back(answer)
    if not expected.effect:
        return Check(name, "ok", f"came back {came}")
    if came.partition(" ")[0] != expected.effect:
        return Check(name, "fail", f"came back {came}; the policy says {expected}", "is this the gateway's policy?")
    if expected.effect != "allowed":
        return Check(name, "ok", f"came back {came}, as the policy says")
    return _masked(name, came, answer, sent, expected)


def _masked(name: str, came: str, answer: Any, sent: Canary, expected: Expected) -> Check:
    """Whether what a service answered is masked as it has to be."""
    if not answer.is_success:
        said = f"came back {came}; with such an answer nothing is shown about masks"
        return Check(name, "warn", said, "declare a canary that the service answers: [services.NAME.canary]")
    kind = answer.headers.get("content-type", "")
    judged = judge(answer.content, kind, expected.owed, sent.known) if sent.method != "HEAD" else Judged("ok", "")
    said = f"came back {came}, as the policy says: {expected}" + (f"; {judged.said}" if judged.said else "")
    mend = {
        "fail": "stop the gateway: what it lets out is not masked. Is this its policy (sluicegate policy show)?",
        "warn": "[services.NAME.canary] with known values",
    }.get(judged.level, "")
    return Check(name, judged.level, said, mend)


def _came_back(answer: Any) -> str:
    ours = answer.headers.get("proxy-status", "").startswith("sluicegate;")
    if not ours:
        return f"allowed ({answer.status_code}, {len(answer.content)} bytes)"
    try:
        problem = answer.json()
        code = str(problem.get("type", "")).removeprefix("urn:sluicegate:")
        rules = ", ".join(map(str, problem.get("rules", ())))
    except ValueError:
        code = rules = ""
    held = "approval" in code or ("approval" in answer.text[:2000] and answer.status_code in (202, 403))
    said = safe(f"{answer.status_code} {code}{f' by {rules}' if rules else ''}")
    return f"held ({said})" if held else f"denied ({said})"


def direct(host: str, port: int) -> Check | None:
    """Whether a governed place can be reached past the gateway; None where it cannot."""
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return None
    return Check("egress", "warn", f"{safe(host)}:{port} can be reached past the gateway as well", EGRESS)


def whose(document: dict[str, Any]) -> tuple[str, frozenset[str], str]:
    """Subject, groups and issuer. Raises Fault for a console that says something else."""
    try:
        return str(document["subject"]), frozenset(map(str, document["groups"])), str(document["issuer"])
    except (KeyError, TypeError):
        raise Fault("The console does not say who you are.") from None
