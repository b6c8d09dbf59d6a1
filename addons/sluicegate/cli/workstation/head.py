"""The head of a request to a proxy, with the credential that the agent holds in the place of any other."""

from __future__ import annotations

import base64
import re

MAX_HEAD = 64 << 10

_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [^ \t\r\n]+ HTTP/1\.[01]")
_OURS = (b"proxy-authorization:",)
_FOR_THIS_HOP = (b"connection:", b"proxy-connection:", b"keep-alive:")


class NotForAProxy(ValueError):
    """The head is none that the agent passes on; the text says why."""


def authorised(head: bytes, secret: str) -> bytes:
    """The head with `secret` as the proxy's password. Raises NotForAProxy.

    A request that is no CONNECT says `Connection: close` as well: the agent looks at the first head of a connection
    alone, and a second request would come without the credential.
    """
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if _LINE.fullmatch(line) is None or any(b"\r" in each or b"\n" in each for each in fields):
        raise NotForAProxy("it is not the head of an HTTP/1.1 request")
    connect = line.startswith(b"CONNECT ")
    if not connect and line.split(b" ")[1].partition(b"://")[0].lower() not in (b"http", b"https"):
        raise NotForAProxy("it was sent to the agent itself, which has no pages")
    if any(each[:1] in (b" ", b"\t") for each in fields):
        raise NotForAProxy("a header of it is folded over several lines")
    if any(b":" not in each for each in fields):
        raise NotForAProxy("a line of its header section is no header")
    unwanted = _OURS if connect else _OURS + _FOR_THIS_HOP
    kept = [each for each in fields if not each.lower().replace(b" ", b"").startswith(unwanted)]
    pair = base64.b64encode(b"sluicegate:" + secret.encode("ascii"))
    kept.append(b"Proxy-Authorization: Basic " + pair)
    if not connect:
        kept.append(b"Connection: close")
    return b"\r\n".join([line, *kept, b"", b""])


def word_in(head: bytes) -> str | None:
    """The password of the Basic credential for the proxy in a head; None where there is none."""
    for field in head.split(b"\r\n")[1:]:
        name, _, value = field.partition(b":")
        if name.strip().lower() == b"proxy-authorization":
            scheme, _, text = value.strip().partition(b" ")
            try:
                if scheme.lower() == b"basic":
                    return base64.b64decode(text, validate=True).decode("ascii").partition(":")[2]
            except ValueError:
                return None
    return None
