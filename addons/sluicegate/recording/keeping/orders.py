"""Orders: what people ask to be held, released or shredded, as it waits in the database to be carried out.

A hold is in force on one person's word, since it only keeps. Releasing one and shredding take two people, neither of
whom is the other. Each step is an event, and so on the record.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.events import tell
from sluicegate.database.tables import orders, orders_done
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.recording.keeping.selection import Selection

Kind = Literal["hold", "release", "shred"]
OPEN_SECONDS = 7 * 86_400.0
"""How long an order waits for its second person."""
_REASON = 1000
_LISTED = 500


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands. `state`: `asked` waits for a second person, `agreed` for the gateway."""

    id: str
    kind: Kind
    what: Mapping[str, Any]
    """A selection; of a release, the `hold`."""
    reason: str
    state: Literal["asked", "agreed", "withdrawn", "expired"]
    asked_by: Mapping[str, str]
    asked_at: float
    agreed_by: Mapping[str, str] | None = None
    agreed_at: float | None = None
    done: Mapping[str, Mapping[str, Any]] | None = None
    """What came of it, by the name of the ledger."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "what": dict(self.what),
            "reason": self.reason,
            "state": "done" if self.done else self.state,
            "asked_by": dict(self.asked_by),
            "asked_at": self.asked_at,
            "agreed_by": dict(self.agreed_by) if self.agreed_by else None,
            "agreed_at": self.agreed_at,
            "done": {name: dict(result) for name, result in (self.done or {}).items()},
        }


class Orders:
    """The orders in a database. Methods raise Refusal with words for whoever asks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ask(self, kind: Kind, said: Mapping[str, Any], reason: str, person: Principal) -> Order:
        """A new order. `said` is a selection; for a release, `hold` names the order of the hold."""
        if not reason.strip() or len(reason) > _REASON:
            raise _refused(
                400, "reason-needed", "Reason needed", f"A reason is needed, of at most {_REASON} characters."
            )
        now = self._clock.now()

        def work(connection: Connection) -> Order:
            what = _release(connection, said) if kind == "release" else _selected(kind, said)
            key = str(uuid.uuid4())
            row = {
                "id": key, "kind": kind, "what": what, "reason": reason.strip(), "asked_by": _who(person),
                "asked_at": now, "state": "agreed" if kind == "hold" else "asked",
            }  # fmt: skip
            connection.execute(insert(orders).values(**row))
            tell(connection, f"recording.{kind}-asked", now, {**row, "order": key})
            return _one(connection, key)

        return await self._database.run(work, durable=True)

    async def agree(self, key: str, person: Principal) -> Order:
        """The second person's yes."""

        def work(connection: Connection) -> Order:
            order, now = self._waiting(connection, key), self._clock.now()
            if order.asked_by.get("subject") == person.subject:
                raise _refused(403, "own-order", "Your own order", "Somebody else has to agree to what you asked for.")
            connection.execute(
                update(orders).where(orders.c.id == key).values(state="agreed", agreed_by=_who(person), agreed_at=now)
            )
            tell(connection, f"recording.{order.kind}-agreed", now, {"order": key, "by": _who(person)})
            return _one(connection, key)

        return await self._database.run(work, durable=True)

    async def withdraw(self, key: str, person: Principal) -> Order:
        """Take back, or say no to, an order that waits for its second person."""

        def work(connection: Connection) -> Order:
            order, now = self._waiting(connection, key), self._clock.now()
            connection.execute(update(orders).where(orders.c.id == key).values(state="withdrawn"))
            tell(connection, f"recording.{order.kind}-withdrawn", now, {"order": key, "by": _who(person)})
            return _one(connection, key)

        return await self._database.run(work, durable=True)

    async def list(self) -> list[Order]:
        """The newest orders."""
        now = self._clock.now()

        def work(connection: Connection) -> list[Order]:
            rows = connection.execute(select(orders).order_by(orders.c.asked_at.desc()).limit(_LISTED)).all()
            return [_order(row, _done(connection, row.id), now) for row in rows]

        return await self._database.read(work)

    def _waiting(self, connection: Connection, key: str) -> Order:
        order = _one(connection, key, self._clock.now())
        if order.state != "asked":
            raise _refused(409, "order-decided", "Order decided", f"This order is {order.state}, and waits for nobody.")
        return order


def agreed(connection: Connection, log: str) -> Sequence[Order]:
    """What is agreed and not yet carried out on the ledger of that name, in the order in which it was agreed."""
    done = select(orders_done.c.order_id).where(orders_done.c.log == log)
    chosen = select(orders).where(orders.c.state == "agreed", orders.c.id.not_in(done))
    rows = connection.execute(chosen).all()
    found = [_order(row, {}, 0.0) for row in rows]
    return sorted(found, key=lambda order: (order.agreed_at or order.asked_at, order.kind != "hold"))


def carried_out(connection: Connection, key: str, log: str, at: float, result: Mapping[str, Any]) -> None:
    """Write down what came of an order on the ledger of that name."""
    connection.execute(insert(orders_done).values(order_id=key, log=log, at=at, result=dict(result)))


def _selected(kind: Kind, said: Mapping[str, Any]) -> dict[str, Any]:
    try:
        chosen = Selection.of(said)
    except ValueError as error:
        raise _refused(400, "selection-not-understood", "Selection not understood", str(error)) from None
    if kind == "shred" and chosen.service:
        raise _refused(
            400, "selection-not-understood", "Selection not understood",
            "Keys of originals are not made for each service: shred by person, session, exchange, class or time.",
        )  # fmt: skip
    return chosen.document()


def _release(connection: Connection, said: Mapping[str, Any]) -> dict[str, Any]:
    order = _one(connection, str(said.get("hold", "")))
    if set(said) != {"hold"} or order.kind != "hold":
        raise _refused(400, "no-hold", "No hold", "A release names the hold that is to end, by its id.")
    return {"hold": order.id}


def _one(connection: Connection, key: str, now: float = 0.0) -> Order:
    row = connection.execute(select(orders).where(orders.c.id == key)).one_or_none()
    if row is None:
        raise _refused(404, "no-such-order", "No such order", "There is no order of this id.")
    return _order(row, _done(connection, key), now)


def _done(connection: Connection, key: str) -> dict[str, Any]:
    rows = connection.execute(select(orders_done).where(orders_done.c.order_id == key)).all()
    return {row.log: {"at": row.at, **row.result} for row in rows}


def _order(row: Row[Any], done: Mapping[str, Any], now: float) -> Order:
    late = row.state == "asked" and now > row.asked_at + OPEN_SECONDS
    return Order(
        row.id, row.kind, row.what, row.reason, "expired" if late else row.state, row.asked_by, row.asked_at,
        row.agreed_by, row.agreed_at, done,
    )  # fmt: skip


def _who(person: Principal) -> dict[str, str]:
    return {"subject": person.subject, "issuer": person.issuer, "name": person.label}


def _refused(status: int, code: str, title: str, detail: str) -> Refusal:
    return Refusal(status, code, title, detail)
