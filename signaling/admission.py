"""Whether a visit may still be entered: until it is ended for all, and never after, whatever is started anew."""

import asyncio
import logging

from signaling.errors import ClientError
from storage.errors import StorageError
from storage.visits import Visit, Visits

logger = logging.getLogger(__name__)

RETRY_S = 1.0


class Admission:
    """The door of every visit. An end holds at once, also while the database cannot be told of it."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._ending: set[str] = set()

    async def enter(self, visit: str) -> Visit:
        """Return the visit that somebody enters now; raises ClientError when it is over, or cannot be looked up."""
        if visit in self._ending:
            raise ClientError("visit_ended", fatal=True)
        try:
            known = await self._visits.enter(visit)
        except StorageError as error:
            logger.error("nobody can enter a visit: %s", error)
            raise ClientError("internal", fatal=True) from error
        if known.state == "ended":
            raise ClientError("visit_ended", fatal=True)
        return known

    async def end(self, visit: str) -> None:
        """Close the door for good. When the database is out of reach, `run` goes on trying."""
        self._ending.add(visit)
        try:
            await self._visits.end(visit)
        except StorageError as error:
            logger.error("the end of a visit is not kept yet: %s", error)
        else:
            self._ending.discard(visit)

    async def run(self) -> None:
        """Write the ends that are not kept yet, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_S)
            for visit in list(self._ending):
                await self.end(visit)
