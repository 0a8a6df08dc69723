"""A room's place on a media worker: found when it is needed, found again when the worker is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from control import messages as m
from control.ids import RoomId
from signaling.errors import ClientError
from signaling.placement import Placement
from signaling.workers import Worker, WorkerError, WorkerHub

logger = logging.getLogger(__name__)

WAIT_S = 10.0
"""How long a request waits for a media worker."""
WORKER_CODES = {
    "worker_lost": "media_unavailable",
    "worker_timeout": "media_unavailable",
    "worker_full": "media_unavailable",
    "stale_answer": "not_found",
}
"""What a worker's refusal is called towards a client; all sdp_* ones are `sdp_invalid`."""
FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 2.0
"""Between two questions to a media worker that refuses to open the room."""


class RoomMedia:
    """What a room asks of its media worker."""

    def __init__(self, room: RoomId, hub: WorkerHub, placement: Placement) -> None:
        self._room = room
        self._hub = hub
        self._placement = placement
        self._worker: Worker | None = None
        self._ready = asyncio.Event()
        self._opening = asyncio.Lock()

    async def request(self, command: m.Command) -> m.Result:
        """Ask for something that must be done; raises WorkerError, ClientError."""
        return await (await self._found()).request(command)

    async def ask(self, command: m.Command) -> m.Result:
        """Ask for what a client wants; raises ClientError."""
        try:
            return await self.request(command)
        except WorkerError as error:
            code = "sdp_invalid" if error.code.startswith("sdp_") else WORKER_CODES.get(error.code, error.code)
            raise ClientError(code) from error

    async def tell(self, command: m.Command) -> None:
        """Tell the worker something that needs no answer; a lost worker needs not be told."""
        if self._worker is not None and not self._worker.lost:
            try:
                await self._worker.request(command)
            except WorkerError as error:
                logger.debug("not done: %s", error)

    def lost(self, worker: Worker) -> bool:
        """Note that a worker is gone; return whether it was this room's."""
        if worker is not self._worker:
            return False
        self._worker = None
        self._ready.clear()
        return True

    def connected(self) -> None:
        """Note that a worker came: whoever waits for one looks again."""
        self._ready.set()

    async def _found(self) -> Worker:
        """Return the worker, waiting for one to come if need be; raises ClientError."""
        async with self._opening:
            deadline = time.monotonic() + WAIT_S
            pause = FIRST_PAUSE_S
            while self._worker is None or self._worker.lost:
                worker = self._hub.choose("media")
                self._ready.clear()
                if worker is not None:
                    try:
                        await worker.request(m.OpenRoom(self._room))
                    except WorkerError as error:
                        logger.warning("no room on %s: %s", worker.id, error)
                    else:
                        self._worker = worker
                        await self._placement.moved(self._room, worker.id)
                        break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ClientError("media_unavailable")
                # Whoever refused is asked again, less and less often; another worker that comes is asked at once.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ready.wait(), left if worker is None else min(pause, left))
                pause = min(LAST_PAUSE_S, pause * 2)
            return self._worker
