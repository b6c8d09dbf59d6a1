"""What there is to say about a recorded exchange, in the order in which people want to know it.

The replay tool and the console show the same: one prints it, the other makes a page of it. Names and values came off
the wire or out of a file: whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sluicegate.recording.plain import moment
from sluicegate.recording.recorded import Recorded


class Fact(NamedTuple):
    """One line. `tone` is `verdict`, `bad`, or empty."""

    name: str
    value: object
    tone: str = ""


def verdict_of(item: Recorded) -> str:
    """What became of an exchange, in a few words."""
    effect, refusal = item.text("effect"), item.text("refusal")
    if refusal:
        return f"{effect}: {refusal}" if effect == "hold" else f"refused: {refusal}"
    if item.text("error"):
        return f"{effect or 'not judged'}, broken off"
    if effect == "hold" and item.text("approval"):
        return "hold, approved"
    return effect or "not judged"


def masked(item: Recorded) -> str:
    """What was masked: columns, and how many values each mask replaced."""
    exposure = item.table("exposure")
    columns, masks = exposure.get("columns"), exposure.get("masks")
    names = [str(name) for name, how in columns.items() if how == "masked"] if isinstance(columns, dict) else []
    counts = [f"{mask}: {count}" for mask, count in masks.items()] if isinstance(masks, dict) else []
    return f"{', '.join(names)} ({', '.join(counts)} values)" if counts else ", ".join(names)


def findings(item: Recorded) -> list[dict[str, Any]]:
    """The findings that were made while the exchange went on."""
    found = item.summary.get("findings")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def facts(item: Recorded) -> Iterator[Fact]:
    """Everything that is known of an exchange, without what does not apply."""
    for fact in _facts(item):
        if fact.value != "":
            yield fact


def _facts(item: Recorded) -> Iterator[Fact]:
    yield Fact("exchange", item.id)
    yield Fact("time", f"{moment(item.started)}, {max(0.0, item.finished - item.started):.3f} s")
    groups = ", ".join(item.texts("groups"))
    yield Fact(
        "who", f"{item.who} ({item.text('subject')}; {groups or 'no groups'})" if item.who else "nobody signed in"
    )
    yield Fact("assurance", item.text("assurance"))
    yield Fact("device", item.text("device"))
    yield Fact("session", item.text("session"))
    yield Fact("client", item.text("client"))
    yield Fact("service", item.text("service"))
    if item.messages:
        way = "from the client" if item.messages[-1].from_client else "from the service"
        yield Fact("message", f"{way}, in the WebSocket that {item.text('socket')} opened")
    if item.ended is not None:
        end = item.ended
        moved = f"{end.messages} messages, {end.received} bytes to the client, {end.sent} to the service"
        closed = f"closed by the {end.by or 'gateway'} with {end.code}"
        yield Fact("end", f"of the WebSocket that {item.text('socket')} opened: {moved}; {closed}")
    yield Fact("job", item.text("job"))
    yield Fact("asked for", _asked(item.table("operation")))
    parts = item.summary.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            yield Fact("and for", _asked(part))
    yield Fact("verdict", verdict_of(item), "verdict")
    yield Fact("rules", ", ".join(item.texts("rules")))
    yield Fact("on trial", ", ".join(item.texts("reported")))
    yield Fact("why", " ".join(item.texts("reasons")))
    yield Fact("refused with", f"{item.text('refusal')}: {item.text('detail')}" if item.text("refusal") else "")
    yield Fact("approval", item.text("approval"))
    yield Fact("masked", masked(item))
    yield Fact("masks lifted", ", ".join(item.texts("lifted")))
    yield Fact(
        "sealed", "the original, for investigators: sluicegate-replay unseal" if item.summary.get("sealed") else ""
    )
    yield Fact("rows", item.table("exposure").get("rows") or "")
    yield Fact("risk", _risk(item))
    for found in findings(item):
        yield Fact("finding", f"{found.get('indicator')}: {found.get('detail')}", "bad")
    yield Fact("broken off", item.text("error"), "bad")
    yield Fact("policy", item.text("policy"))
    yield Fact("kept in", f"{item.file} at byte {item.offset}")
    if item.resynced:
        yield Fact(
            "doubt", "found behind damage that broke the file's order; it may be a part of something else", "bad"
        )


def _asked(operation: dict[str, Any]) -> str:
    parts = [str(operation[name]) for name in ("kind", "dataset") if operation.get(name)]
    for name in ("chunks", "columns"):
        values = operation.get(name)
        if isinstance(values, list) and values:
            parts.append(f"{name} {', '.join(str(value) for value in values)}")
    if operation.get("destination"):
        parts.append(f"to {operation['destination']} ({operation.get('destination_side') or 'unknown side'})")
    into = operation.get("into")
    if isinstance(into, list) and into:
        parts.append(f"into {', '.join(map(str, into))}")
    return ", ".join(parts)


def _risk(item: Recorded) -> str:
    risk = item.summary.get("risk")
    return f"{risk:.2f}" if isinstance(risk, float) else "not known"
