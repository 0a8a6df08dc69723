"""A media round trip before entering: a throwaway room on a media worker that the browser sends to for seconds.

`POST /v/{visit}/connection-test` with the link's token as bearer and an SDP offer (one video section, sent by the
browser) is answered 201 with an SDP answer. Nobody can subscribe to what is sent. What the connection is worth, the
browser measures by itself (RTT, loss). Refusals are JSON `{code, text}`: 401, 415, 422, 429, 503.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import Final

from aiohttp import web

from accounts.links import LinkError, LinkSigner
from control import messages as m
from control.ids import ParticipantId, PeerId, PublicationId, RoomId
from signaling.errors import text_of
from signaling.limits import TokenBucket
from signaling.workers import Worker, WorkerError, WorkerHub

logger = logging.getLogger(__name__)

WAIT_S = 5.0
"""For a media worker that is just starting; the page waits with a message."""
KEPT_S: Final = 12.0
"""Connecting (8 s at most) and measuring (3 s)."""
MAX_AT_ONCE: Final = 20
TESTS_PER_S: Final = 5.0
BURST: Final = 20.0
MAX_OFFER_BYTES: Final = 65_536


class ConnectionTests:
    """The rooms of tests under way. Bounded in number and rate; each ends by itself."""

    def __init__(self, hub: WorkerHub, links: LinkSigner) -> None:
        self._hub = hub
        self._links = links
        self._bucket = TokenBucket(rate=TESTS_PER_S, burst=BURST)
        self._running: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.Response:
        """Serve one test."""
        try:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            link = self._links.verify(token, time.time())
            if link.visit != request.match_info["visit"]:
                raise LinkError("link_invalid")
        except LinkError as error:
            return _refused(401, error.code)
        if request.content_type != "application/sdp":
            return _refused(415, "malformed")
        if len(self._running) >= MAX_AT_ONCE or not self._bucket.take(time.monotonic()):
            return _refused(429, "too_fast")
        offer = await request.content.read(MAX_OFFER_BYTES + 1)
        try:
            text = offer.decode()
        except UnicodeDecodeError:
            return _refused(422, "sdp_invalid")
        worker = await self._hub.find("media", WAIT_S)
        if worker is None:
            return _refused(503, "media_unavailable")
        room = RoomId(f"test-{secrets.token_hex(8)}")
        track = m.TrackOffer("0", PublicationId(f"{room}-camera"), "camera")
        publish = m.Publish(room, ParticipantId(room), PeerId(f"{room}-pub"), text, [track])
        # Whatever becomes of the request, the room is closed again.
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(_test(worker, room, publish, ready))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            answer = await ready
        except WorkerError as error:
            invalid = error.code.startswith("sdp_")
            return _refused(422, "sdp_invalid") if invalid else _refused(503, "media_unavailable")
        return web.Response(text=answer, content_type="application/sdp", status=201)

    async def close(self) -> None:
        """End every test."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _test(worker: Worker, room: RoomId, publish: m.Publish, ready: asyncio.Future[str]) -> None:
    """Open a room, hand the answer to `ready`, and close the room in any case."""
    try:
        await worker.request(m.OpenRoom(room))
        result = await worker.request(publish)
        assert isinstance(result, m.SessionDescription)
        if ready.cancelled():
            return  # the browser went away meanwhile
        ready.set_result(result.sdp)
        await asyncio.sleep(KEPT_S)
    except WorkerError as error:
        if not ready.done():
            ready.set_exception(error)
    finally:
        try:
            await worker.request(m.CloseRoom(room))
        except WorkerError as error:
            logger.debug("a test room went with its worker: %s", error)


def _refused(status: int, code: str) -> web.Response:
    text = {language: text_of(code, language) for language in ("fr", "en")}
    return web.json_response({"code": code, "text": text}, status=status)
