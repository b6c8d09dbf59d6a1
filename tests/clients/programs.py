"""The clients of docs/clients.md: each one asks for an address in its own way, with nothing set but its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.interop.environments import Environment

HERE = Path(__file__).parent
BOTO3 = Environment("boto3", ("boto3==1.44.8",))
NODE = Environment("node-clients", ("undici@7.30.2", "node@24.21.0"), kind="npm")
"""A Node that knows NODE_USE_ENV_PROXY, and undici, which is Node's fetch on its own."""

_S3 = (
    "from urllib.parse import urlsplit\n"
    "parts = urlsplit(URL); bucket, _, key = parts.path.lstrip('/').partition('/')\n"
    "s3 = SESSION('s3', region_name='eu-central-1', endpoint_url=f'https://{parts.netloc}',\n"
    "    aws_access_key_id='none', aws_secret_access_key='none-of-them', config=Config(s3={'addressing_style': 'path'}))\n"
    "print(s3.get_object(Bucket=bucket, Key=key)['Body'].read().decode())"
)
_AIOHTTP = (
    "import aiohttp, asyncio\n"
    "async def main():\n"
    "    async with aiohttp.ClientSession(TRUST) as s, s.get(URL) as r: print(await r.text())\n"
    "asyncio.run(main())"
)
_PYTHON = {
    "requests": "import requests; print(requests.get(URL).text)",
    "httpx": "import httpx; print(httpx.get(URL).text)",
    "httpx2": "import httpx2; print(httpx2.get(URL).text)",
    "urllib": (
        "import urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(URL).read().decode())\n"
        "except urllib.error.HTTPError as e: print(e.read().decode())"
    ),
    "aiohttp (trust_env=True)": _AIOHTTP.replace("TRUST", "trust_env=True"),
    "aiohttp (as it comes)": _AIOHTTP.replace("TRUST", ""),
    "botocore": "import botocore.session; from botocore.config import Config\n"
    + _S3.replace("SESSION", "botocore.session.get_session().create_client"),
}
_BOTO3 = "import boto3; from botocore.config import Config\n" + _S3.replace("SESSION", "boto3.client")


@dataclass(frozen=True)
class Program:
    """A client. `command` is what asks for an address; `wants` is what it can ask for (see `tests/clients/shelf.py`)."""

    name: str
    tool: str
    command: Callable[[str, Path], list[str]]
    version: tuple[str, ...]
    wants: str = "rows"
    needs: Environment | None = None
    host: str = "localhost"

    def missing(self) -> str:
        """Why it cannot be tried here; what it needs is installed first."""
        if self.needs is not None:
            self.needs.make()
        return "" if shutil.which(self.tool) else f"{self.tool} is not installed"

    def release(self) -> str:
        """Its version, as it says it itself: the first word with a digit."""
        done = subprocess.run(self.version, capture_output=True, text=True, timeout=60, env=os.environ)
        words = (done.stdout + done.stderr).replace('"', " ").split()
        return next((word.strip("v,()").removeprefix("go") for word in words if any(c.isdigit() for c in word)), "?")


def _python(name: str, code: str, python: str = sys.executable, needs: Environment | None = None) -> Program:
    package = name.partition(" ")[0]
    say = (
        "import sys; print(sys.version.split()[0])"
        if package == "urllib"
        else f"import {package} as p; print(p.__version__)"
    )
    return Program(
        name,
        python,
        lambda url, folder: [python, "-c", code.replace("URL", repr(url))],
        (python, "-c", say),
        needs=needs,
    )


def _java(name: str, file: str) -> Program:
    return Program(name, "java", lambda url, folder: ["java", str(HERE / file), url], ("java", "-version"))


_SHOWN = ".then(r => r.text()).then(console.log, e => console.error(String(e.cause || e)))"
_FETCH = f"fetch(process.argv[1]){_SHOWN}"
_UNDICI = f"const {{ fetch, MORE }} = require({str(NODE.folder / 'node_modules/undici')!r}); BEFORE {_FETCH}"
_BY_HAND = _UNDICI.replace("MORE", "EnvHttpProxyAgent, setGlobalDispatcher").replace(
    "BEFORE", "setGlobalDispatcher(new EnvHttpProxyAgent());"
)
_NEWER = NODE.run("node")
_UNDICI_SAYS = f"console.log(require({str(NODE.folder / 'node_modules/undici/package.json')!r}).version)"

PROGRAMS = [
    Program("curl", "curl", lambda url, folder: ["curl", "-sS", url], ("curl", "--version")),
    Program("wget", "wget", lambda url, folder: ["wget", "-qO-", "--content-on-error", url], ("wget", "--version")),
    Program("git", "git", lambda url, folder: ["git", "ls-remote", url], ("git", "--version"), "refs"),
    *(_python(name, code) for name, code in _PYTHON.items()),
    _python("boto3", _BOTO3, BOTO3.run("python"), BOTO3),
    Program(
        "pip", sys.executable,
        lambda url, folder: [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--no-deps", "--retries", "0", "-d", str(folder), "--index-url", url, "sluicegate-canary"],
        (sys.executable, "-m", "pip", "--version"), "wheel",
    ),
    Program("Node fetch", "node", lambda url, folder: ["node", "-e", _FETCH, url], ("node", "--version")),
    Program("Node fetch (Node 24)", _NEWER, lambda url, folder: [_NEWER, "-e", _FETCH, url], (_NEWER, "--version"), needs=NODE),
    Program(
        "undici (EnvHttpProxyAgent)", "node",
        lambda url, folder: ["node", "-e", _BY_HAND, url], ("node", "-e", _UNDICI_SAYS), needs=NODE,
    ),
    Program(
        "undici (as it comes)", "node",
        lambda url, folder: ["node", "-e", _UNDICI.replace(", MORE", "").replace("BEFORE", ""), url],
        ("node", "-e", _UNDICI_SAYS), needs=NODE,
    ),
    Program(
        "npm", "npm",
        lambda url, folder: ["npm", "install", "sluicegate-canary", "--registry", url, "--prefix", str(folder), "--cache", str(folder / "cache"), "--fetch-retries", "0", "--no-audit", "--no-fund"],
        ("npm", "--version"), "tarball",
    ),
    _java("Java HttpURLConnection", "Ask.java"),
    _java("Java HttpClient", "AskClient.java"),
    Program(
        "Go net/http", "go", lambda url, folder: ["go", "run", str(HERE / "ask.go"), url], ("go", "version"),
        host="LOCALHOST",  # what it knows to be its own machine it sends to no proxy, and it compares by the letter
    ),
]  # fmt: skip
