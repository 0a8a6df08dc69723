"""What signaling tells the whole installation over the bus: in the order of saying, and nobody waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from storage.errors import StorageError

logger = logging.getLogger(__name__)

TellBus = Callable[[str, bytes], Awaitable[None]]
"""Tells the bus a topic's payload; raises StorageError."""

MAX_WAITING = 2000
"""Events that wait for a bus which is away; more are lost, and logged."""


class Announcer:
    """A queue in front of the bus. What is said is told by `run`, while it runs."""

    def __init__(self, tell_bus: TellBus) -> None:
        self._tell_bus = tell_bus
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MAX_WAITING)

    def say(self, topic: str, payload: bytes) -> None:
        """Tell the bus soon."""
        try:
            self._waiting.put_nowait((topic, payload))
        except asyncio.QueueFull:
            logger.error("the bus is away for too long: an event of %s is lost", topic)

    async def run(self) -> None:
        """Tell the bus what is said, until cancelled."""
        while True:
            topic, payload = await self._waiting.get()
            try:
                await self._tell_bus(topic, payload)
            except StorageError as error:
                logger.error("an event of %s is lost: %s", topic, error)
