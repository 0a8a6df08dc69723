"""The control plane's side of the workers: who is connected, what they are asked, what they tell."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import logging
from collections.abc import Callable

import msgspec
from aiohttp import WSMsgType, web

from control import messages as m

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 10.0
SILENCE_S = 10.0
"""A worker that reports no load for so long is lost."""


class WorkerError(Exception):
    """A worker did not do what it was asked. `code` is stable."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Worker:
    """One connected worker."""

    def __init__(self, hello: m.Hello, socket: web.WebSocketResponse) -> None:
        self.id = hello.worker
        self.kind = hello.kind
        self.pipe_address = hello.pipe_address
        self.capacity = hello.capacity
        self.load: m.Load | None = None
        self.lost = False
        self.problem: str | None = None
        """Why it cannot do its work (code), though it is there."""
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[m.Result]] = {}

    async def request(self, command: m.Command, timeout_s: float = REQUEST_TIMEOUT_S) -> m.Result:
        """Have a command carried out; raises WorkerError when it failed, timed out or the worker is lost."""
        if self.lost:
            raise WorkerError("worker_lost", f"{self.id} is gone")
        number = next(self._numbers)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._socket.send_bytes(m.encode(m.Request(number, command)))
                result: m.Result = await reply
        except TimeoutError as error:
            raise WorkerError("worker_timeout", f"{self.id} did not answer in {timeout_s} s") from error
        except ConnectionError as error:
            raise WorkerError("worker_lost", f"{self.id} is gone") from error
        finally:
            self._replies.pop(number, None)
        if isinstance(result, m.Failed):
            raise WorkerError(result.code, result.reason)
        return result

    def replied(self, reply: m.Reply) -> None:
        """Hand a reply to whoever waits for it."""
        waiting = self._replies.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply.result)

    def end(self) -> None:
        """Fail everything that is still waited for."""
        self.lost = True
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_exception(WorkerError("worker_lost", f"{self.id} is gone"))


class WorkerHub:
    """All workers. Set `on_connected`, `on_notice` and `on_lost` before the first one comes."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.workers: dict[str, Worker] = {}
        self._came = asyncio.Event()
        self.on_connected: Callable[[Worker], None] = lambda _worker: None
        self.on_lost: Callable[[Worker], None] = lambda _worker: None
        self.on_notice: Callable[[Worker, m.Notice], None] = lambda _worker, _notice: None

    def choose(self, kind: m.WorkerKind) -> Worker | None:
        """Return the least loaded worker of a kind, rather one without a problem, or None."""
        able = [w for w in self.workers.values() if w.kind == kind and (w.load is None or w.load.jobs < w.capacity)]
        return min(able, key=lambda w: (w.problem is not None, w.load.jobs if w.load else 0), default=None)

    async def find(self, kind: m.WorkerKind, within_s: float) -> Worker | None:
        """Return the least loaded worker of a kind, waiting for one to come; None when none does in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (worker := self.choose(kind)) is None:
                    self._came.clear()
                    await self._came.wait()
                return worker
        return None

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one worker's WebSocket at /control."""
        socket = web.WebSocketResponse(max_msg_size=m.MAX_MESSAGE_BYTES, heartbeat=5, compress=False)
        await socket.prepare(request)
        try:
            async with asyncio.timeout(10):
                hello = m.decode_from_worker(await socket.receive_bytes())
        except (TimeoutError, TypeError, msgspec.MsgspecError):
            await socket.close(code=4400, message=b"a worker begins with hello")
            return socket
        if not isinstance(hello, m.Hello) or hello.version != m.PROTOCOL_VERSION:
            await socket.close(code=4400, message=b"a worker begins with hello, version 1")
            return socket
        if not hmac.compare_digest(hello.token.encode(), self._token):
            await socket.close(code=4401, message=b"wrong control token")
            return socket
        worker = Worker(hello, socket)
        await socket.send_bytes(m.encode(m.Welcome()))
        self.workers[worker.id] = worker
        logger.info("worker connected", extra={"worker": worker.id})
        self._came.set()
        self.on_connected(worker)
        try:
            await self._listen(worker, socket)
        finally:
            self.workers.pop(worker.id, None)
            worker.end()
            logger.info("worker lost", extra={"worker": worker.id})
            self.on_lost(worker)
        return socket

    async def _listen(self, worker: Worker, socket: web.WebSocketResponse) -> None:
        while True:
            try:
                frame = await asyncio.wait_for(socket.receive(), SILENCE_S)
            except TimeoutError:
                await socket.close(code=4408, message=b"silent for too long")
                return
            if frame.type is not WSMsgType.BINARY:
                return
            try:
                message = m.decode_from_worker(frame.data)
            except msgspec.MsgspecError:
                logger.warning("a worker sent nonsense", extra={"worker": worker.id})
                continue
            match message:
                case m.Reply():
                    worker.replied(message)
                case m.Load():
                    worker.load = message
                case m.Hello():
                    pass
                case _:
                    self.on_notice(worker, message)
