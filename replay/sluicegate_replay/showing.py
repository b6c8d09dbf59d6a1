"""How one exchange looks: the request, the verdict and why, the response as it was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluicegate.recording.intents import Intent
from sluicegate.recording.readable import readable
from sluicegate.recording.recorded import Message, Recorded, SocketMessage
from sluicegate.recording.shown import Fact, facts
from sluicegate_replay.escape import label, moment, plain
from sluicegate_replay.rows import UNKNOWN, line_of

STYLES = {"allow": "green", "deny": "red", "refused": "red", "hold": "yellow", "forwarded": "magenta"}


def verdict_label(verdict: str) -> Text:
    """A verdict in its colour."""
    return label(verdict, STYLES.get(verdict.split(":")[0].split(",")[0], ""))


def exchange(item: Recorded, max_lines: int | None, beside: Sequence[tuple[str, object]] = ()) -> RenderableType:
    """Everything that was recorded of an exchange; `beside` are facts that the ledger has of it."""
    parts: list[RenderableType] = [_facts([*map(_styled, facts(item)), *beside]), Text("")]
    if item.messages:
        return Group(*parts, *_socket_message(item.messages[-1], max_lines))
    parts += _message("Request", item.request, max_lines)
    if item.response is not None:
        parts += [Text(""), *_message("Response, as the client got it", item.response, max_lines)]
    else:
        parts += [Text(""), Text("Nothing that the service answered reached the client.", "bold")]
    return Group(*parts)


def open_intent(item: Intent) -> RenderableType:
    """What is known of a request whose outcome is not."""
    line = line_of(item)
    rows: list[tuple[str, object]] = [
        ("exchange", item.id),
        ("outcome", Text(f"{UNKNOWN}: the gateway ended before it could record it", "magenta")),
        ("time", moment(item.time)),
        ("who", line.who),
        ("session", line.session),
        ("request", line.request),
        ("service", line.service),
        ("rules", ", ".join(line.rules)),
        ("body", f"SHA-256 {item.fields.get('body_sha256')}"),
        ("kept in", f"{item.file} at byte {item.offset}"),
    ]
    return _facts(rows)


def as_json(item: Recorded) -> dict[str, Any]:
    """The exchange as plain values; bodies as readable text."""
    return {
        **item.summary,
        "file": item.file,
        "offset": item.offset,
        "request": _message_json(item.request),
        "response": _message_json(item.response) if item.response else None,
        "messages": [
            {
                "from_client": message.from_client,
                "text": message.text,
                "dropped": message.dropped,
                "body": readable(_as_message(message)),
            }
            for message in item.messages
        ],
    }


def _styled(fact: Fact) -> tuple[str, object]:
    if fact.tone == "verdict":
        return fact.name, verdict_label(str(fact.value))
    return fact.name, label(fact.value, "bold red") if fact.tone == "bad" else fact.value


def _facts(rows: list[tuple[str, object]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value != "":
            table.add_row(name, value if isinstance(value, Text) else label(value))
    return table


def _message(title: str, message: Message, max_lines: int | None) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(title, "bold underline"), label(message.line, "cyan")]
    parts += [Text.assemble((plain(name), "dim"), ": ", plain(value)) for name, value in message.headers]
    parts += [Text(""), Text(readable(message, max_lines))]
    return parts


def _socket_message(message: SocketMessage, max_lines: int | None) -> list[RenderableType]:
    if message.dropped:
        title = "Message, which did not leave"
    else:
        title = "Message, as the service got it" if message.from_client else "Message, as the client got it"
    return [Text(title, "bold underline"), Text(readable(_as_message(message), max_lines))]


def _as_message(message: SocketMessage) -> Message:
    return Message("", (("content-type", "text/plain"),) if message.text else (), message.content)


def _message_json(message: Message) -> dict[str, Any]:
    return {"line": message.line, "headers": [list(pair) for pair in message.headers], "body": readable(message)}
