"""The approvals in the database: ask, redeem, decide, list, show. Each is one transaction.

Everything that grants or decides is durable before it counts, and every time is compared with the clock inside the
transaction, so that a request that waited for the database is judged by the time at which it gets it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from itertools import batched

from sqlalchemy import Connection, and_, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from sluicegate.approvals import deciding
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.code import new_code, normal_code
from sluicegate.approvals.hold import Hold
from sluicegate.approvals.state import advance
from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.tables import approvals
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.settings.model import Approvals
from sluicegate.statement_secrets import shown

_EXCHANGES_KEPT = 50
"""Ids of exchanges kept with an approval; a client that retries for ever must not grow the row."""

_RECENT = 500
"""Decided approvals that `list` looks at."""


class Store:
    """Approvals in a database that other processes use at the same time."""

    def __init__(self, database: Database, settings: Approvals, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    async def ask(self, hold: Hold) -> Approval:
        """The pending approval of the hold, made if there is none; or the approved one, when it was just decided.

        Raises Refusal: 429 `too-many-pending`, 403 `no-approver`.
        """
        if not hold.approvers:
            raise Refusal(
                403,
                "no-approver",
                "Nobody can approve this",
                "A rule holds this request for approval and names nobody who may approve it.",
                next_step="Tell whoever writes the policy.",
                rules=hold.rules,
            )
        try:
            return await self._database.run(lambda connection: self._ask(connection, hold), durable=True)
        except IntegrityError:
            # Another gateway made the same row, or the code was taken: the second look sees it, or draws another.
            return await self._database.run(lambda connection: self._ask(connection, hold), durable=True)

    async def redeem(self, fingerprint: str, exchange: str) -> str | None:
        """Use a grant for the fingerprint once: the id of its approval, or None. Of many at once exactly one gets it.

        `exchange` is the id of the exchange that goes through.
        """
        return await self._database.run(
            lambda connection: self._redeem(connection, fingerprint, exchange), durable=True
        )

    async def decide(self, key: str, person: Principal, approve: bool, reason: str = "") -> Approval:
        """Approve or deny, as the person. `key` is an id or a code. Raises Refusal (see `deciding`)."""
        return await self._database.run(
            lambda connection: deciding.decide(
                connection,
                self._find(connection, key, person, lock=True),
                person,
                approve,
                reason,
                now=self._clock.now(),
                grant_seconds=self._settings.grant_seconds,
            ),
            durable=True,
        )

    async def show(self, key: str, person: Principal) -> Approval:
        """One approval, by id or code, if the person may see it. Raises Refusal 404 `approval-unknown`."""
        return await self._database.read(lambda connection: self._find(connection, key, person))

    async def list(self, person: Principal, limit: int = 100) -> Sequence[Approval]:
        """What the person may see, pending first, then the newest: their own requests, and those they may decide."""
        found = await self._database.read(self._list)
        visible = [approval for approval in found if approval.visible_to(person)]
        visible.sort(key=lambda approval: (approval.state != "pending", -approval.created))
        return visible[:limit]

    async def look(self, ids: Iterable[str]) -> dict[str, Approval]:
        """The approvals with these ids, for the gateway's own waiting."""
        wanted = tuple(ids)
        return await self._database.read(lambda connection: self._look(connection, wanted))

    def _ask(self, connection: Connection, hold: Hold) -> Approval:
        now = self._clock.now()
        self._sweep(connection, now)
        row = connection.execute(
            select(approvals)
            .where(approvals.c.fingerprint == hold.fingerprint, approvals.c.state.in_(("pending", "approved")))
            .order_by(approvals.c.state, approvals.c.created)
            .limit(1)
        ).one_or_none()
        if row is not None:
            return self._asked_again(connection, Approval.of(row, now), hold.exchange)
        self._check_caps(connection, hold)
        operation = hold.operation
        values = {
            "id": str(uuid.uuid4()),
            "code": new_code(),
            "fingerprint": hold.fingerprint,
            "requester_subject": hold.requester.subject,
            "requester_issuer": hold.requester.issuer,
            "requester_name": hold.requester.label,
            "rules": list(hold.rules),
            "reasons": list(hold.reasons),
            "approvers": list(hold.approvers),
            "service": operation.service,
            "dataset": operation.dataset,
            "kind": operation.kind,
            "method": hold.method,
            "target": hold.target,
            "columns": list(operation.columns),
            "column_scope": operation.column_scope,
            "chunks": list(operation.chunks),
            "destination": operation.destination,
            "statement": None if operation.statement is None else shown(operation.statement),
            "exchanges": [hold.exchange],
            "state": "pending",
            "created": now,
            "pending_until": now + self._settings.pending_seconds,
            "uses_left": 0,
        }
        row = connection.execute(insert(approvals).values(values).returning(approvals)).one()
        return Approval.of(row, now)

    def _asked_again(self, connection: Connection, approval: Approval, exchange: str) -> Approval:
        exchanges = _with(approval.exchanges, exchange)
        connection.execute(update(approvals).where(approvals.c.id == approval.id).values(exchanges=exchanges))
        return approval

    def _check_caps(self, connection: Connection, hold: Hold) -> None:
        pending = select(func.count()).select_from(approvals).where(approvals.c.state == "pending")
        own = pending.where(
            approvals.c.requester_subject == hold.requester.subject,
            approvals.c.requester_issuer == hold.requester.issuer,
        )
        if connection.scalars(own).one() >= self._settings.max_pending_per_person:
            whose = f"You have {self._settings.max_pending_per_person} requests"
        elif connection.scalars(pending).one() >= self._settings.max_pending:
            whose = f"There are {self._settings.max_pending} requests"
        else:
            return
        raise Refusal(
            429,
            "too-many-pending",
            "Too many requests wait for approval",
            f"{whose} that wait for an approver, and no more are taken.",
            next_step="Wait until some are decided or expire, then send the request again.",
            rules=hold.rules,
        )

    def _sweep(self, connection: Connection, now: float) -> None:
        # Reads do not depend on this; it keeps what is over from counting against the caps and the unique index.
        for state, until in (("pending", approvals.c.pending_until), ("approved", approvals.c.grant_until)):
            over = and_(approvals.c.state == state, until <= now)
            connection.execute(update(approvals).where(over).values(state="expired"))

    def _redeem(self, connection: Connection, fingerprint: str, exchange: str) -> str | None:
        now = self._clock.now()
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
            .returning(approvals.c.id, approvals.c.exchanges)
        ).one_or_none()
        if row is None:
            return None
        exchanges = _with(row.exchanges, exchange)
        connection.execute(update(approvals).where(approvals.c.id == row.id).values(exchanges=exchanges))
        return str(row.id)

    def _find(self, connection: Connection, key: str, person: Principal, *, lock: bool = False) -> Approval:
        by_code = approvals.c.code == normal_code(key)
        query = select(approvals).where(approvals.c.id == key if len(key) == 36 else by_code)
        # PostgreSQL locks the row; SQLite leaves that out, and its write transactions exclude each other anyway.
        row = connection.execute(query.with_for_update() if lock else query).one_or_none()
        approval = None if row is None else Approval.of(row, self._clock.now())
        if approval is None or not approval.visible_to(person):
            raise Refusal(
                404,
                "approval-unknown",
                "No such approval",
                "There is no approval with this id or code that you may see: only who asked and who may decide see it.",
                next_step="List what you may see with `sluicegate approvals list`.",
            )
        return approval

    def _list(self, connection: Connection) -> Sequence[Approval]:
        now = self._clock.now()
        newest = select(approvals).order_by(approvals.c.created.desc())
        rows = [
            *connection.execute(newest.where(approvals.c.state == "pending").limit(self._settings.max_pending)),
            *connection.execute(newest.where(approvals.c.state != "pending").limit(_RECENT)),
        ]
        return [Approval.of(row, now) for row in rows]

    def _look(self, connection: Connection, ids: Iterable[str]) -> dict[str, Approval]:
        now = self._clock.now()
        found: dict[str, Approval] = {}
        for some in batched(ids, 500):
            rows = connection.execute(select(approvals).where(approvals.c.id.in_(some)))
            found |= {row.id: Approval.of(row, now) for row in rows}
        return found


def _with(exchanges: Iterable[str], exchange: str) -> list[str]:
    """The ids with one more, the newest kept, none twice."""
    return [*(known for known in exchanges if known != exchange), exchange][-_EXCHANGES_KEPT:]
