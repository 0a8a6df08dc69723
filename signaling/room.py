"""One room: who is in it, what they publish, and what the media worker is told about it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

from control import messages as m
from control.captions import Caption
from control.ids import PeerId, PublicationId, RoomId
from sfu.machines.negotiation import SOURCE_KINDS
from signaling import messages as s
from signaling.announcer import Announcer
from signaling.captions import CaptionJobs
from signaling.errors import ClientError
from signaling.media import RoomMedia
from signaling.placement import Placement
from signaling.quality import score
from signaling.recording import RecordingJob
from signaling.roles import SOURCE_RIGHTS
from signaling.session import RESUME_S, HttpSession, Session
from signaling.workers import Worker, WorkerError, WorkerHub

logger = logging.getLogger(__name__)

MAX_PARTICIPANTS = 50
CHAT_KEPT = 200
CAPTIONS_KEPT = 500


class Room:
    """State of one visit while people are in it. All methods run on the event loop."""

    def __init__(self, visit: str, title: str, hub: WorkerHub, placement: Placement, announcer: Announcer) -> None:
        self.id = RoomId(visit)
        self.title = title
        self.started_at_s = time.time()
        self.sessions: dict[str, Session] = {}
        self.publications: dict[str, s.PublicationInfo] = {}
        self.captions_state = s.CaptionsInfo(False)
        self.ended = False
        self.expected = 0
        """People who are about to come in."""
        self.media = RoomMedia(self.id, hub, placement)
        self._chat: deque[s.ChatLine] = deque(maxlen=CHAT_KEPT)
        self._captions: deque[s.CaptionLine] = deque(maxlen=CAPTIONS_KEPT)
        self._tasks: set[asyncio.Task[None]] = set()
        self.captions = CaptionJobs(self, hub)
        self.recording = RecordingJob(self, hub, announcer)

    # --- people ---------------------------------------------------------------------------------------------------

    def broadcast(self, kind: type[Any], *, without: Session | None = None, **fields: Any) -> None:
        """Send one message to everybody."""
        for session in self.sessions.values():
            if session is not without:
                session.send(kind, **fields)

    def join(self, session: Session, guest_link: str | None) -> None:
        """Let somebody in; raises ClientError."""
        if self.ended:
            raise ClientError("visit_ended", fatal=True)
        if len(self.sessions) >= MAX_PARTICIPANTS:
            raise ClientError("room_full", fatal=True)
        self.sessions[session.id] = session
        self.broadcast(s.ParticipantJoined, without=session, participant=session.info)
        if not isinstance(session, HttpSession):
            self.welcome(session, guest_link)
            self.spawn(self._open_subscriber(session))

    def welcome(self, session: Session, guest_link: str | None) -> None:
        """Tell somebody how the room is."""
        session.send(
            s.Welcome,
            session=session.id,
            secret=session.secret,
            participant=session.participant,
            role=session.role,
            rights=sorted(session.rights),
            visit=self.id,
            title=self.title,
            visit_started_at_s=self.started_at_s,
            server_time_s=time.time(),
            participants=[other.info for other in self.sessions.values()],
            publications=list(self.publications.values()),
            chat=list(self._chat),
            captions=list(self._captions) if "see_captions" in session.rights else [],
            recording=self.recording.info,
            captions_state=self.captions_state,
            guest_link=guest_link,
        )
        for publication in session.paused & self.publications.keys():
            session.send(s.SubscriptionChanged, publication=publication, paused=True)

    def changed(self, session: Session) -> None:
        """Tell everybody what became of a participant."""
        self.broadcast(s.ParticipantChanged, participant=session.info)

    def leave(self, session: Session, reason: str) -> None:
        """Let somebody go; peers close at once."""
        if self.sessions.pop(session.id, None) is None:
            return
        self._drop_publications(session)
        self.broadcast(s.ParticipantLeft, participant=session.participant, reason=reason)
        for peer in (session.publisher, session.subscriber):
            if peer is not None:
                self.spawn(self.media.tell(m.ClosePeer(peer)))
        session.publisher = session.subscriber = None

    def expire(self, now: float) -> None:
        """Let go whoever did not come back in time."""
        for session in list(self.sessions.values()):
            if session.lost_at is not None and now - session.lost_at > RESUME_S:
                self.leave(session, "lost")

    def session_of(self, participant: str) -> Session:
        """Return a participant's session; raises ClientError."""
        session = self._find(participant)
        if session is None:
            raise ClientError("not_found")
        return session

    async def end(self) -> None:
        """End the visit for everybody."""
        self.ended = True
        for session in list(self.sessions.values()):
            session.send(s.Ended, reason="ended")
            session.close()
        self.sessions.clear()
        await self.recording.stop()
        await self.media.tell(m.CloseRoom(self.id))

    # --- what clients ask -----------------------------------------------------------------------------------------

    async def publish(self, session: Session, message: s.Publish) -> str:
        """Take an offer to publish and return the answer, which the session is sent; raises ClientError."""
        for wish in message.tracks:
            if SOURCE_RIGHTS[wish.source] not in session.rights:
                raise ClientError("not_allowed")
        if len({track.mid for track in message.tracks}) < len(message.tracks):
            raise ClientError("malformed")
        if message.generation != session.generation:
            if message.generation < session.generation:
                raise ClientError("not_found")
            self._drop_publications(session)
            if session.publisher is not None:
                await self.media.tell(m.ClosePeer(session.publisher))
            session.generation = message.generation
            session.publisher = PeerId(f"{session.participant}-pub-{secrets.token_hex(4)}")
        peer = session.publisher
        if peer is None:
            raise ClientError("not_found")
        tracks = [
            m.TrackOffer(wish.mid, PublicationId(f"{peer}-{wish.source}-{wish.mid}"), wish.source)
            for wish in message.tracks
        ]
        result = await self.media.ask(m.Publish(self.id, session.participant, peer, message.sdp, tracks))
        assert isinstance(result, m.SessionDescription)
        offered = {track.publication for track in tracks}
        for name, known in list(self.publications.items()):
            if known.participant == session.participant and name not in offered:
                self._remove_publication(name)
        for track in tracks:
            if track.publication not in self.publications:
                kind = SOURCE_KINDS[track.source]
                info = s.PublicationInfo(track.publication, session.participant, kind, track.source, False, False)
                self.publications[track.publication] = info
                self.broadcast(s.PublicationAdded, publication=info)
        session.send(
            s.PublishAnswer, id=message.id, sdp=result.sdp, publications=[track.publication for track in tracks]
        )
        return result.sdp

    async def answer(self, session: Session, message: s.SubscriberAnswer) -> None:
        """Pass on the answer of a receiving peer connection."""
        if message.peer != session.subscriber:
            return  # of a peer that is gone
        await self.media.ask(m.SubscriberAnswer(PeerId(message.peer), message.revision, message.sdp))

    async def select_layer(self, session: Session, message: s.SelectLayer) -> None:
        """Pass on the wish for a layer."""
        if session.subscriber is not None:
            await self.media.ask(m.SelectLayer(session.subscriber, PublicationId(message.publication), message.rid))

    async def set_muted(self, session: Session, message: s.SetMuted) -> None:
        """Mute or unmute: one's own, or somebody else's (mute only)."""
        info = self.publications.get(message.publication)
        if info is None:
            raise ClientError("not_found")
        if info.participant != session.participant and ("mute" not in session.rights or not message.muted):
            raise ClientError("not_allowed")
        await self.media.ask(m.PausePublication(PublicationId(info.id), message.muted))
        self._change_publication(info.id, muted=message.muted)

    def chat(self, session: Session, text: str) -> None:
        """Add a chat line."""
        line = s.ChatLine(secrets.token_hex(6), session.participant, session.name, text, time.time())
        self._chat.append(line)
        self.broadcast(s.ChatAdded, line=line)

    # --- what the media worker tells --------------------------------------------------------------------------------

    def noticed(self, notice: m.Notice) -> None:
        """Take a notice about this room's peers and publications."""
        match notice:
            case m.SubscriberOffer():
                for session in self.sessions.values():
                    if session.subscriber == notice.peer:
                        tracks = [s.SubscriberTrack(track.mid, track.publication) for track in notice.tracks]
                        session.send(
                            s.SubscriberOffer, peer=notice.peer, revision=notice.revision, sdp=notice.sdp, tracks=tracks
                        )
            case m.PublicationStarted():
                if notice.publication in self.publications:
                    self._change_publication(notice.publication, live=True, layers=notice.layers)
                    self.spawn(self._subscribe_all([notice.publication]))
                    self.recording.publication_started(notice)
                    if self.publications[notice.publication].source == "microphone":
                        self.captions.start(notice)
            case m.PublicationEnded():
                self._remove_publication(notice.publication)
            case m.PeerClosed():
                self._peer_closed(notice.peer)
            case m.PeerQuality():
                self._quality(notice)
            case m.SubscriptionChanged():
                self._subscription_changed(notice)
            case Caption():
                self._caption(notice)
            case m.RecordingFailed():
                self.recording.failed(notice)
            case m.Speaking():
                self.broadcast(s.Speakers, publications=list(notice.publications))
            case _:
                pass

    def worker_lost(self, worker: Worker) -> None:
        """React to the loss of a worker; without the media worker everybody is to publish anew."""
        self.captions.worker_lost(worker)
        self.recording.worker_lost(worker)
        if not self.media.lost(worker):
            return
        self.captions.stop_all()
        self.recording.publications_lost()
        self.publications.clear()
        for session in list(self.sessions.values()):
            session.publisher = session.subscriber = None
            if isinstance(session, HttpSession):
                self.leave(session, "lost")
            session.send(s.MediaLost)
        self.spawn(self._reopen())

    def worker_connected(self) -> None:
        """A worker came: whoever waits for one looks again."""
        self.media.connected()
        self.captions.resume()
        self.recording.worker_connected()

    async def request_close(self) -> None:
        """End the room on the media worker and everything under way here."""
        self.captions.stop_all()
        await self.recording.stop()
        await self.media.tell(m.CloseRoom(self.id))
        self.close()

    def close(self) -> None:
        """Cancel what is under way."""
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something of this room's in the background; failures are logged."""
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- details --------------------------------------------------------------------------------------------------

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except (WorkerError, ClientError) as error:
            logger.warning("room work failed: %s", error)

    def set_captions(self, *, available: bool, problem: str | None = None) -> None:
        """Tell everybody whether captions come."""
        state = s.CaptionsInfo(available, problem)
        if state != self.captions_state:
            self.captions_state = state
            self.broadcast(s.CaptionsChanged, captions=state)

    def name_of(self, participant: str) -> str | None:
        """Return the name of a participant who is here."""
        session = self._find(participant)
        return session.name if session is not None else None

    def _find(self, participant: str) -> Session | None:
        return next((each for each in self.sessions.values() if each.participant == participant), None)

    def _caption(self, caption: Caption) -> None:
        line = s.CaptionLine(
            caption.segment,
            caption.revision,
            caption.final,
            caption.participant,
            caption.publication,
            caption.speaker,
            caption.text,
            caption.stable_chars,
            round(caption.start_at_s - self.started_at_s, 3),
            round(caption.end_at_s - self.started_at_s, 3),
            caption.language,
        )
        if line.final and line.text:
            self._captions.append(line)
        for session in self.sessions.values():
            if "see_captions" in session.rights:
                session.send(s.CaptionAdded, caption=line)

    async def _open_subscriber(self, session: Session) -> None:
        peer = PeerId(f"{session.participant}-sub-{secrets.token_hex(4)}")
        session.subscriber = peer
        await self.media.request(m.OpenSubscriber(self.id, session.participant, peer))
        live = [PublicationId(p.id) for p in self.publications.values() if p.live]
        await self.media.request(m.Subscribe(peer, live))

    async def _subscribe_all(self, publications: list[PublicationId]) -> None:
        for session in list(self.sessions.values()):
            if session.subscriber is not None and not isinstance(session, HttpSession):
                await self.media.tell(m.Subscribe(session.subscriber, publications))

    async def _reopen(self) -> None:
        for session in list(self.sessions.values()):
            await self._open_subscriber(session)

    def _peer_closed(self, peer: PeerId) -> None:
        for session in list(self.sessions.values()):
            if peer in (session.publisher, session.subscriber):
                if isinstance(session, HttpSession):
                    self.leave(session, "lost")
                    continue
                other = session.subscriber if peer == session.publisher else session.publisher
                session.publisher = session.subscriber = None
                self._drop_publications(session)
                session.send(s.MediaLost)
                if other is not None:
                    self.spawn(self.media.tell(m.ClosePeer(other)))
                self.spawn(self._open_subscriber(session))

    def _subscription_changed(self, notice: m.SubscriptionChanged) -> None:
        for session in self.sessions.values():
            if session.subscriber == notice.peer:
                (session.paused.add if notice.paused else session.paused.discard)(notice.publication)
                session.send(s.SubscriptionChanged, publication=notice.publication, paused=notice.paused)

    def _quality(self, notice: m.PeerQuality) -> None:
        for session in self.sessions.values():
            if notice.peer in (session.publisher, session.subscriber):
                quality = score(notice, session.quality)
                if quality != session.quality:
                    session.quality = quality
                    self.changed(session)

    def _drop_publications(self, session: Session) -> None:
        for name, info in list(self.publications.items()):
            if info.participant == session.participant:
                self._remove_publication(name)

    def _remove_publication(self, name: str) -> None:
        if self.publications.pop(name, None) is not None:
            self.captions.stop(PublicationId(name))
            self.recording.publication_ended(PublicationId(name))
            self.broadcast(s.PublicationRemoved, publication=name)
            for session in list(self.sessions.values()):
                if isinstance(session, HttpSession) and session.stops_watching(PublicationId(name)):
                    self.leave(session, "left")

    def _change_publication(
        self, name: str, *, muted: bool | None = None, live: bool | None = None, layers: list[str] | None = None
    ) -> None:
        old = self.publications[name]
        new = s.PublicationInfo(
            old.id,
            old.participant,
            old.kind,
            old.source,
            old.muted if muted is None else muted,
            old.live if live is None else live,
            old.layers if layers is None else layers,
        )
        self.publications[name] = new
        self.broadcast(s.PublicationChanged, publication=new)
