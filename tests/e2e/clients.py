"""Real clients, each asked the same way. They find the gateway and its authority in the environment, as on a
workstation; what they make of the answer, or of a refused CONNECT, is what is returned."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import httpx
import httpx2
import requests


@dataclass(frozen=True)
class Answer:
    """What the client got. `refused` is what it says of a CONNECT that did not succeed."""

    status: int = 0
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    refused: str = ""


@dataclass(frozen=True)
class Client:
    """One client. `phrase`: whether it shows the reason phrase of a refused CONNECT."""

    name: str
    version: str
    ask: Callable[[str, str], Answer]
    phrase: bool = True
    missing: str = ""

    def __str__(self) -> str:
        return self.name


def curl(flag: str) -> Callable[[str, str], Answer]:
    def ask(method: str, url: str) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            head, body = Path(folder, "head"), Path(folder, "body")
            command = [
                "curl",
                "-sS",
                flag,
                "--compressed",
                "--max-time",
                "60",
                "--suppress-connect-headers",
                "-X",
                method,
            ]
            done = subprocess.run(
                [*command, "-D", str(head), "-o", str(body), "-w", "%{http_connect} %{http_code} %{http_version}", url],
                capture_output=True,
                text=True,
                timeout=60,
            )
            connect, code, version = done.stdout.split()
            if connect != "200":
                return Answer(refused=f"{connect} {done.stderr}")
            assert done.returncode == 0, done.stderr
            lines = [line.partition(":") for line in head.read_text().splitlines()[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in lines}
            return Answer(int(code), version, headers, body.read_bytes())

    return ask


def with_requests(method: str, url: str) -> Answer:
    try:
        with requests.Session() as session:
            found = session.request(method, url, timeout=60)
    except requests.exceptions.ProxyError as error:
        return Answer(refused=str(error))
    return Answer(found.status_code, "1.1", {k.lower(): v for k, v in found.headers.items()}, found.content)


def with_httpx(module: type | object, http2: bool) -> Callable[[str, str], Answer]:
    def ask(method: str, url: str) -> Answer:
        try:
            with module.Client(http2=http2, timeout=60) as client:  # type: ignore[attr-defined]
                found = client.request(method, url)
        except module.ProxyError as error:  # type: ignore[attr-defined]
            return Answer(refused=str(error))
        return Answer(found.status_code, found.http_version.removeprefix("HTTP/"), dict(found.headers), found.content)

    return ask


def with_aiohttp(*, trust_env: bool) -> Callable[[str, str], Answer]:
    async def asking(method: str, url: str) -> Answer:
        context = ssl.create_default_context()  # aiohttp makes its own when it is imported, before there is a gateway
        proxy = None if trust_env else os.environ["HTTPS_PROXY"]
        try:
            async with (
                aiohttp.ClientSession(trust_env=trust_env, timeout=aiohttp.ClientTimeout(60)) as session,
                session.request(method, url, proxy=proxy, ssl=context) as found,
            ):
                headers = {k.lower(): v for k, v in found.headers.items()}
                return Answer(found.status, "1.1", headers, await found.read())
        except aiohttp.ClientHttpProxyError as error:
            return Answer(refused=f"{error.status} {error.message}")

    return lambda method, url: asyncio.run(asking(method, url))


def with_urllib(method: str, url: str) -> Answer:
    opener = urllib.request.build_opener()
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=60) as found:
            return Answer(found.status, "1.1", {k.lower(): v for k, v in found.headers.items()}, found.read())
    except urllib.error.HTTPError as found:
        with found:
            return Answer(found.code, "1.1", {k.lower(): v for k, v in found.headers.items()}, found.read())
    except urllib.error.URLError as error:
        return Answer(refused=str(error.reason))


def with_node(version: str) -> Callable[[str, str], Answer]:
    def ask(method: str, url: str) -> Answer:
        done = subprocess.run(
            ["node", str(Path(__file__).with_name("node_client.mjs")), version, method, url],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        if "refused" in found:
            return Answer(refused=found["refused"])
        return Answer(found["status"], found["version"], found["headers"], found["body"].encode())

    return ask


_CURL = "" if shutil.which("curl") else "curl is not installed"
_NODE = "" if shutil.which("node") else "Node is not installed"

CLIENTS = [
    Client("curl-http1", "1.1", curl("--http1.1"), phrase=False, missing=_CURL),
    Client("curl-http2", "2", curl("--http2"), phrase=False, missing=_CURL),
    Client("requests", "1.1", with_requests),
    Client("httpx-http1", "1.1", with_httpx(httpx, False)),
    # In a tunnel httpx offers HTTP/1.1 before HTTP/2, and the gateway takes what the client likes best.
    Client("httpx-http2", "1.1", with_httpx(httpx, True)),
    Client("httpx2-http1", "1.1", with_httpx(httpx2, False)),
    Client("httpx2-http2", "2", with_httpx(httpx2, True)),
    Client("aiohttp-proxy", "1.1", with_aiohttp(trust_env=False)),
    Client("aiohttp-env", "1.1", with_aiohttp(trust_env=True)),
    Client("urllib", "1.1", with_urllib),
    Client("node-http1", "1.1", with_node("1.1"), missing=_NODE),
    Client("node-http2", "2", with_node("2"), missing=_NODE),
]
