"""What can keep a workstation's tools from going through the gateway, looked at one by one. Nothing here is changed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sluicegate.cli.workstation.settings import Place
from sluicegate.cli.workstation.trust import Trust
from sluicegate.pipeline.constraints import Names

Level = Literal["ok", "note", "warn", "fail"]

ENV = 'eval "$(sluicegate env)"'
EGRESS = "let only the gateway leave: deploy/transparent.nft"
_TOOLS = {
    "curl": ("CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    "git": ("GIT_SSL_CAINFO",),
    "python": ("SSL_CERT_FILE",),
    "pip": ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    "aws": ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    "node": ("NODE_EXTRA_CA_CERTS",),
    "npm": ("npm_config_cafile", "NODE_EXTRA_CA_CERTS"),
    "go": ("SSL_CERT_FILE",),
    "cargo": ("CARGO_HTTP_CAINFO", "SSL_CERT_FILE"),
}
"""For each tool the variables by which it finds what to trust, the one that wins first."""

_DOTFILES = {
    ".curlrc": r"(?m)^\s*-{0,2}(proxy|noproxy|insecure|cacert|[xk])\b",
    ".npmrc": r"(?m)^\s*((https?-)?proxy|cafile|strict-ssl)\s*=",
}
"""Files whose settings win over variables, and how such a line looks."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `mend` is a command, or what to do, where there is something to do."""

    name: str
    level: Level
    said: str
    mend: str = ""


def policy_in_force(policy: Path, state: Path) -> Iterator[Check]:
    """Whether the gateway of this state folder goes by what the policy file says; nothing where there is none."""
    try:
        told = json.loads((state / "policy.json").read_text())
        digest, problems = told["digest"], told["problems"]
        said = [f"line {one['line']}: {one['where']} {one['message']}" for one in problems]
        mend = next((one["suggestion"] for one in problems if one["suggestion"]), "mend it; it is then taken up")
        current = hashlib.sha256(policy.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return
    if said:
        more = f" (and {len(said) - 3} more)" if len(said) > 3 else ""
        yield Check(
            "policy",
            "fail",
            f"{policy} has changed, and the gateway goes by the one from before: {'; '.join(said[:3])}{more}",
            mend,
        )
    elif digest == current:
        yield Check("policy", "ok", f"what {policy} says is in force")
    else:
        yield Check("policy", "warn", f"{policy} differs from what a gateway last loaded", "sluicegate up")


def proxies(environ: Mapping[str, str], expected: Place) -> Iterator[Check]:
    """The proxy variables: set, in both cases, and to the gateway or its agent."""
    for upper in ("HTTPS_PROXY", "HTTP_PROXY"):
        values = {name: environ.get(name, "") for name in (upper, upper.lower())}
        wrong = [name for name, value in values.items() if not _is(value, expected)]
        if not any(values.values()):
            yield Check(upper, "warn", "not set, so tools of this shell go past the gateway", ENV)
        elif wrong:
            yield Check(upper, "fail", f"{' and '.join(wrong)} names another proxy, or none", ENV)
        else:
            yield Check(upper, "ok", f"{expected.authority}")
    https = environ.get("https_proxy") or environ.get("HTTPS_PROXY", "")
    if https.startswith("https://"):
        yield Check(
            "aiohttp", "fail", "ignores a proxy that is spoken to over TLS, and goes direct", "sluicegate agent &"
        )
    if "@" in https:
        yield Check(
            "secret", "note", "your credential is in the environment, for every program to read", "sluicegate agent &"
        )


def no_proxy(environ: Mapping[str, str], governed: Names) -> Iterator[Check]:
    """NO_PROXY must not take a host that the gateway governs past it."""
    found = False
    for name in ("NO_PROXY", "no_proxy"):
        entries = [each.strip().lower() for each in environ.get(name, "").split(",") if each.strip()]
        wide = sorted({each for each in entries if _too_wide(each, governed)})
        if wide:
            found = True
            yield Check(name, "fail", f"takes governed hosts past the gateway: {', '.join(wide)}", ENV)
    if not found:
        yield Check("NO_PROXY", "ok", "takes no governed host past the gateway")


def trust(environ: Mapping[str, str], files: Trust, home: Path) -> Iterator[Check]:
    """Each tool that is installed: whether what it looks at first holds the gateway's authority."""
    ours = files.authority.read_bytes().strip() if files.authority.exists() else b""
    if not ours:
        yield Check("authority", "fail", "the gateway's authority is not known here", ENV)
        return
    for tool, variables in _TOOLS.items():
        if shutil.which(tool) is None and not (tool == "python" and shutil.which("python3")):
            continue
        name = next((each for each in variables if environ.get(each)), None)
        if name is None:
            yield Check(tool, "warn", f"does not trust the gateway: {variables[0]} is not set", ENV)
        elif ours not in _content(Path(environ[name])):
            yield Check(tool, "fail", f"does not trust the gateway: {name} names a file without its authority", ENV)
        else:
            yield Check(tool, "ok", f"trusts the gateway ({name})")
    if shutil.which("java"):
        options = environ.get("JAVA_TOOL_OPTIONS", "")
        good = f"trustStore={files.java}" in options and "https.proxyHost" in options
        said = "trusts the gateway, and goes through it" if good else "goes past the gateway: it looks at no variable"
        yield Check("java", "ok" if good else "warn", said, "" if good else ENV)
    yield from _files_that_win(home)


def clients_that_go_direct(environ: Mapping[str, str]) -> Iterator[Check]:
    """Installed clients that do not look at proxy variables, and what catches them."""
    if shutil.which("node"):
        said = _said("node", "--version")
        version = int(found[1]) if (found := re.match(r"v(\d+)", said)) else 0
        if version < 24:
            yield Check("node", "warn", f"Node {said or '?'} ignores proxy variables in fetch (24 does not)", EGRESS)
        elif environ.get("NODE_USE_ENV_PROXY") != "1":
            yield Check("node", "warn", "ignores proxy variables without NODE_USE_ENV_PROXY=1", ENV)
        else:
            yield Check("node", "ok", "looks at the proxy variables")


def _files_that_win(home: Path) -> Iterator[Check]:
    """Settings in files that win over variables."""
    git = {name: _said("git", "config", "--get", name) for name in ("http.proxy", "http.sslCAInfo", "http.sslVerify")}
    if git["http.proxy"]:
        yield Check("git", "fail", "http.proxy in git's configuration wins over ours", "git config --unset http.proxy")
    if git["http.sslVerify"].lower() == "false":
        yield Check("git", "fail", "verifies no certificate at all", "git config --unset http.sslVerify")
    for name, pattern in _DOTFILES.items():
        if re.search(pattern, _content(home / name).decode("utf-8", "replace")):
            tool, said = name.strip(".").removesuffix("rc"), f"~/{name} sets a proxy or trust of its own, and wins"
            yield Check(tool, "warn", said, f"look at ~/{name}")


def _is(value: str, expected: Place) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        return (parts.hostname, parts.port) == (expected.host, expected.port)
    except ValueError:
        return False


def _too_wide(entry: str, governed: Names) -> bool:
    """Whether an entry of NO_PROXY names a governed host, a domain above one, or everything."""
    host = re.sub(r":\d+$", "", entry) if not entry.startswith("[") and entry.count(":") == 1 else entry
    host = host.removeprefix("*").removeprefix(".").strip("[]")
    if not host:
        return True
    if governed.everything:
        return False
    return governed.cover(host) or any(domain.endswith(f".{host}") for domain in governed.domains)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4 << 20)
    except OSError:
        return b""


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - constant words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
