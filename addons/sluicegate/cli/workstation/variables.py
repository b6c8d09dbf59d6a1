"""The environment variables that send tools through the gateway, and have them trust it.

Which variable which tool looks at was tried one by one; docs/clients.md is made from such a trial. All of them are set,
because a more specific one that is set already wins over a more general one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from sluicegate.cli.truststore import JAVA_PASSWORD
from sluicegate.cli.workstation.settings import Place
from sluicegate.cli.workstation.trust import Trust

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
BUNDLES = (
    "SSL_CERT_FILE",  # OpenSSL, and with it Python's ssl, httpx, aiohttp; Go; uv
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "npm_config_cafile",
    "CARGO_HTTP_CAINFO",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
"""Variables that take the place of a tool's own store."""
OTHERS = (
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "NODE_USE_ENV_PROXY",
    "GIT_HTTP_PROXY_AUTHMETHOD",
    "JAVA_TOOL_OPTIONS",
    "WGETRC",
)
LOCAL = ("localhost", "127.0.0.1", "::1")
NAMES = (
    *(name for proxy in (*PROXIES, "NO_PROXY") for name in (proxy, proxy.lower())),
    *BUNDLES,
    *OTHERS,
)
"""Every variable that is set, and that `--unset` takes back."""


def proxy_url(gateway: Place, secret: str) -> str:
    """The proxy as clients want it written, with the secret as its password where there is one."""
    scheme = "https" if gateway.tls else "http"
    return f"{scheme}://sluicegate:{quote(secret, safe='')}@{gateway.authority}" if secret else gateway.url


def past_the_gateway(trust: Trust, console: str | None, more: str) -> list[str]:
    """Hosts for NO_PROXY: this machine and the console, unless the gateway governs them, and what the user named."""
    governed = trust.names()
    console_host = urlsplit(console).hostname if console else None
    hosts = [*LOCAL, *([console_host] if console_host else [])]
    # An authority that may sign for everything says nothing about what is governed; this machine hardly is.
    kept = [host for host in hosts if governed.everything or not governed.cover(host)]
    return list(dict.fromkeys([*kept, *(each.strip() for each in more.split(",") if each.strip())]))


def variables(
    gateway: Place, secret: str, trust: Trust, no_proxy: list[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """What to set, by name. `environ` is what is set already: Java's own options are kept."""
    url = proxy_url(gateway, secret)
    found = {}
    for name in PROXIES:
        found[name] = found[name.lower()] = url
    found["NO_PROXY"] = found["no_proxy"] = ",".join(no_proxy)
    found.update(dict.fromkeys(BUNDLES, str(trust.bundle)))
    found["NODE_EXTRA_CA_CERTS"] = found["DENO_CERT"] = str(trust.authority)
    found["NODE_USE_ENV_PROXY"] = "1"  # from version 24 on; older ones go past the gateway
    found["GIT_HTTP_PROXY_AUTHMETHOD"] = "basic"  # else git asks once in vain for each connection
    found["WGETRC"] = str(trust.wgetrc)
    found["JAVA_TOOL_OPTIONS"] = _java(gateway, trust.java, no_proxy, environ.get("JAVA_TOOL_OPTIONS", ""))
    return found


def _java(gateway: Place, store: Path, no_proxy: list[str], before: str) -> str:
    kept = [word for word in _words(before) if not _ours(word)]
    direct = "|".join(f"[{host}]" if ":" in host else host for host in no_proxy)
    if not set(LOCAL) <= set(no_proxy):
        direct = ""  # to any other list Java adds this machine by itself, and the gateway governs that here
    ours = [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}",
        *(f"-D{scheme}.proxyHost={gateway.host}" for scheme in ("https", "http")),
        *(f"-D{scheme}.proxyPort={gateway.port}" for scheme in ("https", "http")),
        f"-Dhttp.nonProxyHosts={direct}",
        "-Djdk.http.auth.tunneling.disabledSchemes=",
    ]
    return " ".join([*kept, *(f'"{word}"' if " " in word or "|" in word else word for word in ours)])


def _words(text: str) -> list[str]:
    """Java's words: split at spaces that are not in quotes."""
    words, word, mark = [], "", ""
    for letter in text:
        if letter in "\"'" and mark in ("", letter):
            mark = "" if mark else letter
            word += letter
        elif letter.isspace() and not mark:
            words.append(word)
            word = ""
        else:
            word += letter
    return [each for each in [*words, word] if each]


def _ours(word: str) -> bool:
    name = word.strip("\"'").partition("=")[0]
    return name.startswith(("-Djavax.net.ssl.trustStore", "-Dhttps.proxy", "-Dhttp.proxy")) or name in (
        "-Dhttp.nonProxyHosts",
        "-Djdk.http.auth.tunneling.disabledSchemes",
    )
