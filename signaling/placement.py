"""Where rooms and workers are, written into the directory for everybody of the installation to see.

`room/<room>` holds `{"control", "worker"}`, claimed by the first control plane that lets somebody in: another one
refuses that room while the claim lives. `worker/<kind>/<id>` holds `{"control", "jobs", "capacity", "cpu_s"}`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

import msgspec

from signaling.errors import ClientError
from signaling.workers import Worker
from storage.directory import Directory
from storage.errors import StorageError

logger = logging.getLogger(__name__)

REFRESH_S = 5.0
TTL_S = 15.0
"""An entry outlives its control plane by this."""


class RoomPlace(msgspec.Struct, frozen=True):
    """Which control plane holds a room, and on which media worker."""

    control: str
    worker: str | None = None


class WorkerPlace(msgspec.Struct, frozen=True):
    """Which control plane a worker is connected to, and how busy it is."""

    control: str
    jobs: int
    capacity: int
    cpu_s: float


class Placement:
    """This control plane's entries. `control` names it, the same after a new start: what it held is still its own."""

    def __init__(self, directory: Directory, control: str) -> None:
        self._directory = directory
        self._control = control
        self._held: dict[str, str] = {}

    async def claim(self, room: str, worker: str | None = None) -> None:
        """Take a room, or say on which worker it is now; raises ClientError when another control plane has it."""
        value = msgspec.json.encode(RoomPlace(self._control, worker)).decode()
        try:
            while True:
                found = await self._directory.get(_room(room))
                if found is not None and not self._is_own(found):
                    logger.error("room %s is held by another control plane: %s", room, found)
                    raise ClientError("media_unavailable", fatal=True)
                if await self._directory.compare_and_set(_room(room), found, value, TTL_S):
                    self._held[room] = value
                    return
        except StorageError as error:
            logger.error("a room cannot be placed: %s", error)
            raise ClientError("media_unavailable", fatal=True) from error

    async def moved(self, room: str, worker: str) -> None:
        """Write down the media worker of a room that is held; the room goes on when that cannot be written."""
        try:
            await self.claim(room, worker)
        except ClientError:
            logger.warning("the media worker of room %s is not in the directory", room)

    async def release(self, room: str) -> None:
        """Give a room up."""
        value = self._held.pop(room, None)
        if value is not None:
            try:
                await self._directory.compare_and_set(_room(room), value, None, TTL_S)
            except StorageError as error:
                logger.warning("a room stays in the directory for %.0f s: %s", TTL_S, error)

    async def run(self, workers: Callable[[], Iterable[Worker]]) -> None:
        """Keep the entries alive until cancelled."""
        while True:
            try:
                await self._refresh(workers())
            except StorageError as error:
                logger.warning("the directory is not up to date: %s", error)
            await asyncio.sleep(REFRESH_S)

    async def _refresh(self, workers: Iterable[Worker]) -> None:
        for room, value in list(self._held.items()):
            kept = await self._directory.compare_and_set(_room(room), value, value, TTL_S)
            if not kept and self._held.get(room) == value:  # it ran out while the server was away
                kept = await self._directory.compare_and_set(_room(room), None, value, TTL_S)
                if not kept and self._held.get(room) == value:
                    logger.error("room %s is held by another control plane too", room)
        for worker in list(workers):
            load = worker.load
            place = WorkerPlace(self._control, load.jobs if load else 0, worker.capacity, load.cpu_s if load else 0.0)
            await self._directory.put(f"worker/{worker.kind}/{worker.id}", msgspec.json.encode(place).decode(), TTL_S)

    def _is_own(self, value: str) -> bool:
        try:
            return msgspec.json.decode(value, type=RoomPlace).control == self._control
        except msgspec.MsgspecError:
            return False


def _room(room: str) -> str:
    return f"room/{room}"
