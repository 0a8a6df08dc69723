"""Where packets go: from a publisher's layer to everybody who receives it, in groups."""

from __future__ import annotations

from control import messages as m
from sfu.rooms.forward import Forwarder
from sfu.rooms.publication import Layer, Publication
from sfu.rooms.publisher import PublisherPeer
from sfu.rooms.roster import Roster
from sfu.wire.payloads.pictures import PictureNumbers


class Router:
    """Groups the packets of a batch by layer and hands them to the hot path."""

    def __init__(self, roster: Roster, forwarder: Forwarder) -> None:
        self._roster = roster
        self.forwarder = forwarder
        self._touched: list[Layer] = []
        self._holes = False
        self._now = 0.0

    def route(
        self, publisher: PublisherPeer, received: tuple[Layer, int, int, int, bytes, int | None], now: float
    ) -> None:
        """Take a packet as `PublisherPeer.receive_rtp` returns it. Call `flush` after the last one of a batch."""
        layer, index, timestamp, bits, payload, level = received
        self._now = now
        publication = layer.publication
        store = layer.store
        if index in store:
            return
        if layer.nack.received(index, now) and publication.kind == "video":
            layer.keyframes.want()
        if layer.pictures is not None:
            payload = layer.pictures.renumber(index, payload)
        packet = (index, timestamp, bits, payload)
        store.add(packet)
        layer.last_packet_at = now
        if not publication.started:
            publication.started = True
            self._started(publication, now)
        if level is not None:
            self._roster.rooms[publisher.room].speakers.level(
                publication, level if not publication.paused else -127, now
            )
        if index != layer.highest + 1:
            self._holes = True
        if index <= layer.highest:
            for subscription in layer.subscribers:
                if index >= subscription.base_index:
                    self.forwarder.send_packet(subscription, packet, now)
                    subscription.packets += 1
                    subscription.octets += len(payload)
            return
        if layer.waiting or layer.keyframes.wanted:
            is_keyframe = publication.is_keyframe
            if is_keyframe is None or (payload and is_keyframe(payload)):
                layer.keyframes.arrived()
                self.flush_layer(layer)
                layer.highest = index - 1
                if layer.pictures is not None and layer.waiting:
                    payload = layer.pictures.go_on(index, payload, self._pictures_seen(layer))
                    packet = (index, timestamp, bits, payload)
                    store.add(packet)
                for subscription in list(layer.waiting):
                    if subscription.layer is not None and subscription.layer.pending:
                        self.flush_layer(subscription.layer)
                    subscription.switch(layer, index, timestamp)
        layer.highest = index
        layer.newest_timestamp = timestamp
        if layer.subscribers:
            pending = layer.pending
            if not pending:
                self._touched.append(layer)
            pending.append(packet)

    def flush(self) -> bool:
        """Forward what the batch brought; return whether packets are missing."""
        holes, self._holes = self._holes, False
        touched = self._touched
        if touched:
            for layer in touched:
                self.flush_layer(layer)
            touched.clear()
        self.forwarder.flush()
        return holes

    def flush_layer(self, layer: Layer) -> None:
        """Forward what waits of one layer."""
        pending = layer.pending
        if pending:
            layer.pending = []
            self.forwarder.forward(layer, pending, self._now)

    def retarget(self, publication: Publication, now: float) -> None:
        """Choose the layers of everybody who receives a publication."""
        for subscription in list(publication.subscriptions):
            subscription.retarget(now)
        for layer in publication.layers:
            if layer.waiting and publication.kind == "video":
                layer.keyframes.want()

    def _pictures_seen(self, layer: Layer) -> list[PictureNumbers]:
        """Return the newest pictures that those have seen who change to a layer, and those who are on it."""
        seen = [subscription.pictures_sent() for subscription in layer.waiting]
        if layer.subscribers:
            seen.append(layer.newest_pictures())
        return [numbers for numbers in seen if numbers is not None]

    def _started(self, publication: Publication, now: float) -> None:
        layers = [layer.rid for layer in publication.layers if layer.rid]
        self._roster.notices.append(
            m.PublicationStarted(
                publication.id,
                publication.kind,
                publication.codec,
                publication.clock_rate,
                publication.channels,
                layers,
            )
        )
        self.retarget(publication, now)
