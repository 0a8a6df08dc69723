"""Who is in the rooms of one media worker: peers by name, ufrag and address, pipes; and how each of them ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control import messages as m
from control.ids import PeerId, PipeId, PublicationId, RoomId
from control.pipes import PipeSpec
from sfu.errors import NegotiationError
from sfu.machines.certificate import Certificate
from sfu.machines.negotiation import LocalTransport
from sfu.peer.peer import Closed, Connected, Peer
from sfu.rooms.outlet import Outlet
from sfu.rooms.pipe import Pipe
from sfu.rooms.publication import Publication
from sfu.rooms.publisher import PublisherPeer
from sfu.rooms.refusals import Refusals
from sfu.rooms.room import Room
from sfu.rooms.subscriber import SubscriberPeer
from sfu.units import Address

MAX_PEERS = 2000
MAX_ADDRESSES = 16
"""Addresses of one peer: a computer with several networks, each with IPv4 and IPv6."""


@dataclass(slots=True, frozen=True)
class EngineOptions:
    """What does not change while the worker runs."""

    certificate: Certificate
    candidates: list[tuple[str, int, str]]
    """(address, port, "udp") told to browsers."""
    random_bytes: Callable[[int], bytes]
    consent_timeout_s: float = 15.0


class Roster:
    """Rooms, peers and pipes, found by whatever a datagram or a command names them by."""

    def __init__(self, options: EngineOptions, outlet: Outlet, refusals: Refusals) -> None:
        self._options = options
        self._outlet = outlet
        self.refusals = refusals
        self.rooms: dict[RoomId, Room] = {}
        self.publishers: dict[PeerId, PublisherPeer] = {}
        self.subscribers: dict[PeerId, SubscriberPeer] = {}
        self.peers: dict[PeerId, Peer] = {}
        self.pipes: dict[PipeId, Pipe] = {}
        self.notices: list[m.Notice] = []
        """What the control plane is to be told."""
        self.retarget_due = False
        """Whether somebody became able to receive: layers are to be chosen soon."""
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[Address, Peer] = {}
        self._publisher_by_address: dict[Address, PublisherPeer] = {}
        self._pipe_by_ssrc: dict[int, Pipe] = {}

    # --- finding --------------------------------------------------------------------------------------------------

    def of_ufrag(self, ufrag: str | None) -> Peer | None:
        """Return the peer that a Binding request is meant for."""
        return self._by_ufrag.get(ufrag) if ufrag is not None else None

    def at(self, address: Address) -> Peer | None:
        """Return the peer from whose address an authenticated request came."""
        return self._by_address.get(address)

    def publisher_at(self, address: Address) -> PublisherPeer | None:
        """Return the same, if it publishes."""
        return self._publisher_by_address.get(address)

    def pipe_of(self, ssrc: int) -> Pipe | None:
        """Return the pipe that carries an SSRC."""
        return self._pipe_by_ssrc.get(ssrc)

    def room(self, room: RoomId) -> Room:
        """Return a room; raises LookupError, as the next two do."""
        if room not in self.rooms:
            raise LookupError(f"room {room}")
        return self.rooms[room]

    def subscriber(self, peer: PeerId) -> SubscriberPeer:
        """Return a subscriber by the name of its peer."""
        if peer not in self.subscribers:
            raise LookupError(f"subscriber peer {peer}")
        return self.subscribers[peer]

    def publication(self, publication: PublicationId) -> tuple[Room, Publication]:
        """Return a publication and its room."""
        for room in self.rooms.values():
            if publication in room.publications:
                return room, room.publications[publication]
        raise LookupError(f"publication {publication}")

    # --- coming ---------------------------------------------------------------------------------------------------

    def new_peer(self, peer: PeerId, now: float) -> Peer:
        """Make a peer; raises NegotiationError when the worker is full."""
        if len(self.peers) >= MAX_PEERS:
            raise NegotiationError("worker_full", f"this worker already has {MAX_PEERS} peers")
        random_bytes = self._options.random_bytes
        made = Peer(
            peer,
            ufrag=random_bytes(12).hex(),
            password=random_bytes(16).hex(),
            certificate=self._options.certificate,
            random_bytes=random_bytes,
            now=now,
            consent_timeout_s=self._options.consent_timeout_s,
        )
        self.peers[peer] = made
        self._by_ufrag[made.ufrag] = made
        return made

    def restart_ice(self, name: PeerId, ufrag: str, password: str) -> Peer:
        """Give a peer new credentials of ours for the browser's new ones; raises LookupError."""
        if name not in self.peers:
            raise LookupError(f"peer {name}")
        peer = self.peers[name]
        random_bytes = self._options.random_bytes
        for stale in peer.restart_ice(random_bytes(12).hex(), random_bytes(16).hex(), ufrag, password):
            del self._by_ufrag[stale]
        self._by_ufrag[peer.ufrag] = peer
        return peer

    def local(self, peer: Peer) -> LocalTransport:
        """Return our end of a peer's transport."""
        return LocalTransport(
            peer.ufrag, peer.password, self._options.certificate.fingerprint, list(self._options.candidates)
        )

    def random_ssrc(self) -> int:
        """Return 32 random bits that are not 0."""
        return int.from_bytes(self._options.random_bytes(4), "big") or 1

    def arrived(self, peer: Peer, address: Address) -> None:
        """Note the address of an authenticated request; the oldest one of too many is forgotten."""
        if self._by_address.get(address) is peer:
            return
        if len(peer.addresses) > MAX_ADDRESSES:
            others = (each for each in peer.addresses if each not in (address, peer.address))
            self._forget(peer, min(others, key=peer.addresses.__getitem__))
        self._by_address[address] = peer
        publisher = self.publishers.get(peer.id)
        if publisher is not None:
            self._publisher_by_address[address] = publisher
        else:
            self._publisher_by_address.pop(address, None)

    def _forget(self, peer: Peer, address: Address) -> None:
        del peer.addresses[address]
        if self._by_address.get(address) is peer:
            del self._by_address[address]
            self._publisher_by_address.pop(address, None)

    def open_pipe(self, spec: PipeSpec, address: Address, publication: Publication) -> None:
        """Begin a pipe; one of the same name ends."""
        self.close_pipe(spec.pipe)
        pipe = Pipe(spec, address, publication, self.random_ssrc())
        self.pipes[spec.pipe] = pipe
        self._pipe_by_ssrc[spec.ssrc] = pipe
        self.retarget_due = True

    # --- what peers have to say -----------------------------------------------------------------------------------

    def drain(self, peer: Peer) -> None:
        """Send what a peer has to send and act on what happened to it."""
        for datagram, address in peer.datagrams_to_send():
            self._outlet.send(memoryview(datagram), len(datagram), address)
        for event in peer.events():
            match event:
                case Connected(profile):
                    self.notices.append(m.PeerConnected(peer.id, profile))
                    subscriber = self.subscribers.get(peer.id)
                    if subscriber is not None:
                        subscriber.activate()
                        self.retarget_due = True
                case Closed(reason):
                    self.notices.append(m.PeerClosed(peer.id, reason))
                    self.remove_peer(peer.id)

    def offer(self, subscriber: SubscriberPeer) -> None:
        """Send a subscriber's next offer, when one is due."""
        offer = subscriber.offer()
        if offer is not None:
            sdp, tracks = offer
            self.notices.append(
                m.SubscriberOffer(
                    subscriber.peer.id,
                    subscriber.revision,
                    sdp,
                    [m.SubscriberTrack(mid, publication) for mid, publication in tracks],
                )
            )

    # --- ends -----------------------------------------------------------------------------------------------------

    def close_pipe(self, name: PipeId) -> None:
        """End a pipe; unknown ones are no error."""
        pipe = self.pipes.pop(name, None)
        if pipe is not None:
            self._pipe_by_ssrc.pop(pipe.spec.ssrc, None)
            pipe.close()

    def end_publication(self, room: Room, publication: Publication) -> None:
        """End a publication with everything that it goes to."""
        room.publications.pop(publication.id, None)
        room.speakers.remove(publication.id)
        for name, pipe in list(self.pipes.items()):
            if pipe.subscription.publication is publication:
                self.close_pipe(name)
        for subscriber in self.subscribers.values():
            subscriber.remove(publication.id)
            self.offer(subscriber)
        self.notices.append(m.PublicationEnded(publication.id))

    def remove_peer(self, name: PeerId) -> None:
        """End a peer; unknown ones are no error."""
        peer = self.peers.pop(name, None)
        publisher = self.publishers.pop(name, None)
        subscriber = self.subscribers.pop(name, None)
        if publisher is not None:
            room = self.rooms.get(publisher.room)
            for publication in publisher.publications.values():
                if room is not None:
                    self.end_publication(room, publication)
        if subscriber is not None:
            subscriber.close()
        if peer is None:
            return
        peer.close()
        for datagram, address in peer.datagrams_to_send():
            self._outlet.send(memoryview(datagram), len(datagram), address)
        for ufrag in peer.ufrags:
            self._by_ufrag.pop(ufrag, None)
        for address in list(peer.addresses):
            self._forget(peer, address)

    def close_room(self, name: RoomId) -> None:
        """End a room with everybody in it; unknown ones are no error."""
        if name not in self.rooms:
            return
        for peer, publisher in list(self.publishers.items()):
            if publisher.room == name:
                self.remove_peer(peer)
        for peer, subscriber in list(self.subscribers.items()):
            if subscriber.room == name:
                self.remove_peer(peer)
        del self.rooms[name]
