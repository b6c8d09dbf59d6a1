"""What has happened, from the index: for the pages that show it. The index is no evidence; the recordings are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from sluicegate.database import Database
from sluicegate.database.tables import exchanges, findings, notices

MOST_COUNTED = 20_000
"""Exchanges that are looked at to say what each rule did lately."""
MOST_FOUND = 200

type Row = Mapping[str, Any]


class Past:
    """Reads the index of recordings and the findings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, most: int) -> list[Row]:
        """The newest exchanges."""
        return await self._rows(select(exchanges).order_by(exchanges.c.started.desc()).limit(most))

    async def of(self, subject: str, most: int) -> list[Row]:
        """The newest exchanges of one person."""
        query = select(exchanges).where(exchanges.c.subject == subject)
        return await self._rows(query.order_by(exchanges.c.started.desc()).limit(most))

    async def one(self, identity: str) -> Row | None:
        found = await self._rows(select(exchanges).where(exchanges.c.id == identity))
        return found[0] if found else None

    async def search(
        self, who: str = "", service: str = "", effect: str = "", text: str = "", before: float | None = None
    ) -> list[Row]:
        """The newest that fit, and started `before`: a name or subject, a service, an effect, a text in the address."""
        query = select(exchanges)
        if who:
            query = query.where(or_(exchanges.c.subject == who, exchanges.c.name.icontains(who, autoescape=True)))
        if service:
            query = query.where(exchanges.c.service == service)
        if effect in ("allow", "deny", "hold"):
            query = query.where(exchanges.c.effect == effect)
        if before is not None:
            query = query.where(exchanges.c.started < before)
        if text:
            query = query.where(exchanges.c.path.contains(text, autoescape=True))
        return await self._rows(query.order_by(exchanges.c.started.desc()).limit(MOST_FOUND))

    async def findings(self, subject: str | None, most: int) -> list[Row]:
        """The newest findings, about one person or everybody."""
        query = select(findings).order_by(findings.c.at.desc()).limit(most)
        return await self._rows(query if subject is None else query.where(findings.c.person == subject))

    async def rules(self, since: float) -> dict[str, Counter[str]]:
        """How often each rule decided since then, by effect: among the newest exchanges, at most so many."""
        query = (
            select(exchanges.c.rules, exchanges.c.effect, exchanges.c.reported)
            .where(exchanges.c.started >= since)
            .order_by(exchanges.c.started.desc())
            .limit(MOST_COUNTED)
        )
        counts: dict[str, Counter[str]] = {}
        for row in await self._rows(query):
            for rule in row["rules"]:
                counts.setdefault(rule, Counter())[row["effect"] or "refused"] += 1
            for rule in row["reported"] or ():
                counts.setdefault(rule, Counter())["would have applied"] += 1
        return counts

    async def notices(self, most: int) -> list[Row]:
        """The newest notifications, and what came of each."""
        return await self._rows(select(notices).order_by(notices.c.id.desc()).limit(most))

    async def _rows(self, query: Select[Any]) -> list[Row]:
        def work(connection: Connection) -> list[Row]:
            return [dict(row._mapping) for row in connection.execute(query)]

        return await self._database.read(work)
