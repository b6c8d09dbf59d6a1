"""A request in curl's words. The flags that shape a request mean what curl 8 makes of them; those about the connection
or the output are passed over; anything else is an error, because half a request is not the one that was meant.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit, urlunsplit

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Asked


FORM = "application/x-www-form-urlencoded"

_SHAPING = {
    "-X": "--request", "-H": "--header", "-d": "--data", "-u": "--user", "-b": "--cookie", "-A": "--user-agent",
    "-e": "--referer", "-r": "--range", "-G": "--get", "-I": "--head", "-T": "--upload-file",
}  # fmt: skip
_WITH_VALUE = frozenset(
    {
        "--request", "--header", "--data", "--data-ascii", "--data-raw", "--data-binary", "--data-urlencode", "--json",
        "--user", "--cookie", "--user-agent", "--referer", "--range", "--url", "--upload-file", "--oauth2-bearer",
        "--url-query",
    }
)  # fmt: skip
_PLAIN = frozenset({"--get", "--head", "--compressed", "--globoff", "--path-as-is"})
_IGNORED_WITH_VALUE = frozenset(
    {
        "-x", "--proxy", "-U", "--proxy-user", "--proxy-header", "--proxy-cacert", "--noproxy", "--cacert", "--capath",
        "-E", "--cert", "--key", "--pass", "-o", "--output", "-D", "--dump-header", "-w", "--write-out", "-m",
        "--max-time", "--connect-timeout", "--retry", "--retry-delay", "--retry-max-time", "--resolve", "--connect-to",
        "--interface", "--limit-rate", "-c", "--cookie-jar", "--stderr", "--trace", "--trace-ascii", "--max-redirs",
        "--keepalive-time", "--ciphers", "--tls-max", "--output-dir", "--max-filesize",
    }
)  # fmt: skip
_IGNORED = frozenset(
    {
        "-s", "--silent", "-S", "--show-error", "-k", "--insecure", "-L", "--location", "-v", "--verbose", "-i",
        "--include", "--show-headers", "-f", "--fail", "--fail-with-body", "-N", "--no-buffer", "-#", "--progress-bar",
        "-O", "--remote-name", "-J", "--remote-header-name", "-j", "--junk-session-cookies", "-4", "--ipv4", "-6",
        "--ipv6", "-0", "--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge", "--http3", "-1", "--tlsv1",
        "--tlsv1.2", "--tlsv1.3", "--basic", "--retry-all-errors", "--retry-connrefused", "--no-progress-meter",
        "--ssl-reqd", "--tcp-nodelay", "--no-keepalive", "--create-dirs", "--proxy-insecure", "--ca-native",
        "-q", "--disable", "--location-trusted", "--styled-output", "--no-styled-output", "--raw", "--proxytunnel",
        "-p", "--anyauth", "--proxy-basic", "--proxy-anyauth",
    }
)  # fmt: skip
_SHORT_G = {"-g": "--globoff"}


class CurlError(ValueError):
    """The words are not a request that can be understood; the message says which, and what to do."""


@dataclass(slots=True)
class _Words:
    method: str | None = None
    urls: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    data: bytes | None = None
    json: bool = False
    query: list[str] = field(default_factory=list)
    get: bool = False
    head: bool = False
    globs: bool = True
    as_is: bool = False
    upload: bytes | None = None


def parse(words: Sequence[str], folder: Path = Path()) -> Asked:
    """The request that `curl WORDS` would send. `@file` is read from `folder`. Raises CurlError."""
    found = _Words()
    for flag, value in _flags(list(words[1:] if words[:1] == ["curl"] else words)):
        _take(found, flag, value, folder)
    return _request(found)


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """(flag in its long form, value) for each flag; an address is `--url`."""
    while words:
        word = words.pop(0)
        if word == "--":
            yield from (("--url", rest) for rest in words)
            return
        if word.startswith("--"):
            yield from _long(word, words)
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word, words)
        else:
            yield "--url", word


def _long(word: str, words: list[str]) -> Iterator[tuple[str, str]]:
    if word in _WITH_VALUE:
        yield word, _value(word, words)
    elif word in _PLAIN:
        yield word, ""
    elif word in _IGNORED_WITH_VALUE:
        _value(word, words)
    elif word not in _IGNORED:
        raise _unknown(word)


def _short(word: str, words: list[str]) -> Iterator[tuple[str, str]]:
    letters = word[1:]
    while letters:
        flag, letters = f"-{letters[0]}", letters[1:]
        long = _SHAPING.get(flag, _SHORT_G.get(flag, ""))
        if long in _WITH_VALUE or flag in _IGNORED_WITH_VALUE:
            # What stands behind the letter is its value, else the next word is.
            value = letters or _value(flag, words)
            if long:
                yield long, value
            return
        if long:
            yield long, ""
        elif flag not in _IGNORED:
            raise _unknown(flag)


def _value(flag: str, words: list[str]) -> str:
    if not words:
        raise CurlError(f"curl's {flag} needs a value")
    return words.pop(0)


def _unknown(flag: str) -> CurlError:
    if flag in ("-F", "--form", "--form-string"):
        return CurlError(
            f"curl's {flag} makes a multipart body, which is not made here: give the body with --data-binary"
        )
    if flag in ("-K", "--config"):
        return CurlError(f"curl's {flag} reads more flags from a file: write them out")
    if flag in ("-:", "--next", "-Z", "--parallel"):
        return CurlError(f"curl's {flag} makes several requests: explain one at a time")
    return CurlError(f"curl's {flag} is not known here: leave it out if it does not change the request")


def _take(found: _Words, flag: str, value: str, folder: Path) -> None:
    match flag:
        case "--url":
            found.urls.append(value)
        case "--request":
            found.method = value
        case "--header":
            _header(found, value)
        case "--data" | "--data-ascii":
            _add(found, _read(value, folder, strip=True))
        case "--data-binary":
            _add(found, _read(value, folder))
        case "--data-raw":
            _add(found, value.encode())
        case "--data-urlencode":
            _add(found, _encoded(value, folder))
        case "--json":
            found.data = (found.data or b"") + _read(value, folder)
            found.json = True
        case "--url-query":
            found.query.append(value[1:] if value.startswith("+") else _encoded(value, folder).decode())
        case "--user":
            found.headers.append(("Authorization", "Basic " + base64.b64encode(value.encode()).decode()))
        case "--oauth2-bearer":
            found.headers.append(("Authorization", f"Bearer {value}"))
        case "--cookie":
            if "=" not in value:
                raise CurlError("curl's -b reads cookies from a file here: write them as -b 'name=value'")
            found.headers.append(("Cookie", value))
        case "--user-agent":
            found.headers.append(("User-Agent", value))
        case "--referer":
            found.headers.append(("Referer", value.partition(";")[0]))
        case "--range":
            found.headers.append(("Range", f"bytes={value}"))
        case "--upload-file":
            found.upload = _file(value, folder)
        case "--get":
            found.get = True
        case "--head":
            found.head = True
        case "--globoff":
            found.globs = False
        case "--path-as-is":
            found.as_is = True
        case "--compressed":
            found.headers.append(("Accept-Encoding", "deflate, gzip, br, zstd"))


def _header(found: _Words, text: str) -> None:
    if text.startswith("@"):
        raise CurlError("curl's -H @file is not read here: write the headers out")
    name, colon, value = text.partition(":")
    if colon and value.strip():
        found.headers.append((name, value.strip()))
    elif colon:
        found.dropped.add(name.lower())  # curl leaves out a header that it would have made itself
    elif name.endswith(";"):
        found.headers.append((name[:-1], ""))
    else:
        raise CurlError(f"curl's -H wants `Name: value`, not {text!r}")


def _add(found: _Words, data: bytes) -> None:
    found.data = data if found.data is None else found.data + b"&" + data


def _read(value: str, folder: Path, *, strip: bool = False) -> bytes:
    if not value.startswith("@"):
        return value.encode()
    data = _file(value[1:], folder)
    return data.translate(None, b"\r\n\0") if strip else data


def _file(name: str, folder: Path) -> bytes:
    if name in ("-", ".", ""):
        raise CurlError("a body from the standard input is not read here: name a file")
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise CurlError(f"the file {name} cannot be read: {error.strerror}") from None
    except ValueError:
        raise CurlError(f"{name!r} is not the name of a file") from None


def _encoded(value: str, folder: Path) -> bytes:
    """`content`, `=content`, `name=content`, `@file` or `name@file`, as in curl's manual."""
    equals, at = value.find("="), value.find("@")
    if equals >= 0 and not (0 <= at < equals):
        name, content = value[:equals], value[equals + 1 :].encode()
    elif at >= 0:
        name, content = value[:at], _file(value[at + 1 :], folder)
    else:
        name, content = "", value.encode()
    text = quote_plus(content, safe="-._~")  # what RFC 3986 calls unreserved stays, and a space is a plus
    return f"{name}={text}".encode() if name else text.encode()


def _request(found: _Words) -> Asked:
    if not found.urls:
        raise CurlError("there is no address in it: write curl https://host/path")
    if len(found.urls) > 1:
        raise CurlError(f"there are {len(found.urls)} addresses in it: explain one request at a time")
    headers, body = list(found.headers), b""
    query = list(found.query)
    if found.upload is not None and found.data is not None:
        raise CurlError("curl's -T and -d cannot go together")
    if found.data is not None and found.get:
        query.append(found.data.decode("utf-8", "replace"))
    elif found.data is not None:
        if found.head:
            raise CurlError("curl's -I and -d cannot go together, unless -G puts the data into the address")
        body = found.data
    elif found.upload is not None:
        body = found.upload
    sends = found.data is not None and not found.get
    method = found.method or (
        "HEAD" if found.head else "POST" if sends else "PUT" if found.upload is not None else "GET"
    )
    if found.json:
        made = [("Content-Type", "application/json"), ("Accept", "application/json")]
    else:
        made = [("Accept", "*/*"), *([("Content-Type", FORM)] if sends else [])]
    given = {name.lower() for name, _ in headers} | found.dropped
    headers += [(name, value) for name, value in made if name.lower() not in given]
    url, user = _url(found, query)
    if user and "authorization" not in given:
        headers.append(("Authorization", "Basic " + base64.b64encode(user.encode()).decode()))
    from sluicegate.pipeline.rehearsal import Asked

    return Asked(method, url, tuple(headers), body)


def _url(found: _Words, query: list[str]) -> tuple[str, str]:
    """The address as it is asked for, and the user that stood in it."""
    text = found.urls[0] if "://" in found.urls[0] else f"http://{found.urls[0]}"
    if found.globs and ("{" in text or "}" in text):
        raise CurlError("curl would make several requests of the braces in the address: add -g, or write one out")
    try:
        parts = urlsplit(text)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise CurlError(f"{text!r} is not an address: {error}") from None
    if not named:
        raise CurlError(f"{text!r} is not the address of a request: write https://host/path")
    if found.globs and "[" in parts.path + parts.query:
        raise CurlError("curl would make several requests of the brackets in the address: add -g, or write %5B and %5D")
    user, _, authority = parts.netloc.rpartition("@")
    path = parts.path if found.as_is else _squeezed(parts.path)
    joined = "&".join([*([parts.query] if parts.query else []), *query])
    return urlunsplit((parts.scheme.lower(), authority, path, joined, "")), user


def _squeezed(path: str) -> str:
    """Dot segments taken out (RFC 3986 section 5.2.4), as curl does before it sends."""
    if not any(segment in (".", "..") for segment in path.split("/")):
        return path
    out: list[str] = []
    segments = path.split("/")
    for index, segment in enumerate(segments):
        if segment == "..":
            if len(out) > 1:
                out.pop()
        elif segment != ".":
            out.append(segment)
            continue
        if index == len(segments) - 1:
            out.append("")
    return "/".join(out) or "/"
