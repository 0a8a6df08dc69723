"""The path to one receiver: how much it carries by the receiver's feedback, and who gets which layer of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.congestion.estimator import Estimator
from sfu.congestion.sent import SentLog
from sfu.errors import MalformedPacketError
from sfu.rooms.allocation import Demand, allocate, wanted_bps
from sfu.streams.layers import living
from sfu.wire import twcc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from control.ids import ParticipantId
    from sfu.congestion.probe import Cluster
    from sfu.peer.peer import Peer
    from sfu.rooms.forward import Forwarder
    from sfu.rooms.subscription import Subscription

DOUBT_S = 20.0
"""So long after the path was last found too narrow, nothing is tried on it that the estimate does not allow."""
RELAXED_S = 0.4
"""How often feedback is looked at while all is well."""
MIN_AUDIO_BPS = 40_000.0
MIN_LAYER_BPS = 30_000.0
PADDING_OVERHEAD = 36
"""Header, extension and tag of a packet of padding."""


class Downlink:
    """Congestion control of one receiver. Feed it with feedback, call `allot` every 100 ms, `probe` as it says."""

    def __init__(self, peer: Peer, extension: int, now: float) -> None:
        self._peer = peer
        self.log = peer.log = SentLog()
        peer.sequence_extension = extension
        self.estimator = Estimator(now)
        self.is_known = False
        """Whether there was feedback, so that the estimate means something."""
        self._wanted_bps = float("inf")
        self._cluster: Cluster | None = None

    def feedback(self, body: bytes, now: float) -> bool:
        """Take the body of a transport-wide feedback message; return False when it makes no sense."""
        try:
            _, reference_us, packets = twcc.parse(body)
        except MalformedPacketError:
            return False
        self.is_known = True
        results = self.log.acknowledged(reference_us, packets)
        self.estimator.feedback(results, now, self.log.skipped_bytes)
        return True

    def spares_feedback(self, now: float) -> bool:
        """Return whether a feedback message need not be looked at: all is well, and another comes soon.

        Browsers send twenty a second; to read them all would cost as much as to forward what they speak of.
        """
        estimator = self.estimator
        return (
            now - estimator.fed_at < RELAXED_S
            and self._cluster is None
            and estimator.target_bps > self._wanted_bps
            and now - estimator.congested_at > DOUBT_S
            and estimator.is_calm
        )

    @property
    def is_probing(self) -> bool:
        """Whether `probe` is to be called every few milliseconds."""
        return self._cluster is not None

    def allot(
        self, subscriptions: Iterable[Subscription], speaking: Collection[ParticipantId], now: float
    ) -> list[tuple[Subscription, bool]]:
        """Choose the layer of every subscription; return those that got another one, and whether they had none."""
        audio_bps = 0.0
        videos: list[tuple[Subscription, list[int]]] = []
        demands: list[Demand] = []
        for subscription in subscriptions:
            publication = subscription.publication
            if not subscription.active or publication.paused:
                continue
            if publication.kind == "audio":
                audio_bps += max(MIN_AUDIO_BPS, publication.layers[0].bitrate_bps)
                continue
            alive = living(publication.layers, subscription.wished_rid, now)
            if not alive:
                continue
            target = subscription.target
            present = publication.layers.index(target) if target is not None else None
            demand = Demand(
                [max(MIN_LAYER_BPS, publication.layers[position].bitrate_bps) for position in alive],
                None if present is None else sum(position < present for position in alive),
                may_rise=subscription.patience.may_rise(now),
                priority=0 if publication.source == "screen" else 1 if publication.participant in speaking else 2,
            )
            videos.append((subscription, alive))
            demands.append(demand)
        self._wanted_bps = wanted_bps(demands) + audio_bps
        chosen = allocate(demands, self.estimator.target_bps - audio_bps)
        changed = []
        trusting = now - self.estimator.congested_at > DOUBT_S
        for (subscription, alive), demand, position in zip(videos, demands, chosen, strict=True):
            if position is None and trusting and (demand.present is not None or demand.may_rise):
                position = len(alive) - 1  # nothing speaks against it, and trying is how one finds out
            gone = subscription.allotted is not None and subscription.allotted not in alive
            had_no_room = subscription.has_no_room
            if subscription.allot(None if position is None else alive[position], now, forced=gone):
                changed.append((subscription, had_no_room))
        if self._cluster is None and any(subscription.rtx is not None for subscription, _ in videos):
            self._cluster = self.estimator.probe(self._wanted_bps, now)
            self._peer.probe = 0 if self._cluster is None else self._cluster.number
        return changed

    def probe(self, subscriptions: Iterable[Subscription], forwarder: Forwarder, now: float) -> bool:
        """Send what is due of a burst: packets that the receiver has already, or padding. Return whether it goes on."""
        cluster = self._cluster
        if cluster is None:
            return False
        carriers = [each for each in subscriptions if each.rtx is not None and each.active]
        carrier = next((each for each in carriers if each.layer is not None), carriers[0] if carriers else None)
        due = max(1.0, cluster.rate_bps / 8 * (now - cluster.started_at))
        back = cluster.sent_packets
        while carrier is not None and cluster.sent_bytes < due and not cluster.complete:
            size = self._again(carrier, back, cluster.bytes - cluster.sent_bytes, forwarder, now)
            if not size:
                carrier = None
            cluster.sent_bytes += size
            cluster.sent_packets += 1
            back += 1
        if carrier is None or cluster.complete:
            self._cluster = None
            self._peer.probe = 0
        return self._cluster is not None

    def _again(self, carrier: Subscription, back: int, wanted: int, forwarder: Forwarder, now: float) -> int:
        """Send one packet of a probe; return its size, 0 when there is no way to."""
        layer = carrier.layer
        size = max(1, min(255, wanted // 2 - PADDING_OVERHEAD))
        if layer is not None:
            index = layer.highest - back
            packet = layer.store.get(index) if index >= carrier.base_index else None
            if packet is not None and len(packet[3]) > size:
                outgoing = index + carrier.index_offset
                return forwarder.send_retransmission(carrier, packet, outgoing, carrier.timestamp_offset, now)
        return forwarder.send_padding(carrier, size, now)
