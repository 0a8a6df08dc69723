"""A media worker under measurement: the benchmark is its control plane, on a Unix socket of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from aiohttp import web

from control import messages as m
from control.ids import ParticipantId, PeerId, PublicationId, RoomId
from control.process import end
from signaling.workers import Worker, WorkerHub

START_S = 20.0
ROOM = RoomId("bench")


class ServerError(Exception):
    """The server under measurement did not do what it was asked."""


class Server(Protocol):
    """What a server under measurement can do. Names are those of endpoints."""

    name: str
    pid: int

    async def publish(self, name: str, offer: str) -> str:
        """Take a publisher's offer; return the answer."""

    async def published(self, count: int) -> None:
        """Wait until so many tracks can be received."""

    async def subscribe(self, name: str) -> str:
        """Let an endpoint receive all tracks; return the offer to it."""

    async def answer(self, name: str, sdp: str) -> None:
        """Take the answer to that offer."""

    def gauges(self) -> dict[str, float]:
        """Return the server's own latest counts."""


class MediaWorker:
    """Parvis' media worker as a child process."""

    name = "parvis"

    def __init__(self, token: str) -> None:
        self.hub = WorkerHub(token)
        self.hub.on_connected = self._connected
        self.hub.on_notice = self._noticed
        self.pid = 0
        self._worker: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._started: list[PublicationId] = []
        self._changed = asyncio.Event()
        self._offers: dict[str, asyncio.Queue[m.SubscriberOffer]] = {}
        self._revisions: dict[str, int] = {}

    async def open(self) -> None:
        """Wait for the worker and make the room."""
        async with asyncio.timeout(START_S):
            await self._worker
        await self._ask(m.OpenRoom(ROOM))

    async def publish(self, name: str, offer: str) -> str:
        """Take a publisher's offer (video as mid 0, audio as mid 1); return the answer."""
        tracks = [m.TrackOffer("0", PublicationId(f"{name}-camera"), "camera")]
        if "a=mid:1" in offer:
            tracks.append(m.TrackOffer("1", PublicationId(f"{name}-microphone"), "microphone"))
        result = await self._ask(m.Publish(ROOM, ParticipantId(name), PeerId(name), offer, tracks))
        assert isinstance(result, m.SessionDescription)
        return result.sdp

    async def published(self, count: int) -> None:
        """Wait until so many publications have started."""
        async with asyncio.timeout(START_S):
            while len(self._started) < count:
                self._changed.clear()
                await self._changed.wait()

    async def subscribe(self, name: str) -> str:
        """Open a subscriber on all publications; return the offer to it."""
        queue = self._offers[name] = asyncio.Queue()
        await self._ask(m.OpenSubscriber(ROOM, ParticipantId(name), PeerId(name)))
        await self._ask(m.Subscribe(PeerId(name), self._started))
        async with asyncio.timeout(START_S):
            offer = await queue.get()
        self._revisions[name] = offer.revision
        return offer.sdp

    async def answer(self, name: str, sdp: str) -> None:
        """Take the answer to the offer."""
        await self._ask(m.SubscriberAnswer(PeerId(name), self._revisions[name], sdp))

    def gauges(self) -> dict[str, float]:
        """Return the worker's latest report of itself; empty before the first one."""
        load = self._worker.result().load
        return dict(load.gauges) if load is not None else {}

    async def _ask(self, command: m.Command) -> m.Result:
        return await (await self._worker).request(command)

    def _connected(self, worker: Worker) -> None:
        if not self._worker.done():
            self._worker.set_result(worker)

    def _noticed(self, worker: Worker, notice: m.Notice) -> None:
        del worker
        match notice:
            case m.PublicationStarted(publication):
                self._started.append(publication)
                self._changed.set()
            case m.SubscriberOffer(peer):
                if peer in self._offers:
                    self._offers[peer].put_nowait(notice)
            case _:
                pass


@asynccontextmanager
async def media_worker(*, coalesce_ms: float = 0.0, host: str = "127.0.0.1") -> AsyncIterator[MediaWorker]:
    """Run a media worker while the block lasts; raises ServerError or TimeoutError when it does not start."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parvis-bench-")))
        token = secrets.token_urlsafe()
        server = MediaWorker(token)
        application = web.Application()
        application.add_routes([web.get("/control", server.hub.handle)])
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.UnixSite(runner, str(data / "control.sock")).start()
        environment = os.environ | {
            "PARVIS_DATA": str(data),
            "PARVIS_CONTROL_TOKEN": token,
            "PARVIS_MEDIA__HOST": host,
            "PARVIS_MEDIA__PORT": "0",
            "PARVIS_MEDIA__COALESCE_MS": str(coalesce_ms),
            "PARVIS_LOG_LEVEL": "warning",
        }
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "parvis", "media", env=environment)
        stack.push_async_callback(end, process)
        server.pid = process.pid
        await server.open()
        yield server
