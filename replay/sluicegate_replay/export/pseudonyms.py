"""Pseudonyms for people, sessions and addresses: the same one throughout an export, and nobody's without its key.

Everybody whose name is in the recordings is looked for in URLs, headers and reasons, in whichever exchange. What stands
in bodies stays as it was delivered: it is masked already, and may still name people.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import re2

from sluicegate.errors import Fault
from sluicegate.recording.recorded import Message, Recorded
from sluicegate_replay.escape import plain

_SHORTEST = 3
"""Characters of a name from which on it is looked for in texts; shorter ones are in every other word."""
_SURE = 6
"""Characters of a session, an address or a device from which on they are looked for."""
_OWN = {"session": "session", "client": "client", "device": "device"}
_MEMORY = 512 << 20
_MOST = 50_000


class Pseudonyms:
    """Puts pseudonyms in the place of people. Two exports with the same key agree; a new key is known to nobody."""

    def __init__(self, people: Iterable[tuple[str, str]], key: bytes | None = None) -> None:
        """`people` are pairs of subject and name. Raises Fault where there are too many to look for."""
        self._key = key or os.urandom(32)
        self.of = lru_cache(65_536)(self._of)
        self._named: dict[str, str] = {}
        for subject, name in people:
            for said in (subject, name):
                if len(said) >= _SHORTEST:
                    self._named.setdefault(said.casefold(), self.of("person", subject or name))
        self._pattern = _pattern(self._named) if self._named else None

    def hide(self, item: Recorded) -> Recorded:
        """The exchange without the people in it."""
        hidden = self.within(item)
        summary: dict[str, Any] = {key: _walk(value, hidden) for key, value in item.summary.items() if key != "crc32"}
        summary |= self.names(item)
        return replace(
            item,
            summary=summary,
            request=_message(item.request, hidden),
            response=_message(item.response, hidden) if item.response else None,
            url=hidden(item.url),
            comment=hidden(item.comment),
        )

    def names(self, item: Recorded) -> dict[str, Any]:
        """The pseudonyms for what names a person, by its name in the summary. Subject and name are one person."""
        person = item.text("subject") or item.text("name")
        found: dict[str, Any] = {
            key: self.of("person", person) if item.summary.get(key) else item.summary.get(key)
            for key in ("subject", "name")
        }
        for key, kind in _OWN.items():
            if key in item.summary:
                value = item.text(key)
                found[key] = self.of(kind, value) if value else item.summary[key]
        return found

    def within(self, item: Recorded) -> Callable[[str], str]:
        """What puts pseudonyms into a text of an exchange."""
        said = [(item.text(key), kind) for key, kind in _OWN.items()]
        return partial(
            self._hidden, tuple((value, self.of(kind, value)) for value, kind in said if len(value) >= _SURE)
        )

    def _hidden(self, own: tuple[tuple[str, str], ...], text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(self._pseudonym, _valid(text))
        for value, pseudonym in own:
            text = text.replace(value, pseudonym)
        return text

    def _pseudonym(self, found: Any) -> str:
        said = found[0].casefold()
        return self._named.get(said) or self._named.get(unquote_plus(said)) or "[removed]"

    def _of(self, kind: str, value: str) -> str:
        text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        digest = base64.b32encode(hmac.digest(self._key, text, "sha256"))[:12]
        return f"{kind}-{digest.decode().lower()}"


def key_in(file: Path) -> bytes:
    """The key in a file of at least 16 bytes. Raises Fault."""
    try:
        with file.open("rb") as stream:
            key = stream.read(1 << 16)
    except OSError as error:
        raise Fault(f"The key of pseudonyms in {plain(file)} cannot be read: {error.strerror}.") from None
    if len(key) < 16:
        raise Fault(f"The key of pseudonyms in {plain(file)} is too short.", hint="16 bytes are the least.")
    return key


def _pattern(names: Iterable[str]) -> Any:
    """One pattern for everybody: RE2 takes the same time however many there are."""
    every = sorted(names, key=len, reverse=True)
    if len(every) > _MOST:
        raise Fault(
            f"There are {len(every)} names to look for, which is too many.", hint="Choose fewer exchanges, by --since."
        )
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile("|".join(map(_spelled, every)), options)


def _spelled(name: str) -> str:
    """A name as it may stand in a text or in a URL."""
    spelled = "".join(_sign(sign) for sign in _valid(name))
    # Not inside a longer word; a name that ends in a sign has no word's end there.
    begin, end = (r"\b" if sign.isascii() and sign.isalnum() else "" for sign in (name[0], name[-1]))
    return f"{begin}{spelled}{end}"


def _sign(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    quoted = "".join(f"%{byte:02X}" for byte in sign.encode())
    ways = {re2.escape(sign), re2.escape(quoted)} | ({re2.escape("+")} if sign == " " else set())
    return f"(?:{'|'.join(sorted(ways))})"


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _walk(value: Any, hidden: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, list):
        return [_walk(item, hidden) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, hidden) for key, item in value.items()}
    return value


def _message(message: Message, hidden: Callable[[str], str]) -> Message:
    return replace(
        message,
        line=hidden(message.line),
        headers=tuple((name, hidden(value)) for name, value in message.headers),
    )
