"""Findings in the database: written with the event that tells of them, and with what is to be sent out and told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select

from sluicegate.database import events
from sluicegate.database.tables import findings, findings_out, notices
from sluicegate.detection.finding import Found


def store(connection: Connection, found: Iterable[Found], sinks: Iterable[str] = (), *, told: bool = False) -> None:
    """Write findings that are not there yet; each is told of once, and waits once for each sink. `told`: people are
    told as well, as they are of approvals (`[notify]`)."""
    sinks = tuple(sinks)
    for one in found:
        if connection.execute(select(findings.c.id).where(findings.c.id == one.id)).first() is not None:
            continue
        row = _text(one.plain())
        connection.execute(insert(findings).values(**row))
        for sink in sinks:
            connection.execute(insert(findings_out).values(sink=sink, finding=one.id))
        if told:
            notice = {"about": "finding", "approval_id": one.id, "code": one.id[:8], "at": one.at, "next_at": one.at}
            connection.execute(insert(notices).values(notice))
        events.tell(connection, "finding.raised", one.at, row)


def _text(value: Any) -> Any:
    """The same with all text in valid Unicode and without NUL: names off the wire may hold anything."""
    match value:
        case str():
            return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_text(key): _text(item) for key, item in value.items()}
    return value
