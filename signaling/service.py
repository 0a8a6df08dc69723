"""Signaling as a whole: the rooms, the WebSocket of clients, and what workers tell."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from accounts.links import JoinLink, LinkError, LinkSigner
from configs.settings import Settings
from control import events
from control import messages as m
from control.captions import Caption, CaptionsUnavailable
from signaling import messages as s
from signaling.admission import Admission
from signaling.announcer import Announcer, TellBus
from signaling.connection_test import ConnectionTests
from signaling.errors import ClientError, text_of
from signaling.limits import TokenBucket
from signaling.media_http import MediaEndpoint
from signaling.placement import Placement
from signaling.roles import rights_of
from signaling.room import Room
from signaling.session import MAX_QUEUED, Session, shown_name
from signaling.whep import watch
from signaling.whip import publish
from signaling.workers import Worker, WorkerHub
from storage.visits import Visits

logger = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 10.0
MAX_STRANGERS = 200
"""Sockets that have not joined yet."""
MAX_MALFORMED = 3
GUEST_LINK_S = 24 * 3600


class Signaling:
    """Owner of the rooms."""

    def __init__(
        self,
        *,
        hub: WorkerHub,
        links: LinkSigner,
        settings: Settings,
        visits: Visits,
        placement: Placement,
        tell_bus: TellBus,
    ) -> None:
        self._hub = hub
        self._links = links
        self._settings = settings
        self._admission = Admission(visits)
        self._placement = placement
        self._announcer = Announcer(tell_bus)
        self.rooms: dict[str, Room] = {}
        self._strangers = 0
        self._tests = ConnectionTests(hub, links)
        self._endpoints = [MediaEndpoint(self, links, "whip", publish), MediaEndpoint(self, links, "whep", watch)]
        hub.on_notice = self._noticed
        hub.on_lost = self._worker_lost
        hub.on_connected = self._worker_connected

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the HTTP routes."""
        return [
            web.get("/signal", self._socket),
            web.post("/v/{visit:[a-z-]{4,32}}/connection-test", self._tests.handle),
            *(route for endpoint in self._endpoints for route in endpoint.routes()),
        ]

    async def run(self) -> None:
        """Look after sessions that did not come back and after what others must know, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep(), name="sweep")
                tasks.create_task(self._admission.run(), name="admission")
                tasks.create_task(self._announcer.run(), name="announcer")
                tasks.create_task(self._placement.run(self._hub.workers.values), name="placement")
        finally:
            await self._tests.close()
            for name, room in self.rooms.items():
                room.close()
                await self._placement.release(name)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for name, room in list(self.rooms.items()):
                room.expire(now)
                if not room.sessions and not room.expected:
                    del self.rooms[name]
                    await room.request_close()
                    await self._placement.release(name)

    # --- workers --------------------------------------------------------------------------------------------------

    def _noticed(self, worker: Worker, notice: m.Notice) -> None:
        if isinstance(notice, CaptionsUnavailable):
            worker.problem = notice.code
        if isinstance(notice, Caption) and notice.final:
            # Here and not in the room, which may be gone when the last words of a visit come.
            self._announcer.say(events.CAPTION_TOPIC, events.encode(notice))
        for room in self.rooms.values():
            if isinstance(notice, CaptionsUnavailable):
                room.captions.unavailable(worker, notice.code)
            elif not isinstance(notice, m.Speaking | Caption) or notice.room == room.id:
                room.noticed(notice)

    def _worker_lost(self, worker: Worker) -> None:
        for room in self.rooms.values():
            room.worker_lost(worker)

    def _worker_connected(self, worker: Worker) -> None:
        del worker
        for room in self.rooms.values():
            room.worker_connected()

    # --- clients --------------------------------------------------------------------------------------------------

    def _same_origin(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return True  # not a browser
        allowed = {request.host}
        if self._settings.web.public_url:
            allowed.add(urlsplit(self._settings.web.public_url).netloc)
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and host in allowed

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self._same_origin(request):
            raise web.HTTPForbidden(text="cross-origin WebSocket")
        if self._strangers >= MAX_STRANGERS:
            raise web.HTTPServiceUnavailable(text="too many connections")
        socket = web.WebSocketResponse(max_msg_size=s.MAX_MESSAGE_BYTES, heartbeat=10, compress=False)
        await socket.prepare(request)
        outgoing: asyncio.Queue[str | None] = asyncio.Queue(MAX_QUEUED)
        sender = asyncio.create_task(_send(socket, outgoing))
        room, session = None, None
        try:
            self._strangers += 1
            try:
                entered = await self._enter(socket, outgoing)
            finally:
                self._strangers -= 1
            if entered is not None:
                room, session = entered
                await self._listen(socket, room, session)
        finally:
            if room is not None and session is not None:
                detached = session.detach(outgoing, time.monotonic())
                if detached and session.id in room.sessions:
                    room.changed(session)
            try:
                outgoing.put_nowait(None)
                await asyncio.wait_for(sender, 5)
            except (TimeoutError, asyncio.QueueFull):
                sender.cancel()
            await socket.close()
        return socket

    async def _enter(
        self, socket: web.WebSocketResponse, outgoing: asyncio.Queue[str | None]
    ) -> tuple[Room, Session] | None:
        """Take the first message: join or resume."""
        language = "fr"
        try:
            frame = await socket.receive(JOIN_TIMEOUT_S)
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            try:
                message = _decode(frame)
            except msgspec.MsgspecError as error:
                raise ClientError("malformed", fatal=True) from error
            if not isinstance(message, s.Join | s.Resume):
                raise ClientError("not_joined", fatal=True)
            if message.version != s.PROTOCOL_VERSION:
                raise ClientError("version", fatal=True)
            if isinstance(message, s.Resume):
                return self._resume(message, outgoing)
            language = message.language
            return await self._join(message, outgoing)
        except ClientError as error:
            outgoing.put_nowait(s.encode(s.Error(error.code, text_of(error.code, language), fatal=True)))
            return None
        except TimeoutError:
            return None

    async def _join(self, message: s.Join, outgoing: asyncio.Queue[str | None]) -> tuple[Room, Session]:
        try:
            link = self._links.verify(message.link, time.time())
        except LinkError as error:
            raise ClientError(error.code, fatal=True) from error
        name = shown_name(message.name)
        if not name:
            raise ClientError("malformed", fatal=True)
        session = Session(name, link.role, rights_of(link.role), message.language)
        async with self.entering(link.visit) as room:
            session.attach(outgoing)
            try:
                room.join(session, self.guest_link(link.visit) if "invite" in session.rights else None)
            except ClientError:
                session.outgoing = None
                raise
        return room, session

    @asynccontextmanager
    async def entering(self, visit: str) -> AsyncIterator[Room]:
        """Give the room of a visit to somebody whose link is good, and keep it while the block lasts.

        Raises ClientError, `visit_ended` among others.
        """
        room = self.rooms.get(visit)
        if room is None:
            room = self.rooms[visit] = Room(visit, "", self._hub, self._placement, self._announcer)
        room.expected += 1
        try:
            room.title = (await self._admission.enter(visit)).title
            await self._placement.claim(room.id)
            yield room
        finally:
            room.expected -= 1

    def _resume(self, message: s.Resume, outgoing: asyncio.Queue[str | None]) -> tuple[Room, Session]:
        for room in self.rooms.values():
            session = room.sessions.get(message.session)
            if session is None or not session.may_resume(message.secret):
                continue
            session.attach(outgoing)
            if not session.replay(message.last):
                room.welcome(session, self.guest_link(room.id) if "invite" in session.rights else None)
            room.changed(session)
            return room, session
        raise ClientError("resume_failed", fatal=True)

    def guest_link(self, visit: str) -> str:
        """Return the address by which guests enter a visit: a path, unless `web.public_url` says what stands before."""
        now = int(time.time())
        link = JoinLink(visit, "client", None, now - 60, now + GUEST_LINK_S, secrets.token_urlsafe(8))
        return f"{self._settings.web.public_url or ''}/v/{visit}#{self._links.sign(link)}"

    async def _listen(self, socket: web.WebSocketResponse, room: Room, session: Session) -> None:
        messages = TokenBucket(rate=50, burst=100)
        lines = TokenBucket(rate=5, burst=10)
        malformed = 0
        async for frame in socket:
            if frame.type is WSMsgType.ERROR:  # too large, or no WebSocket: the socket is closed already
                return
            number: int | None = None
            try:
                if not messages.take(time.monotonic()):
                    raise ClientError("too_fast", fatal=True)
                try:
                    message = _decode(frame)
                except msgspec.MsgspecError as error:
                    raise ClientError("malformed") from error
                number = getattr(message, "id", None)
                if isinstance(message, s.Chat) and not lines.take(time.monotonic()):
                    raise ClientError("too_fast")
                if not await self._act(room, session, message):
                    return
            except ClientError as error:
                malformed += error.code == "malformed"
                fatal = error.fatal or malformed >= MAX_MALFORMED
                session.send_plain(s.Error(error.code, text_of(error.code, session.language), number, fatal))
                if fatal:
                    return

    async def _act(self, room: Room, session: Session, message: s.ClientMessage) -> bool:
        """Carry out one message; return False when the client is gone. Raises ClientError."""
        if session.id not in room.sessions:
            return False
        match message:
            case s.Publish():
                await room.publish(session, message)
            case s.SubscriberAnswer():
                await room.answer(session, message)
            case s.SelectLayer():
                await room.select_layer(session, message)
            case s.SetMuted():
                await room.set_muted(session, message)
            case s.Chat():
                _need(session, "chat")
                room.chat(session, message.text)
            case s.RaiseHand():
                other = session
                if message.participant is not None and message.participant != session.participant:
                    _need(session, "mute")
                    if message.raised:
                        raise ClientError("not_allowed")
                    other = room.session_of(message.participant)
                else:
                    _need(session, "raise_hand")
                other.hand_raised = message.raised
                room.changed(other)
            case s.RemoveParticipant():
                _need(session, "remove")
                other = room.session_of(message.participant)
                other.send(s.Ended, reason="removed")
                other.close()
                room.leave(other, "removed")
            case s.EndVisit():
                _need(session, "end")
                await asyncio.gather(room.end(), self._admission.end(room.id))
                return False
            case s.StartRecording():
                _need(session, "record")
                await room.recording.start()
            case s.StopRecording():
                _need(session, "record")
                await room.recording.stop()
            case s.Leave():
                room.leave(session, "left")
                return False
            case s.Ping():
                session.send_plain(s.Pong(message.n, time.time()))
            case s.Join() | s.Resume():
                raise ClientError("malformed")
        return True


def _decode(frame: WSMessage) -> s.ClientMessage:
    """Return the message in a frame; raises msgspec.MsgspecError, for anything but text too."""
    if frame.type is not WSMsgType.TEXT:
        raise msgspec.DecodeError("a message is text")
    return s.decode_client(frame.data)


def _need(session: Session, right: str) -> None:
    if right not in session.rights:
        raise ClientError("not_allowed")


async def _send(socket: web.WebSocketResponse, outgoing: asyncio.Queue[str | None]) -> None:
    """Send what is queued, until a None."""
    try:
        while (text := await outgoing.get()) is not None:
            await socket.send_str(text)
    except ConnectionError:
        pass
    await socket.close()
