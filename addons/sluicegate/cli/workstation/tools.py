"""The tools that doctor starts: each asks for one address in its own way, with nothing set but its environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PYTHON = {
    "urllib": (
        "import urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(URL, timeout=15).read()[:4000])\n"
        "except urllib.error.HTTPError as error: print(error.read()[:4000])"
    ),
    "requests": "import requests; print(requests.get(URL, timeout=15).text[:4000])",
    "httpx": "import httpx; print(httpx.get(URL, timeout=15).text[:4000])",
    "aiohttp": (
        "import aiohttp, asyncio\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession(trust_env=True) as s, s.get(URL) as r: print((await r.text())[:4000])\n"
        "asyncio.run(main())"
    ),
}
MISSING = "sluicegate: not importable"
"""What a program prints that is not there to be tried."""
_NODE = (
    "fetch(process.argv[1]).then(r => r.text())"
    ".then(t => console.log(t.slice(0, 4000)), e => console.log(e.cause || e))"
)
_JAVA = """import java.net.*;
public class Try {
    public static void main(String[] given) throws Exception {
        HttpURLConnection c = (HttpURLConnection) URI.create(given[0]).toURL().openConnection();
        c.setConnectTimeout(15000);
        c.setReadTimeout(15000);
        var body = c.getResponseCode() < 400 ? c.getInputStream() : c.getErrorStream();
        System.out.println(new String(body.readNBytes(4000), "UTF-8"));
    }
}
"""


@dataclass(frozen=True)
class Tool:
    """One that may be installed. `command` may write into the empty folder that it is given."""

    name: str
    program: str
    command: Callable[[str, Path], list[str]]
    environ: Mapping[str, str] = field(default_factory=dict)
    keeps_local: bool = False
    """Whether it goes to no proxy for what it takes for its own machine, whatever the variables say."""


def _python(library: str, code: str) -> Tool:
    asked = (
        f"import importlib.util, sys\nURL = sys.argv[1]\n"
        f"if importlib.util.find_spec({library!r}) is None: sys.exit({MISSING!r})\n{code}"
    )
    return Tool(f"python {library}", "python3", lambda url, folder: ["python3", "-c", asked, url])


def _java(url: str, folder: Path) -> list[str]:
    source = folder / "Try.java"
    source.write_text(_JAVA)
    return ["java", "-XX:TieredStopAtLevel=1", str(source), url]


TOOLS = (
    Tool("curl", "curl", lambda url, folder: ["curl", "-sS", "--max-time", "15", url]),
    Tool("wget", "wget", lambda url, folder: ["wget", "-O-", "-S", "-T15", "-t1", "--content-on-error", url]),
    Tool(
        "git", "git", lambda url, folder: ["git", "ls-remote", url],
        {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"},
    ),
    *(_python(library, code) for library, code in _PYTHON.items()),
    Tool(
        "pip", "python3",
        lambda url, folder: ["python3", "-m", "pip", "-vv", "--disable-pip-version-check", "download", "--no-deps",
                             "--retries", "0", "-d", str(folder), "--index-url", url, "sluicegate-canary"],
    ),
    Tool("node", "node", lambda url, folder: ["node", "-e", _NODE, url]),
    Tool(
        "npm", "npm",
        lambda url, folder: ["npm", "view", "sluicegate-canary", "--registry", url, "--cache", str(folder),
                             "--fetch-retries", "0"],
        {"npm_config_update_notifier": "false"},
    ),
    Tool("java", "java", _java),
    Tool(
        "go", "go", lambda url, folder: ["go", "list", "-m", "sluicegate.invalid/canary@v1.0.0"],
        {"GOPROXY": "URL", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOMODCACHE": "FOLDER"},
        keeps_local=True,
    ),
)  # fmt: skip


def installed() -> list[Tool]:
    """Those whose program is there."""
    return [tool for tool in TOOLS if shutil.which(tool.program)]


def surroundings(tool: Tool, environ: Mapping[str, str], url: str, folder: Path) -> dict[str, str]:
    """The environment that a tool is started in: the user's, and what keeps it from asking anybody for anything."""
    more = {name: {"URL": url, "FOLDER": str(folder)}.get(value, value) for name, value in tool.environ.items()}
    return {**environ, **more}
