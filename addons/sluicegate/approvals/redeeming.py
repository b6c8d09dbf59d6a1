"""Redeeming: of however many that come at once with one request, as many pass as the grant is good for."""

from __future__ import annotations

from sqlalchemy import Connection, and_, case, select, update

from sluicegate.approvals import moving
from sluicegate.approvals.asking import one_more
from sluicegate.approvals.state import advance
from sluicegate.database.tables import approvals


def redeem(connection: Connection, fingerprint: str, exchange: str, now: float) -> str | None:
    """Use a grant for the fingerprint once: the id of its approval, or None. Told to the record."""
    good = and_(approvals.c.state == "approved", approvals.c.uses_left > 0, approvals.c.grant_until > now)
    one = (
        select(approvals.c.id)
        .where(approvals.c.fingerprint == fingerprint, good)
        .order_by(approvals.c.grant_until)
        .limit(1)
        .scalar_subquery()
    )
    # The condition stands outside the subquery too: on PostgreSQL it is looked at again once the row is locked.
    row = connection.execute(
        update(approvals)
        .where(approvals.c.id == one, good)
        .values(
            uses_left=approvals.c.uses_left - 1,
            state=case((approvals.c.uses_left <= 1, advance("approved", "use")), else_="approved"),
        )
        .returning(approvals)
    ).one_or_none()
    if row is None:
        return None
    exchanges = one_more(row.exchanges, exchange)
    connection.execute(update(approvals).where(approvals.c.id == row.id).values(exchanges=exchanges))
    moving.tell(connection, "approval.used", now, row, exchange=exchange)
    return str(row.id)
