"""What the control plane asks of a media worker, command by command."""

from __future__ import annotations

from dataclasses import replace

from control import messages as m
from control.ids import PublicationId
from sfu.errors import NegotiationError
from sfu.machines.negotiation import (
    SendTrack,
    SubscriberSession,
    ViewerSection,
    answer_publisher,
    answer_viewer,
    viewer_sections,
)
from sfu.rooms.publisher import PublisherPeer
from sfu.rooms.room import Room
from sfu.rooms.roster import Roster
from sfu.rooms.router import Router
from sfu.rooms.subscriber import SubscriberPeer


class Commands:
    """Carries commands out on the roster."""

    def __init__(self, roster: Roster, router: Router) -> None:
        self._roster = roster
        self._router = router

    def execute(self, command: m.Command, now: float) -> m.Result:
        """Carry out one command of the control plane. Bad SDP and unknown names are answered with `Failed`."""
        try:
            match command:
                case m.OpenRoom():
                    self._roster.rooms.setdefault(command.room, Room(command.room))
                case m.CloseRoom():
                    self._roster.close_room(command.room)
                case m.Publish():
                    return self._publish(command, now)
                case m.OpenSubscriber():
                    self._open_subscriber(command, now)
                case m.Subscribe():
                    self._subscribe(self._roster.subscriber(command.peer), command.publications)
                case m.Unsubscribe():
                    subscriber = self._roster.subscriber(command.peer)
                    for publication in command.publications:
                        subscriber.remove(publication)
                    self._roster.offer(subscriber)
                case m.SubscriberAnswer():
                    self._answer(command, now)
                case m.SelectLayer():
                    self._select_layer(command, now)
                case m.PausePublication():
                    self._pause(command, now)
                case m.ClosePeer():
                    self._roster.remove_peer(command.peer)
                case m.RestartIce():
                    restarted = self._roster.restart_ice(command.peer, command.ufrag, command.password)
                    return m.IceCredentials(restarted.ufrag, restarted.password)
                case m.WatchPublication():
                    return self._watch(command, now)
                case m.OpenPipe():
                    self._open_pipe(command)
                case m.ClosePipe():
                    self._roster.close_pipe(command.pipe)
                case _:
                    return m.Failed("unknown_command", f"a media worker has no command {type(command).__name__}")
        except NegotiationError as error:
            return m.Failed(error.code, str(error))
        except LookupError as error:
            return m.Failed("not_found", f"there is no {error}")
        return m.Done()

    def _publish(self, command: m.Publish, now: float) -> m.Result:
        room = self._roster.room(command.room)
        publisher = self._roster.publishers.get(command.peer)
        peer = publisher.peer if publisher is not None else self._roster.new_peer(command.peer, now)
        allowed = {track.mid: track.source for track in command.tracks}
        try:
            agreement = answer_publisher(command.sdp, local=self._roster.local(peer), allowed=allowed)
        except NegotiationError:
            if publisher is None:
                self._roster.remove_peer(peer.id)
            raise
        if publisher is None:
            publisher = PublisherPeer(command.room, command.participant, peer, self._roster.refusals)
            self._roster.publishers[command.peer] = publisher
        peer.set_remote(agreement.remote)
        ids = {track.mid: track.publication for track in command.tracks}
        for gone in publisher.agree(agreement.tracks, ids):
            self._roster.end_publication(room, gone)
        room.publications.update(publisher.publications)
        self._roster.drain(peer)
        return m.SessionDescription(agreement.answer_sdp)

    def _open_subscriber(self, command: m.OpenSubscriber, now: float) -> None:
        self._roster.room(command.room)
        if command.peer in self._roster.subscribers:
            return
        peer = self._roster.new_peer(command.peer, now)
        session = SubscriberSession(self._roster.local(peer))
        self._roster.subscribers[command.peer] = SubscriberPeer(
            command.room, command.participant, peer, session, self._roster.random_ssrc, self._roster.refusals
        )

    def _subscribe(self, subscriber: SubscriberPeer, publications: list[PublicationId]) -> None:
        room = self._roster.room(subscriber.room)
        for name in publications:
            publication = room.publications.get(name)
            if publication is not None and publication.participant != subscriber.participant:
                subscriber.add(publication)
        self._roster.offer(subscriber)

    def _answer(self, command: m.SubscriberAnswer, now: float) -> None:
        subscriber = self._roster.subscriber(command.peer)
        if command.revision != subscriber.revision or subscriber.answered:
            raise NegotiationError("stale_answer", f"no offer of revision {command.revision} is open")
        subscriber.answer(command.sdp, now)
        self._roster.retarget_due = True
        self._roster.drain(subscriber.peer)
        self._roster.offer(subscriber)

    def _watch(self, command: m.WatchPublication, now: float) -> m.Result:
        room = self._roster.room(command.room)
        publications = [room.publications[name] for name in command.publications if name in room.publications]
        remote, sections = viewer_sections(command.sdp)
        peer = self._roster.new_peer(command.peer, now)
        subscriber = SubscriberPeer(
            command.room, command.participant, peer, None, self._roster.random_ssrc, self._roster.refusals
        )

        def choose(section: ViewerSection) -> SendTrack | None:
            for publication in publications:
                codec = section.codec(publication.codec, publication.fmtp)
                if codec is not None and publication.kind == section.kind:
                    publications.remove(publication)
                    subscriber.add(publication, codec.payload_type, codec.rtx_payload_type)
                    extension = section.sequence_extension
                    if extension is not None:
                        subscriber.expect_feedback(extension, now)
                    return replace(subscriber.send_track(section.mid, publication.id, extension), fmtp=codec.fmtp)
            return None

        answer = answer_viewer(self._roster.local(peer), remote, sections, choose)
        self._roster.subscribers[command.peer] = subscriber
        peer.set_remote(remote)
        for subscription in subscriber.subscriptions.values():
            subscription.active = True
        return m.SessionDescription(answer)

    def _select_layer(self, command: m.SelectLayer, now: float) -> None:
        subscriber = self._roster.subscriber(command.peer)
        subscription = subscriber.subscriptions.get(command.publication)
        if subscription is None:
            raise LookupError(f"subscription to {command.publication}")
        if command.rid is not None and subscription.publication.layer(command.rid) is None:
            raise LookupError(f"layer {command.rid}")
        subscription.wished_rid = command.rid
        subscription.retarget(now)

    def _pause(self, command: m.PausePublication, now: float) -> None:
        _, publication = self._roster.publication(command.publication)
        for layer in publication.layers:
            self._router.flush_layer(layer)
        self._router.forwarder.flush()
        publication.paused = command.paused
        self._router.retarget(publication, now)

    def _open_pipe(self, command: m.OpenPipe) -> None:
        room = self._roster.room(command.room)
        publication = room.publications.get(command.spec.publication)
        if publication is None:
            raise LookupError(f"publication {command.spec.publication}")
        self._roster.open_pipe(command.spec, command.address, publication)
