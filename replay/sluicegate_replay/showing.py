"""How one exchange looks: the request, the verdict and why, the response as it was delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Message, Recorded
from sluicegate_replay.body import readable
from sluicegate_replay.escape import label, moment, plain
from sluicegate_replay.rows import UNKNOWN, findings, line_of, masked, verdict_of

STYLES = {"allow": "green", "deny": "red", "refused": "red", "hold": "yellow", "forwarded": "magenta"}


def verdict_label(verdict: str) -> Text:
    """A verdict in its colour."""
    return label(verdict, STYLES.get(verdict.split(":")[0].split(",")[0], ""))


def exchange(item: Recorded, max_lines: int | None, beside: Sequence[tuple[str, object]] = ()) -> RenderableType:
    """Everything that was recorded of an exchange; `beside` are facts that the ledger has of it."""
    parts: list[RenderableType] = [_facts([*_exchange_facts(item), *beside]), Text("")]
    parts += _message("Request", item.request, max_lines)
    if item.response is not None:
        parts += [Text(""), *_message("Response, as the client got it", item.response, max_lines)]
    else:
        parts += [Text(""), Text("Nothing that the service answered reached the client.", "bold")]
    return Group(*parts)


def open_intent(item: Intent) -> RenderableType:
    """What is known of a request whose outcome is not."""
    line = line_of(item)
    facts: list[tuple[str, object]] = [
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
    return _facts(facts)


def as_json(item: Recorded) -> dict[str, Any]:
    """The exchange as plain values; bodies as readable text."""
    return {
        **item.summary,
        "file": item.file,
        "offset": item.offset,
        "request": _message_json(item.request),
        "response": _message_json(item.response) if item.response else None,
    }


def _exchange_facts(item: Recorded) -> Iterator[tuple[str, object]]:
    yield "exchange", item.id
    yield "time", f"{moment(item.started)}, {max(0.0, item.finished - item.started):.3f} s"
    groups = ", ".join(item.texts("groups"))
    yield "who", f"{item.who} ({item.text('subject')}; {groups or 'no groups'})" if item.who else "nobody signed in"
    yield "assurance", item.text("assurance")
    yield "device", item.text("device")
    yield "session", item.text("session")
    yield "client", item.text("client")
    yield "service", item.text("service")
    yield "job", item.text("job")
    yield "asked for", _asked(item.table("operation"))
    parts = item.summary.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            yield "and for", _asked(part)
    yield "verdict", verdict_label(verdict_of(item))
    yield "rules", ", ".join(item.texts("rules"))
    yield "why", " ".join(item.texts("reasons"))
    yield "refused with", f"{item.text('refusal')}: {item.text('detail')}" if item.text("refusal") else ""
    yield "approval", item.text("approval")
    yield "masked", masked(item)
    yield "masks lifted", ", ".join(item.texts("lifted"))
    yield "sealed", "the original, for investigators: sluicegate-replay unseal" if item.summary.get("sealed") else ""
    yield "rows", item.table("exposure").get("rows") or ""
    yield "risk", f"{item.summary['risk']:.2f}" if isinstance(item.summary.get("risk"), float) else "not known"
    for found in findings(item):
        yield "finding", label(f"{found.get('indicator')}: {found.get('detail')}", "bold red")
    yield "broken off", item.text("error")
    yield "policy", item.text("policy")
    yield "kept in", f"{item.file} at byte {item.offset}"
    if item.resynced:
        yield "doubt", "found behind damage that broke the file's order; it may be a part of something else"


def _asked(operation: dict[str, Any]) -> str:
    parts = [str(operation[name]) for name in ("kind", "dataset") if operation.get(name)]
    for name in ("chunks", "columns"):
        values = operation.get(name)
        if isinstance(values, list) and values:
            parts.append(f"{name} {', '.join(str(value) for value in values)}")
    if operation.get("destination"):
        parts.append(f"to {operation['destination']} ({operation.get('destination_side') or 'unknown side'})")
    return ", ".join(parts)


def _facts(facts: Iterator[tuple[str, object]] | list[tuple[str, object]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value != "":
            table.add_row(name, value if isinstance(value, Text) else label(value))
    return table


def _message(title: str, message: Message, max_lines: int | None) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(title, "bold underline"), label(message.line, "cyan")]
    parts += [Text.assemble((plain(name), "dim"), ": ", plain(value)) for name, value in message.headers]
    parts += [Text(""), Text(readable(message, max_lines))]
    return parts


def _message_json(message: Message) -> dict[str, Any]:
    return {"line": message.line, "headers": [list(pair) for pair in message.headers], "body": readable(message)}
