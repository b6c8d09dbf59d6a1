"""Reading approvals: with what people said about them, and the earlier request that one differs from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from sqlalchemy import Connection, Row, select

from sluicegate.approvals.approval import Approval, Glass, Vote
from sluicegate.approvals.code import normal_code
from sluicegate.database.tables import approvals, broken_glass, decisions

RECENT = 500
"""Decided approvals that a list looks at."""
EARLIER_SECONDS = 7 * 86_400.0
"""How far back an earlier request is looked for."""


def whole(connection: Connection, row: Row[Any], now: float) -> Approval:
    """The approval of a row, with votes and glass."""
    return wholes(connection, [row], now)[0]


def wholes(connection: Connection, rows: Sequence[Row[Any]], now: float) -> list[Approval]:
    """The approvals of rows, with votes and glass, in two statements for each five hundred."""
    votes: dict[str, list[Vote]] = {}
    glass: dict[str, Glass] = {}
    for some in batched([row.id for row in rows], 500):
        for said in connection.execute(
            select(decisions).where(decisions.c.approval_id.in_(some)).order_by(decisions.c.id)
        ):
            vote = Vote(said.subject, said.name, said.approve, said.reason, said.at)
            votes.setdefault(said.approval_id, []).append(vote)
        for broken in connection.execute(select(broken_glass).where(broken_glass.c.approval_id.in_(some))):
            values = {key: value for key, value in broken._mapping.items() if key != "approval_id"}
            glass[broken.approval_id] = Glass(**values)
    return [Approval.of(row, now, votes.get(row.id, ()), glass.get(row.id)) for row in rows]


def find(connection: Connection, key: str, now: float, *, lock: bool = False) -> Approval | None:
    """By id or code. `lock` keeps others from changing it until the transaction ends."""
    by_code = approvals.c.code == normal_code(key)
    query = select(approvals).where(approvals.c.id == key if len(key) == 36 else by_code)
    # PostgreSQL locks the row; SQLite leaves that out, and its write transactions exclude each other anyway.
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else whole(connection, row, now)


def newest(connection: Connection, now: float, pending: int) -> list[Approval]:
    """Those that wait, at most `pending`, and the latest of the others."""
    latest = select(approvals).order_by(approvals.c.created.desc())
    rows = [
        *connection.execute(latest.where(approvals.c.state == "pending").limit(pending)),
        *connection.execute(latest.where(approvals.c.state != "pending").limit(RECENT)),
    ]
    return wholes(connection, rows, now)


def by_ids(connection: Connection, ids: Iterable[str], now: float) -> dict[str, Approval]:
    """Without votes and glass."""
    found: dict[str, Approval] = {}
    for some in batched(ids, 500):
        rows = connection.execute(select(approvals).where(approvals.c.id.in_(some)))
        found |= {row.id: Approval.of(row, now) for row in rows}
    return found


def earlier(connection: Connection, approval: Approval, now: float) -> Approval | None:
    """The latest request before it that is like it: the same person, service, method, address and kind."""
    row = connection.execute(
        select(approvals)
        .where(
            approvals.c.requester_subject == approval.requester_subject,
            approvals.c.requester_issuer == approval.requester_issuer,
            approvals.c.service == approval.service,
            approvals.c.method == approval.method,
            approvals.c.target == approval.target,
            approvals.c.kind == approval.kind,
            approvals.c.fingerprint != approval.fingerprint,
            approvals.c.created < approval.created,
            approvals.c.created > approval.created - EARLIER_SECONDS,
        )
        .order_by(approvals.c.created.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else whole(connection, row, now)
