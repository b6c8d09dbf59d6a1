"""The clients of docs/clients.md: each one asks for an address in its own way, with nothing set but its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

_PYTHON = {
    "requests": "import requests; print(requests.get(URL).text)",
    "httpx": "import httpx; print(httpx.get(URL).text)",
    "httpx2": "import httpx2; print(httpx2.get(URL).text)",
    "urllib": (
        "import urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(URL).read().decode())\n"
        "except urllib.error.HTTPError as e: print(e.read().decode())"
    ),
    "aiohttp (trust_env=True)": (
        "import aiohttp, asyncio\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession(trust_env=True) as s, s.get(URL) as r: print(await r.text())\n"
        "asyncio.run(main())"
    ),
    "aiohttp (as it comes)": (
        "import aiohttp, asyncio\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession() as s, s.get(URL) as r: print(await r.text())\n"
        "asyncio.run(main())"
    ),
    "botocore": (
        "import botocore.session; from botocore.config import Config\n"
        "from urllib.parse import urlsplit\n"
        "parts = urlsplit(URL); bucket, _, key = parts.path.lstrip('/').partition('/')\n"
        "s3 = botocore.session.get_session().create_client('s3', region_name='eu-central-1', endpoint_url=f'https://{parts.netloc}',\n"
        "    aws_access_key_id='none', aws_secret_access_key='none-of-them', config=Config(s3={'addressing_style': 'path'}))\n"
        "print(s3.get_object(Bucket=bucket, Key=key)['Body'].read().decode())"
    ),
}


@dataclass(frozen=True)
class Program:
    """A client. `command` is what asks for an address; `reads` whether it can show the body of an answer at all."""

    name: str
    tool: str
    command: Callable[[str, Path], list[str]]
    version: tuple[str, ...]
    reads: bool = True

    def missing(self) -> str:
        return "" if shutil.which(self.tool) else f"{self.tool} is not installed"

    def release(self) -> str:
        """Its version, as it says it itself: the first word with a digit."""
        done = subprocess.run(self.version, capture_output=True, text=True, timeout=60, env=os.environ)
        words = (done.stdout + done.stderr).replace('"', " ").split()
        return next((word.strip("v,()").removeprefix("go") for word in words if any(c.isdigit() for c in word)), "?")


def _python(name: str, code: str) -> Program:
    package = name.partition(" ")[0]
    say = (
        "import sys; print(sys.version.split()[0])"
        if package == "urllib"
        else f"import {package} as p; print(p.__version__)"
    )
    return Program(
        name,
        sys.executable,
        lambda url, folder: [sys.executable, "-c", code.replace("URL", repr(url))],
        (sys.executable, "-c", say),
    )


_NODE = "fetch(process.argv[1]).then(r => r.text()).then(console.log, e => console.log(String(e.cause || e)))"

PROGRAMS = [
    Program("curl", "curl", lambda url, folder: ["curl", "-sS", url], ("curl", "--version")),
    Program("wget", "wget", lambda url, folder: ["wget", "-qO-", "--content-on-error", url], ("wget", "--version")),
    Program("git", "git", lambda url, folder: ["git", "ls-remote", url], ("git", "--version"), reads=False),
    *(_python(name, code) for name, code in _PYTHON.items()),
    Program(
        "pip", sys.executable,
        lambda url, folder: [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "-d", str(folder), "--index-url", url, "sluicegate-canary"],
        (sys.executable, "-m", "pip", "--version"), reads=False,
    ),
    Program("Node fetch", "node", lambda url, folder: ["node", "-e", _NODE, url], ("node", "--version")),
    Program(
        "npm", "npm",
        lambda url, folder: ["npm", "view", "sluicegate-canary", "--registry", url, "--cache", str(folder), "--fetch-retries", "0"],
        ("npm", "--version"), reads=False,
    ),
    Program("Java HttpURLConnection", "java", lambda url, folder: ["java", str(HERE / "Ask.java"), url], ("java", "-version")),
    Program("Go net/http", "go", lambda url, folder: ["go", "run", str(HERE / "ask.go"), url], ("go", "version")),
]  # fmt: skip
