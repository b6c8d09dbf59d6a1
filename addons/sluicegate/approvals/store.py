"""The approvals in the database: ask, redeem, decide, end, list, show. Each is one transaction.

Everything that grants or decides is durable before it counts, and every time is compared with the clock inside the
transaction, so that a request that waited for the database is judged by the time at which it gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sluicegate.approvals import asking, deciding, ending, glass, reading, redeeming
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.hold import Hold
from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.settings.model import Approvals


class Store:
    """Approvals in a database that other processes use at the same time.

    `everything` says that the person may see all of them, whoever asked: operators and auditors.
    """

    def __init__(self, database: Database, settings: Approvals, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    async def ask(self, hold: Hold) -> Approval:
        """The pending approval of the hold, made if there is none; or the approved one, when it was just decided.

        Raises Refusal: 429 `too-many-pending`, 403 `no-approver`.
        """
        asking.check_approvers(hold)

        def work(connection: Connection) -> Approval:
            return asking.ask(connection, hold, self._clock.now(), self._settings)

        try:
            return await self._database.run(work, durable=True)
        except IntegrityError:
            # Another gateway made the same row, or the code was taken: the second look sees it, or draws another.
            return await self._database.run(work, durable=True)

    async def redeem(self, fingerprint: str, exchange: str) -> str | None:
        """Use a grant for the fingerprint once: the id of its approval, or None. Of many at once exactly one gets it.

        `exchange` is the id of the exchange that goes through.
        """
        return await self._database.run(
            lambda connection: redeeming.redeem(connection, fingerprint, exchange, self._clock.now()), durable=True
        )

    async def expire(self) -> int:
        """Write down what has come to its end, for the record; how many that were."""
        if not await self._database.read(lambda connection: asking.ended(connection, self._clock.now())):
            return 0  # Looking is cheap, and a write that changes nothing is not.
        return await self._database.run(lambda connection: asking.expire(connection, self._clock.now()), durable=True)

    async def decide(self, key: str, person: Principal, approve: bool, reason: str = "") -> Approval:
        """Approve or deny, as the person. `key` is an id or a code. Raises Refusal (see `deciding`)."""
        seconds = self._settings.grant_seconds
        return await self._change(
            key,
            person,
            lambda connection, found, now: deciding.decide(
                connection, found, person, approve, reason, now=now, grant_seconds=seconds
            ),
        )

    async def withdraw(self, key: str, person: Principal) -> Approval:
        """Take one's own request back. Raises Refusal."""
        return await self._change(key, person, lambda c, found, now: ending.withdraw(c, found, person, now=now))

    async def revoke(self, key: str, person: Principal, reason: str = "", *, operator: bool = False) -> Approval:
        """Take a grant back. Raises Refusal."""
        return await self._change(
            key,
            person,
            lambda c, found, now: ending.revoke(c, found, person, reason, now=now, operator=operator),
            everything=operator,
        )

    async def break_glass(self, key: str, person: Principal, reason: str) -> Approval:
        """Let a request through without an approval, in an emergency. Raises Refusal."""
        return await self._change(
            key,
            person,
            lambda c, found, now: glass.break_glass(c, found, person, reason, now=now, settings=self._settings),
        )

    async def review(self, key: str, person: Principal, accepted: bool, note: str) -> Approval:
        """Review a broken glass. Raises Refusal."""
        return await self._change(
            key, person, lambda c, found, now: glass.review(c, found, person, accepted, note, now=now)
        )

    async def show(self, key: str, person: Principal, *, everything: bool = False) -> Approval:
        """One approval, by id or code, if the person may see it. Raises Refusal 404 `approval-unknown`."""
        return await self._database.read(
            lambda connection: _seen(reading.find(connection, key, self._clock.now()), person, everything)
        )

    async def earlier(self, approval: Approval) -> Approval | None:
        """The latest request before it that is like it, and differs in something."""
        return await self._database.read(lambda connection: reading.earlier(connection, approval, self._clock.now()))

    async def list(self, person: Principal, limit: int = 100, *, everything: bool = False) -> Sequence[Approval]:
        """What the person may see, pending first, then the newest: their own requests, and those they may decide."""
        most = self._settings.max_pending
        found = await self._database.read(lambda connection: reading.newest(connection, self._clock.now(), most))
        visible = [approval for approval in found if everything or approval.visible_to(person)]
        visible.sort(key=lambda approval: (approval.state != "pending", -approval.created))
        return visible[:limit]

    async def look(self, ids: Iterable[str]) -> dict[str, Approval]:
        """The approvals with these ids, for the gateway's own waiting."""
        wanted = tuple(ids)
        return await self._database.read(lambda connection: reading.by_ids(connection, wanted, self._clock.now()))

    async def changed(self) -> None:
        """Wait until some approval may have changed, here or in another process."""
        await self._database.changes.wait()

    async def _change(
        self,
        key: str,
        person: Principal,
        work: Callable[[Connection, Approval, float], Approval],
        *,
        everything: bool = False,
    ) -> Approval:
        def change(connection: Connection) -> Approval:
            found = reading.find(connection, key, self._clock.now(), lock=True)
            # On PostgreSQL the row may have been waited for: what counts is the time from here on.
            return work(connection, _seen(found, person, everything), self._clock.now())

        return await self._database.run(change, durable=True)


def _seen(approval: Approval | None, person: Principal, everything: bool) -> Approval:
    if approval is None or not (everything or approval.visible_to(person)):
        raise Refusal(
            404,
            "approval-unknown",
            "No such approval",
            "There is no approval with this id or code that you may see: only who asked and who may decide see it.",
            next_step="List what you may see with `sluicegate approvals list`.",
        )
    return approval
