"""All rooms of one media worker: datagrams and commands in, datagrams and notices out.

Sans-IO but for the outlet of the hot path (`sfu.rooms.forward.Outlet`). The caller passes two clocks with every input:
`now` (monotonic seconds) for timers and `at_s` (Unix time) for what leaves the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control import messages as m
from control.ids import PeerId, PipeId, PublicationId, RoomId
from sfu.errors import MalformedPacketError, NegotiationError
from sfu.machines.certificate import Certificate
from sfu.machines.ice_lite import ufrag_of
from sfu.machines.negotiation import (
    LocalTransport,
    SendTrack,
    SubscriberSession,
    ViewerSection,
    answer_publisher,
    answer_viewer,
    viewer_sections,
)
from sfu.peer.peer import Closed, Connected, Moved, Peer
from sfu.rooms.forward import Forwarder, Outlet
from sfu.rooms.pipe import Pipe
from sfu.rooms.publication import Layer, Publication
from sfu.rooms.publisher import PublisherPeer
from sfu.rooms.room import Room
from sfu.rooms.subscriber import SubscriberPeer
from sfu.wire import rtcp

Address = tuple[str, int]
QUALITY_INTERVAL_S = 2.0
SLOW_INTERVAL_S = 0.1
RETARGET_INTERVAL_S = 0.5
SPEAKERS_INTERVAL_S = 0.2
MAX_PEERS = 2000


@dataclass(slots=True, frozen=True)
class EngineOptions:
    """What does not change while the worker runs."""

    certificate: Certificate
    candidates: list[tuple[str, int, str]]
    """(address, port, "udp") told to browsers."""
    random_bytes: Callable[[int], bytes]
    consent_timeout_s: float = 15.0


class Engine:
    """Owner of rooms, peers and pipes."""

    def __init__(self, options: EngineOptions, outlet: Outlet) -> None:
        self._options = options
        self._outlet = outlet
        self.forwarder = Forwarder(outlet)
        self.rooms: dict[RoomId, Room] = {}
        self._publishers: dict[PeerId, PublisherPeer] = {}
        self._subscribers: dict[PeerId, SubscriberPeer] = {}
        self._peers: dict[PeerId, Peer] = {}
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        self._publisher_by_address: dict[Address, PublisherPeer] = {}
        self._pipes: dict[PipeId, Pipe] = {}
        self._pipe_by_ssrc: dict[int, Pipe] = {}
        self._touched: list[Layer] = []
        self._notices: list[m.Notice] = []
        self._slow_at = 0.0
        self._quality_at = 0.0
        self._retarget_at = 0.0
        self._speakers_at = 0.0
        self.dropped = 0
        """Datagrams from nobody we know, or that made no sense."""

    # --- datagrams ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, address: Address, now: float, at_s: float) -> None:
        """Take one datagram (RFC 7983). Call `flush` after the last one of a batch."""
        if not data:
            self.dropped += 1
            return
        first = data[0]
        if 127 < first < 192:
            publisher = self._publisher_by_address.get(address)
            if publisher is not None and (len(data) < 2 or not 63 < data[1] & 0x7F < 96):
                received = publisher.receive_rtp(data, now, at_s)
                if received is not None:
                    self._route(publisher, received, now)
                return
            self._receive_rtcp(data, address, now, at_s)
        elif first < 4:
            self._receive_stun(data, address, now)
        elif 19 < first < 64:
            peer = self._by_address.get(address)
            if peer is None or peer.closed:
                self.dropped += 1
                return
            peer.receive_dtls(data)
            self._drain(peer)
        else:
            self.dropped += 1

    def _receive_stun(self, data: bytes, address: Address, now: float) -> None:
        ufrag = ufrag_of(data)
        peer = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if peer is None or peer.closed:
            self.dropped += 1
            return
        peer.receive_stun(data, address, now)
        if address in peer.addresses and self._by_address.get(address) is not peer:
            self._by_address[address] = peer
            publisher = self._publishers.get(peer.id)
            if publisher is not None:
                self._publisher_by_address[address] = publisher
            else:
                self._publisher_by_address.pop(address, None)
        self._drain(peer)

    def _receive_rtcp(self, data: bytes, address: Address, now: float, at_s: float) -> None:
        peer = self._by_address.get(address)
        try:
            if peer is None:
                if len(data) < 8:
                    raise MalformedPacketError("RTCP shorter than its header")
                pipe = self._pipe_by_ssrc.get(int.from_bytes(data[4:8], "big") ^ 0xFFFFFFFF)
                if pipe is None or pipe.address != address:
                    self.dropped += 1
                    return
                pipe.receive_rtcp(data, now, self.forwarder)
                return
            if peer.receiver is None or peer.closed:
                peer.malformed += 1
                return
            packets = rtcp.parse(peer.receiver.unprotect_rtcp(data))
        except MalformedPacketError:
            if peer is not None:
                peer.malformed += 1
            else:
                self.dropped += 1
            return
        publisher = self._publishers.get(peer.id)
        if publisher is not None:
            publisher.receive_rtcp(packets, now, at_s)
        subscriber = self._subscribers.get(peer.id)
        if subscriber is not None:
            subscriber.receive_rtcp(packets, now, at_s, self.forwarder)

    def _route(
        self, publisher: PublisherPeer, received: tuple[Layer, int, int, int, bytes, int | None], now: float
    ) -> None:
        layer, index, timestamp, bits, payload, level = received
        publication = layer.publication
        store = layer.store
        if index in store:
            return
        if layer.nack.received(index, now) and publication.kind == "video":
            layer.keyframes.want()
        packet = (index, timestamp, bits, payload)
        store.add(packet)
        layer.last_packet_at = now
        if not publication.started:
            publication.started = True
            self._started(publication, now)
        if level is not None:
            self.rooms[publisher.room].speakers.level(publication, level if not publication.paused else -127, now)
        if index <= layer.highest:
            for subscription in layer.subscribers:
                if index >= subscription.base_index:
                    self.forwarder.send_packet(subscription, packet)
                    subscription.packets += 1
                    subscription.octets += len(payload)
            return
        if layer.waiting or layer.keyframes.wanted:
            is_keyframe = publication.is_keyframe
            if is_keyframe is None or (payload and is_keyframe(payload)):
                layer.keyframes.arrived()
                self._flush_layer(layer)
                layer.highest = index - 1
                for subscription in list(layer.waiting):
                    if subscription.layer is not None and subscription.layer.pending:
                        self._flush_layer(subscription.layer)
                    subscription.switch(layer, index, timestamp)
        layer.highest = index
        layer.newest_timestamp = timestamp
        if layer.subscribers:
            pending = layer.pending
            if not pending:
                self._touched.append(layer)
            pending.append(packet)

    def flush(self) -> None:
        """Forward what the batch brought."""
        touched = self._touched
        if touched:
            for layer in touched:
                self._flush_layer(layer)
            touched.clear()

    def _flush_layer(self, layer: Layer) -> None:
        pending = layer.pending
        if pending:
            layer.pending = []
            self.forwarder.forward(layer, pending)

    # --- time -----------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: float, at_s: float) -> None:
        """Look after timers; to be called about every 20 ms. What can wait is done every 100 ms: peers are many."""
        for publisher in self._publishers.values():
            publisher.handle_timeout(now)
            if publisher.peer.connected:
                self._drain(publisher.peer)
        if now - self._slow_at >= SLOW_INTERVAL_S:
            self._slow_at = now
            for subscriber in self._subscribers.values():
                subscriber.handle_timeout(now, at_s)
                self._offer(subscriber)
            for peer in list(self._peers.values()):
                peer.handle_timeout(now)
                self._drain(peer)
        for pipe in self._pipes.values():
            report = pipe.report(now, at_s)
            if report is not None and pipe.address is not None:
                self._outlet.send(memoryview(report), len(report), pipe.address)
        if now - self._retarget_at >= RETARGET_INTERVAL_S:
            self._retarget_at = now
            for room in self.rooms.values():
                for publication in room.publications.values():
                    self._retarget(publication, now)
        if now - self._speakers_at >= SPEAKERS_INTERVAL_S:
            self._speakers_at = now
            for room in self.rooms.values():
                speakers = room.speakers.poll(room.publications, now)
                if speakers is not None:
                    self._notices.append(m.Speaking(room.id, speakers))
        if now - self._quality_at >= QUALITY_INTERVAL_S:
            interval = now - self._quality_at if self._quality_at else QUALITY_INTERVAL_S
            self._quality_at = now
            self._report_quality(interval)

    def notices(self) -> list[m.Notice]:
        """Return and forget what the control plane is to be told."""
        notices, self._notices = self._notices, []
        return notices

    def _retarget(self, publication: Publication, now: float) -> None:
        for subscription in list(publication.subscriptions):
            subscription.retarget(now)
        for layer in publication.layers:
            if layer.waiting and publication.kind == "video":
                layer.keyframes.want()

    def _report_quality(self, interval_s: float) -> None:
        for publisher in self._publishers.values():
            if publisher.peer.connected:
                loss, bitrate = publisher.quality(interval_s)
                self._notices.append(m.PeerQuality(publisher.peer.id, None, round(loss, 2), 0.0, bitrate, 0))
        for subscriber in self._subscribers.values():
            if subscriber.peer.connected:
                loss, bitrate = subscriber.quality(interval_s)
                rtt_ms = None if subscriber.rtt_s is None else round(subscriber.rtt_s * 1000, 1)
                self._notices.append(m.PeerQuality(subscriber.peer.id, rtt_ms, 0.0, round(loss, 2), 0, bitrate))

    def _drain(self, peer: Peer) -> None:
        """Send what a peer has to send and act on what happened to it."""
        for datagram, address in peer.datagrams_to_send():
            self._outlet.send(memoryview(datagram), len(datagram), address)
        for event in peer.events():
            match event:
                case Connected(profile):
                    self._notices.append(m.PeerConnected(peer.id, profile))
                    subscriber = self._subscribers.get(peer.id)
                    if subscriber is not None:
                        subscriber.activate()
                        self._retarget_at = 0.0
                case Closed(reason):
                    self._notices.append(m.PeerClosed(peer.id, reason))
                    self._remove_peer(peer.id)
                case Moved():
                    pass  # the peer's `address` already says so

    # --- commands -------------------------------------------------------------------------------------------------

    def execute(self, command: m.Command, now: float) -> m.Result:
        """Carry out one command of the control plane. Bad SDP and unknown names are answered with `Failed`."""
        try:
            match command:
                case m.OpenRoom():
                    self.rooms.setdefault(command.room, Room(command.room))
                case m.CloseRoom():
                    self._close_room(command.room)
                case m.Publish():
                    return self._publish(command, now)
                case m.OpenSubscriber():
                    self._open_subscriber(command, now)
                case m.Subscribe():
                    self._subscribe(self._subscriber(command.peer), command.publications)
                case m.Unsubscribe():
                    subscriber = self._subscriber(command.peer)
                    for publication in command.publications:
                        subscriber.remove(publication)
                    self._offer(subscriber)
                case m.SubscriberAnswer():
                    self._answer(command)
                case m.SelectLayer():
                    self._select_layer(command, now)
                case m.PausePublication():
                    self._pause(command, now)
                case m.ClosePeer():
                    self._remove_peer(command.peer)
                case m.WatchPublication():
                    return self._watch(command, now)
                case m.OpenPipe():
                    self._open_pipe(command)
                case m.ClosePipe():
                    self._close_pipe(command.pipe)
                case _:
                    return m.Failed("unknown_command", f"a media worker has no command {type(command).__name__}")
        except NegotiationError as error:
            return m.Failed(error.code, str(error))
        except MalformedPacketError as error:
            return m.Failed("sdp_invalid", str(error))
        except LookupError as error:
            return m.Failed("not_found", f"there is no {error}")
        return m.Done()

    def _room(self, room: RoomId) -> Room:
        if room not in self.rooms:
            raise LookupError(f"room {room}")
        return self.rooms[room]

    def _subscriber(self, peer: PeerId) -> SubscriberPeer:
        if peer not in self._subscribers:
            raise LookupError(f"subscriber peer {peer}")
        return self._subscribers[peer]

    def _publication(self, publication: PublicationId) -> tuple[Room, Publication]:
        for room in self.rooms.values():
            if publication in room.publications:
                return room, room.publications[publication]
        raise LookupError(f"publication {publication}")

    def _new_peer(self, peer: PeerId, now: float) -> Peer:
        if len(self._peers) >= MAX_PEERS:
            raise NegotiationError("worker_full", f"this worker already has {MAX_PEERS} peers")
        random_bytes = self._options.random_bytes
        made = Peer(
            peer,
            ufrag=random_bytes(12).hex(),
            password=random_bytes(16).hex(),
            certificate=self._options.certificate,
            now=now,
            consent_timeout_s=self._options.consent_timeout_s,
        )
        self._peers[peer] = made
        self._by_ufrag[made.ufrag] = made
        return made

    def _local(self, peer: Peer) -> LocalTransport:
        return LocalTransport(
            peer.ufrag, peer.password, self._options.certificate.fingerprint, list(self._options.candidates)
        )

    def _random_ssrc(self) -> int:
        return int.from_bytes(self._options.random_bytes(4), "big") or 1

    def _publish(self, command: m.Publish, now: float) -> m.Result:
        room = self._room(command.room)
        publisher = self._publishers.get(command.peer)
        peer = publisher.peer if publisher is not None else None
        new = peer is None
        if peer is None:
            peer = self._new_peer(command.peer, now)
        allowed = {track.mid: track.source for track in command.tracks}
        try:
            agreement = answer_publisher(command.sdp, local=self._local(peer), allowed=allowed)
        except (NegotiationError, MalformedPacketError):
            if new:
                self._remove_peer(peer.id)
            raise
        if publisher is None:
            publisher = PublisherPeer(command.room, command.participant, peer)
            self._publishers[command.peer] = publisher
        peer.set_remote(agreement.remote.ufrag, agreement.remote.fingerprints)
        ids = {track.mid: track.publication for track in command.tracks}
        for gone in publisher.agree(agreement.tracks, ids):
            self._end_publication(room, gone)
        room.publications.update(publisher.publications)
        self._drain(peer)
        return m.SessionDescription(agreement.answer_sdp)

    def _open_subscriber(self, command: m.OpenSubscriber, now: float) -> None:
        self._room(command.room)
        if command.peer in self._subscribers:
            return
        peer = self._new_peer(command.peer, now)
        session = SubscriberSession(self._local(peer))
        self._subscribers[command.peer] = SubscriberPeer(
            command.room, command.participant, peer, session, self._random_ssrc
        )

    def _subscribe(self, subscriber: SubscriberPeer, publications: list[PublicationId]) -> None:
        room = self._room(subscriber.room)
        for name in publications:
            publication = room.publications.get(name)
            if publication is not None and publication.participant != subscriber.participant:
                subscriber.add(publication)
        self._offer(subscriber)

    def _offer(self, subscriber: SubscriberPeer) -> None:
        offer = subscriber.offer()
        if offer is not None:
            sdp, tracks = offer
            self._notices.append(
                m.SubscriberOffer(
                    subscriber.peer.id,
                    subscriber.revision,
                    sdp,
                    [m.SubscriberTrack(mid, publication) for mid, publication in tracks],
                )
            )

    def _answer(self, command: m.SubscriberAnswer) -> None:
        subscriber = self._subscriber(command.peer)
        if command.revision != subscriber.revision or subscriber.answered:
            raise NegotiationError("stale_answer", f"no offer of revision {command.revision} is open")
        subscriber.answer(command.sdp)
        self._retarget_at = 0.0
        self._drain(subscriber.peer)
        self._offer(subscriber)

    def _watch(self, command: m.WatchPublication, now: float) -> m.Result:
        room = self._room(command.room)
        publications = [room.publications[name] for name in command.publications if name in room.publications]
        remote, sections = viewer_sections(command.sdp)
        peer = self._new_peer(command.peer, now)
        subscriber = SubscriberPeer(command.room, command.participant, peer, None, self._random_ssrc)

        def choose(section: ViewerSection) -> SendTrack | None:
            for publication in publications:
                numbers = section.payload_types.get(publication.codec)
                if numbers is not None and publication.kind == section.kind:
                    publications.remove(publication)
                    subscriber.add(publication, *numbers)
                    return subscriber.send_track(section.mid, publication.id)
            return None

        answer = answer_viewer(self._local(peer), sections, choose)
        self._subscribers[command.peer] = subscriber
        peer.set_remote(remote.ufrag, remote.fingerprints)
        for subscription in subscriber.subscriptions.values():
            subscription.active = True
        return m.SessionDescription(answer)

    def _select_layer(self, command: m.SelectLayer, now: float) -> None:
        subscriber = self._subscriber(command.peer)
        subscription = subscriber.subscriptions.get(command.publication)
        if subscription is None:
            raise LookupError(f"subscription to {command.publication}")
        if command.rid is not None and subscription.publication.layer(command.rid) is None:
            raise LookupError(f"layer {command.rid}")
        subscription.wished_rid = command.rid
        subscription.retarget(now)

    def _pause(self, command: m.PausePublication, now: float) -> None:
        _, publication = self._publication(command.publication)
        for layer in publication.layers:
            self._flush_layer(layer)
        publication.paused = command.paused
        self._retarget(publication, now)

    def _open_pipe(self, command: m.OpenPipe) -> None:
        room = self._room(command.room)
        publication = room.publications.get(command.spec.publication)
        if publication is None:
            raise LookupError(f"publication {command.spec.publication}")
        self._close_pipe(command.spec.pipe)
        pipe = Pipe(command.spec, command.address, publication, self._random_ssrc())
        self._pipes[command.spec.pipe] = pipe
        self._pipe_by_ssrc[command.spec.ssrc] = pipe
        self._retarget_at = 0.0

    def _close_pipe(self, name: PipeId) -> None:
        pipe = self._pipes.pop(name, None)
        if pipe is not None:
            self._pipe_by_ssrc.pop(pipe.spec.ssrc, None)
            pipe.close()

    # --- ends -----------------------------------------------------------------------------------------------------

    def _started(self, publication: Publication, now: float) -> None:
        layers = [layer.rid for layer in publication.layers if layer.rid]
        self._notices.append(
            m.PublicationStarted(
                publication.id,
                publication.kind,
                publication.codec,
                publication.clock_rate,
                publication.channels,
                layers,
            )
        )
        self._retarget(publication, now)

    def _end_publication(self, room: Room, publication: Publication) -> None:
        room.publications.pop(publication.id, None)
        room.speakers.remove(publication.id)
        for name, pipe in list(self._pipes.items()):
            if pipe.subscription.publication is publication:
                self._close_pipe(name)
        for subscriber in self._subscribers.values():
            subscriber.remove(publication.id)
            self._offer(subscriber)
        self._notices.append(m.PublicationEnded(publication.id))

    def _remove_peer(self, name: PeerId) -> None:
        peer = self._peers.pop(name, None)
        publisher = self._publishers.pop(name, None)
        subscriber = self._subscribers.pop(name, None)
        if publisher is not None:
            room = self.rooms.get(publisher.room)
            for publication in publisher.publications.values():
                if room is not None:
                    self._end_publication(room, publication)
        if subscriber is not None:
            subscriber.close()
        if peer is None:
            return
        peer.close()
        for datagram, address in peer.datagrams_to_send():
            self._outlet.send(memoryview(datagram), len(datagram), address)
        self._by_ufrag.pop(peer.ufrag, None)
        for address in peer.addresses:
            if self._by_address.get(address) is peer:
                del self._by_address[address]
                self._publisher_by_address.pop(address, None)

    def _close_room(self, name: RoomId) -> None:
        if name not in self.rooms:
            return
        for peer, publisher in list(self._publishers.items()):
            if publisher.room == name:
                self._remove_peer(peer)
        for peer, subscriber in list(self._subscribers.items()):
            if subscriber.room == name:
                self._remove_peer(peer)
        del self.rooms[name]

    @property
    def counts(self) -> dict[str, float]:
        """Gauges for the operator."""
        return {
            "rooms": len(self.rooms),
            "peers": len(self._peers),
            "pipes": len(self._pipes),
            "packets_forwarded": self.forwarder.packets_forwarded,
            "datagrams_dropped": self.dropped,
        }
