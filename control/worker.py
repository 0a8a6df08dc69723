"""A worker's side of the control channel: connect, say hello, carry out commands, come back after a loss."""

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec

from control import messages as m
from control.ids import WorkerId

logger = logging.getLogger(__name__)

LOAD_INTERVAL_S = 2.0
FIRST_BACKOFF_S = 0.2
LAST_BACKOFF_S = 5.0
MAX_QUEUED = 10_000
"""Notices kept while the socket is slow; more are dropped and counted."""

Handle = Callable[[m.Command], Awaitable[m.Result]]


def hello(kind: m.WorkerKind, token: str | None, pipe_address: tuple[str, int] | None = None) -> m.Hello:
    """Return the first message of this process as a worker, under a name of its own."""
    name = WorkerId(f"{kind}-{os.getpid()}-{secrets.token_hex(4)}")
    return m.Hello(worker=name, kind=kind, token=token or "", pipe_address=pipe_address)


class WorkerConnection:
    """Keeps one worker connected to the control plane.

    Commands are carried out one after the other, in the order of their arrival. An exception in one answers `Failed`
    and leaves the worker alive.
    """

    def __init__(self, target: str | Path, hello: m.Hello, handle: Handle, load: Callable[[], m.Load]) -> None:
        """`target` is the path of a Unix socket, or a ws(s):// address."""
        self._target = target
        self._hello = hello
        self._handle = handle
        self._load = load
        self._outgoing: asyncio.Queue[m.FromWorker] = asyncio.Queue(MAX_QUEUED)
        self.dropped = 0
        self.connected = False
        """Whether the control plane has welcomed this worker and hears it."""

    def notify(self, notice: m.Notice) -> None:
        """Tell the control plane something, as soon as it can hear it."""
        try:
            self._outgoing.put_nowait(notice)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Stay connected until cancelled."""
        backoff = FIRST_BACKOFF_S
        while True:
            try:
                if await self._connect():
                    backoff = FIRST_BACKOFF_S
            except (OSError, aiohttp.ClientError, msgspec.MsgspecError, TimeoutError) as error:
                logger.debug("the control plane is out of reach: %s", error)
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF_S, backoff * 2)

    async def _connect(self) -> bool:
        """Hold one connection until it ends; return whether it was welcomed."""
        if isinstance(self._target, Path):
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(str(self._target))
            url = "http://control/control"
        else:
            connector, url = aiohttp.TCPConnector(), self._target
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.ws_connect(url, max_msg_size=m.MAX_MESSAGE_BYTES, heartbeat=10) as socket,
        ):
            await socket.send_bytes(m.encode(self._hello))
            async with asyncio.timeout(10):
                welcome = await socket.receive()
            if welcome.type is not aiohttp.WSMsgType.BINARY:
                logger.error("the control plane refused this worker: %s", welcome.extra or welcome.data)
                return False
            m.decode_to_worker(welcome.data)
            while not self._outgoing.empty():
                self._outgoing.get_nowait()  # what was meant for an earlier connection is stale
            tasks = [
                asyncio.create_task(self._receive(socket), name="control receive"),
                asyncio.create_task(self._send(socket), name="control send"),
                asyncio.create_task(self._report(), name="control load"),
            ]
            self.connected = True
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.connected = False
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()  # whichever ended the connection says why
            return True

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.BINARY:
                continue
            message = m.decode_to_worker(frame.data)
            if isinstance(message, m.Request):
                try:
                    result = await self._handle(message.command)
                except Exception as error:
                    logger.exception("a command failed")
                    result = m.Failed("internal", str(error))
                await self._outgoing.put(m.Reply(message.number, result))

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await socket.send_bytes(m.encode(await self._outgoing.get()))

    async def _report(self) -> None:
        while True:
            self.notify(self._load())
            await asyncio.sleep(LOAD_INTERVAL_S)
