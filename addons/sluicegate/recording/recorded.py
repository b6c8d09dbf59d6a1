"""What the reader of recordings hands out: exchanges as they were recorded, and damage where something is not whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response as the client sent or saw it, without its secrets. The body is as on the wire (coded)."""

    line: str
    """Method and target, or status and reason phrase."""
    headers: tuple[Header, ...]
    body: bytes | None
    version: str = ""
    """Such as `HTTP/1.1`."""
    begun: float = 0.0
    """Seconds since the epoch, by the gateway's clock, when its first byte was there; 0 where that is not known."""
    ended: float = 0.0
    """When its last byte was there."""

    def header(self, name: str) -> str:
        """The value of the first header of that name, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class SocketMessage:
    """A message in a WebSocket, as it left; of one from a service that did not leave, nothing."""

    from_client: bool
    text: bool
    content: bytes
    dropped: bool
    """Whether it did not leave."""


@dataclass(frozen=True, slots=True)
class SocketEnd:
    """What a WebSocket moved, and how it ended."""

    messages: int
    received: int
    """Bytes of messages that the client got,"""
    sent: int
    """and of those that the service got."""
    code: int
    by: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange as it was recorded. Everything in it came off the wire or out of a file: escape it to show it."""

    id: str
    started: float
    finished: float
    summary: Mapping[str, Any]
    """The metadata that the recorder wrote; `recording/summary.py` has the names."""
    request: Message
    response: Message | None
    messages: tuple[SocketMessage, ...]
    """The message that the exchange is, where it is one in a WebSocket; `request` and `response` opened that."""
    file: str
    """The flow file, relative to the folder of recordings."""
    offset: int
    length: int = 0
    """Bytes of the exchange in its file."""
    url: str = ""
    """The URL as mitmproxy shows it."""
    hosts: tuple[str, str] = ("", "")
    """The host that was dialled, and the one that the request names."""
    comment: str = ""
    resynced: bool = False
    """Found behind damage that broke the framing, where it could be a part of something else."""

    def text(self, name: str) -> str:
        """A text of the summary, or an empty string."""
        value = self.summary.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """A list of texts of the summary."""
        value = self.summary.get(name)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def table(self, name: str) -> dict[str, Any]:
        """A table of the summary, or an empty one."""
        value = self.summary.get(name)
        return value if isinstance(value, dict) else {}

    @property
    def status(self) -> int | None:
        """The status that the client got."""
        value = self.summary.get("status")
        return value if isinstance(value, int) else None

    @property
    def ended(self) -> SocketEnd | None:
        """What a WebSocket came to, where that is what this is; `request` and `response` opened it."""
        match self.summary.get("ended"):
            case [int(messages), int(received), int(sent), int() | None as code, str(by)]:
                return SocketEnd(messages, received, sent, code or 0, by)
        return None

    @property
    def who(self) -> str:
        """The principal as people know them, or an empty string."""
        return self.text("name") or self.text("subject")


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where a file is not whole: the file, the offset in bytes, and what is wrong there."""

    file: str
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: damaged at byte {self.offset}: {self.reason}"
