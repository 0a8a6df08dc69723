"""Visits as they are kept: created, open, ended, also after everything was started anew."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import Database
from storage.models import VisitRow

VisitState = Literal["created", "open", "ended"]


@dataclass(slots=True, frozen=True)
class Visit:
    """One visit. Times are Unix seconds."""

    id: str
    title: str
    language: str
    state: VisitState
    created_at_s: float
    started_at_s: float | None
    """When somebody was first in it."""
    ended_at_s: float | None
    """When it was ended for all."""


class Visits:
    """The table of visits. Every method raises StorageError when the database is out of reach."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def create(self, visit: str, *, title: str = "", language: str = "fr") -> None:
        """Make a visit; one that is there already stays as it is."""
        async with self._database.write() as session:
            await ensure(self._database, session, visit, self._clock(), title=title, language=language)

    async def get(self, visit: str) -> Visit | None:
        """Return a visit, or None."""
        async with self._database.read() as session:
            row = await session.get(VisitRow, visit)
            return _visit(row) if row is not None else None

    async def enter(self, visit: str) -> Visit:
        """Note that somebody comes in, unless the visit is over, and return it as it is then.

        A visit that nobody made is made: whoever holds a signed link may enter, also after a loss of the database.
        """
        known = await self.get(visit)
        if known is not None and known.state != "created":
            return known
        now = self._clock()
        async with self._database.write() as session:
            await ensure(self._database, session, visit, now)
            await session.execute(
                update(VisitRow)
                .where(VisitRow.id == visit, VisitRow.state == "created")
                .values(state="open", started_at_s=now)
            )
            return _visit(await session.get_one(VisitRow, visit))

    async def end(self, visit: str) -> None:
        """End a visit for all; one that is over stays as it is."""
        now = self._clock()
        async with self._database.write() as session:
            await ensure(self._database, session, visit, now)
            await session.execute(
                update(VisitRow)
                .where(VisitRow.id == visit, VisitRow.state != "ended")
                .values(state="ended", ended_at_s=now)
            )


async def ensure(
    database: Database, session: AsyncSession, visit: str, now: float, *, title: str = "", language: str = "fr"
) -> None:
    """Make the row of a visit if it is missing, as part of a transaction: what is kept of a visit refers to it."""
    await session.execute(
        database.insert(VisitRow)
        .values(id=visit, title=title, language=language, state="created", created_at_s=now)
        .on_conflict_do_nothing()
    )


def _visit(row: VisitRow) -> Visit:
    return msgspec.convert(row, Visit, from_attributes=True)
