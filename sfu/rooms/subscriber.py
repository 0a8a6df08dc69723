"""A peer that receives: its subscriptions, the offers to it, and what its RTCP says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.ids import ParticipantId, PublicationId, RoomId
from sfu.machines.negotiation import H264_FMTP, SendTrack, SubscriberSession
from sfu.machines.payload_types import PAYLOAD_TYPES, RTX_PAYLOAD_TYPES
from sfu.peer.peer import Peer
from sfu.rooms.downlink import Downlink
from sfu.rooms.policing import MAX_RETRANSMISSIONS, retransmissions
from sfu.rooms.publication import Layer
from sfu.rooms.refusals import Refusals
from sfu.rooms.subscription import Subscription
from sfu.serial import unwrap
from sfu.units import ntp_from_unix, ntp_middle
from sfu.wire import rtcp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sfu.congestion.allowance import Allowance
    from sfu.rooms.forward import Forwarder
    from sfu.rooms.publication import Publication

SEQUENCE_EXTENSION = 3
"""Our id of the transport-wide sequence number in offers."""
SENDER_REPORT_INTERVAL_S = 1.0
RETRANSMISSION_INTERVAL_S = 0.02
"""The same packet is not sent again to the same subscriber within this time."""
MAX_REMEMBERED = 2048
"""Packets sent again whose times are remembered, as many as a store of video holds."""


def sender_report(subscription: Subscription, at_s: float) -> bytes | None:
    """Return a sender report (RFC 3550 section 6.4.1) of a flowing subscription in the server's clock, with CNAME."""
    layer = subscription.layer
    if layer is None or not layer.clock.known or not subscription.packets:
        return None
    timestamp = (layer.clock.timestamp_at(at_s) + subscription.timestamp_offset) & 0xFFFFFFFF
    report = rtcp.SenderReport(
        subscription.ssrc,
        ntp_from_unix(at_s),
        timestamp,
        subscription.packets & 0xFFFFFFFF,
        subscription.octets & 0xFFFFFFFF,
        [],
    )
    cname = rtcp.SourceDescription([(subscription.ssrc, subscription.publication.participant)])
    return report.serialize() + cname.serialize()


class Repairs:
    """What one receiver gets again of one subscription, and no more of it than its share."""

    __slots__ = ("_allowance", "_sent")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._sent: dict[int, tuple[float, int]] = {}
        """When and how often a packet (outgoing index) was sent again, the latest ones last."""

    def retransmit(self, subscription: Subscription, lost: list[int], now: float, forwarder: Forwarder) -> bool:
        """Send again what the receiver misses, from the layer's store (RFC 4588, or as it was where there is no RTX).

        Return False when the share is used up.
        """
        sent = self._sent
        newest = subscription.newest_index
        for sequence_number in lost:
            outgoing = unwrap(sequence_number, newest, 16)
            at, times = sent.get(outgoing, (float("-inf"), 0))
            if outgoing > newest or now - at < RETRANSMISSION_INTERVAL_S or times >= MAX_RETRANSMISSIONS:
                continue
            origin = subscription.rewriter.origin(outgoing)
            if origin is None:
                continue
            seam, index = origin
            packet = seam.source.store.get(index) if isinstance(seam.source, Layer) else None
            if packet is None:
                continue
            if not self._allowance.take(len(packet[3]) + 40, now):
                return False
            sent.pop(outgoing, None)
            sent[outgoing] = now, times + 1
            if len(sent) > MAX_REMEMBERED:
                del sent[next(iter(sent))]
            if subscription.rtx is not None:
                forwarder.send_retransmission(subscription, packet, outgoing, seam.timestamp_offset, now)
            else:
                forwarder.send_mapped(subscription, packet, outgoing, seam.timestamp_offset, now)
        return True


class SubscriberPeer:
    """A receiving browser. Sections of its offers are reused when a subscription ends."""

    def __init__(
        self,
        room: RoomId,
        participant: ParticipantId,
        peer: Peer,
        session: SubscriberSession | None,
        random_ssrc: Callable[[], int],
        refusals: Refusals,
    ) -> None:
        self.room = room
        self.participant = participant
        self.peer = peer
        self.session = session
        """None for a viewer by WHEP, which offers once and is answered."""
        self.subscriptions: dict[PublicationId, Subscription] = {}
        self.rtt_s: float | None = None
        self.revision = 0
        self.answered = True
        """Whether no offer is open."""
        self.changed = False
        """Whether subscriptions changed since the last offer."""
        self._random_ssrc = random_ssrc
        self._sections: list[PublicationId | None] = []
        self._reported_at = 0.0
        self._by_ssrc: dict[int, Subscription] = {}
        self._repairs: dict[int, Repairs] = {}
        self._retransmissions = retransmissions()
        self._refusals = refusals
        self._quality = 0
        self.downlink: Downlink | None = None
        """Congestion control; None towards who gives no transport-wide feedback."""

    # --- subscriptions --------------------------------------------------------------------------------------------

    def add(
        self, publication: Publication, payload_type: int | None = None, rtx_payload_type: int | None = None
    ) -> None:
        """Subscribe to a publication. Payload types are ours, or those of the viewer's own offer (WHEP)."""
        if publication.id in self.subscriptions:
            return
        video = publication.kind == "video"
        if payload_type is None:
            payload_type = PAYLOAD_TYPES[publication.codec]
            rtx_payload_type = RTX_PAYLOAD_TYPES.get(publication.codec)
        subscription = Subscription(
            publication,
            self.peer,
            ssrc=self._random_ssrc(),
            payload_type=payload_type,
            rtx_ssrc=self._random_ssrc() if video and rtx_payload_type is not None else None,
            rtx_payload_type=rtx_payload_type if video else None,
            first_index=self._random_ssrc() & 0x3FFF,
            first_timestamp=self._random_ssrc(),
        )
        self.subscriptions[publication.id] = subscription
        self._by_ssrc[subscription.ssrc] = subscription
        self._repairs[subscription.ssrc] = Repairs(self._retransmissions)
        publication.subscriptions.append(subscription)
        self.changed = True

    def remove(self, publication: PublicationId) -> None:
        """End a subscription."""
        subscription = self.subscriptions.pop(publication, None)
        if subscription is None:
            return
        subscription.active = False
        subscription.leave()
        subscription.publication.subscriptions.remove(subscription)
        self._by_ssrc.pop(subscription.ssrc, None)
        self._repairs.pop(subscription.ssrc, None)
        self.changed = True

    def close(self) -> None:
        """End everything."""
        for publication in list(self.subscriptions):
            self.remove(publication)
        self.peer.close()

    # --- negotiation ----------------------------------------------------------------------------------------------

    def offer(self) -> tuple[str, list[tuple[str, PublicationId]]] | None:
        """Return the next offer and its (mid, publication)s, or None when none is due."""
        if self.session is None or not self.changed or not self.answered:
            return None
        sections = self._sections
        for position, name in enumerate(sections):
            if name is not None and name not in self.subscriptions:
                sections[position] = None
        placed = set(sections)
        for name, subscription in self.subscriptions.items():
            if name in placed:
                continue
            kind = subscription.publication.kind
            for position, other in enumerate(sections):
                if other is None and self.session.kinds[position] == kind:
                    sections[position] = name
                    break
            else:
                sections.append(name)
        if not sections:
            return None
        tracks = [
            None if name is None else self.send_track(str(position), name) for position, name in enumerate(sections)
        ]
        sdp = self.session.offer(tracks)
        self.revision += 1
        self.answered = False
        self.changed = False
        return sdp, [(track.mid, PublicationId(track.track_id)) for track in tracks if track is not None]

    def answer(self, sdp: str, now: float) -> None:
        """Take the answer to the open offer; raises NegotiationError."""
        assert self.session is not None
        answer = self.session.answer(sdp)
        self.peer.set_remote(answer.remote)
        self.answered = True
        for position, name in enumerate(self._sections):
            if name is not None and (subscription := self.subscriptions.get(name)) is not None:
                subscription.active = answer.accepted.get(str(position), False)
        if answer.gives_feedback:
            self.expect_feedback(SEQUENCE_EXTENSION, now)
        self.activate()

    def expect_feedback(self, extension: int, now: float) -> None:
        """Send transport-wide sequence numbers in this header extension from now on."""
        if self.downlink is None:
            self.downlink = Downlink(self.peer, extension, now)

    def activate(self) -> None:
        """Give keys to subscriptions that were accepted, once there are keys."""
        sender = self.peer.sender
        if sender is None:
            return
        for subscription in self.subscriptions.values():
            if subscription.stream is None:
                subscription.stream = sender.stream(subscription.ssrc)
                if subscription.rtx_ssrc is not None:
                    subscription.rtx = sender.stream(subscription.rtx_ssrc)

    def send_track(
        self, mid: str, name: PublicationId, sequence_extension: int | None = SEQUENCE_EXTENSION
    ) -> SendTrack:
        """Describe a subscription for the section `mid`."""
        subscription = self.subscriptions[name]
        publication = subscription.publication
        return SendTrack(
            mid=mid,
            kind=publication.kind,
            codec=publication.codec,
            payload_type=subscription.payload_type,
            rtx_payload_type=subscription.rtx_payload_type,
            clock_rate=publication.clock_rate,
            channels=publication.channels,
            fmtp=H264_FMTP if publication.codec == "h264" else publication.fmtp,
            ssrc=subscription.ssrc,
            rtx_ssrc=subscription.rtx_ssrc,
            cname=publication.participant,
            stream_id=publication.participant,
            track_id=publication.id,
            sequence_extension=sequence_extension,
        )

    # --- RTCP -----------------------------------------------------------------------------------------------------

    def receive_rtcp(self, packets: list[rtcp.Packet], now: float, at_s: float, forwarder: Forwarder) -> None:
        """Take authenticated RTCP: lost packets, wished keyframes, reports."""
        for packet in packets:
            if isinstance(packet, rtcp.Nack):
                subscription = self._by_ssrc.get(packet.media_ssrc)
                if subscription is not None and not self._repairs[subscription.ssrc].retransmit(
                    subscription, packet.lost, now, forwarder
                ):
                    self._refusals.note("retransmission")
            elif isinstance(packet, rtcp.TransportFeedback):
                if self.downlink is not None and not self.downlink.feedback(packet.body, now):
                    self._refusals.note("malformed")
            elif isinstance(packet, rtcp.Pli):
                self._want_keyframe(packet.media_ssrc, now)
            elif isinstance(packet, rtcp.Fir):
                for ssrc in packet.ssrcs:
                    self._want_keyframe(ssrc, now)
            elif isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in packet.reports:
                    self._reported(block, now, at_s)

    def _want_keyframe(self, ssrc: int, now: float) -> None:
        subscription = self._by_ssrc.get(ssrc)
        if subscription is None or subscription.layer is None or subscription.layer.keyframes.wanted:
            return
        if subscription.keyframe_requests.take(1, now):
            subscription.layer.keyframes.want()
        else:
            self._refusals.note("keyframe_request")

    def _reported(self, block: rtcp.ReportBlock, now: float, at_s: float) -> None:
        subscription = self._by_ssrc.get(block.ssrc)
        if subscription is None:
            return
        if block.lsr:
            rtt = ((ntp_middle(ntp_from_unix(at_s)) - block.lsr - block.dlsr) & 0xFFFFFFFF) / 65536
            if rtt < 10:
                self.rtt_s = rtt if self.rtt_s is None else self.rtt_s + (rtt - self.rtt_s) * 0.3
        subscription.reported(block)
        publication = subscription.publication
        if (
            publication.kind == "video"
            and not subscription.is_allotted
            and subscription.ladder.reported(subscription.lost_reported, now, len(publication.layers))
        ):
            subscription.retarget(now)

    def allot(self, speaking: Collection[ParticipantId], now: float) -> list[tuple[Subscription, bool]]:
        """Choose layers by the estimate, if there is one; return what changed as `Downlink.allot` does."""
        downlink = self.downlink
        if downlink is None or not downlink.is_known:
            return []
        return downlink.allot(self.subscriptions.values(), speaking, now)

    @property
    def is_probing(self) -> bool:
        """Whether `probe` is to be called every 5 ms."""
        return self.downlink is not None and self.downlink.is_probing

    def spares_feedback(self, now: float) -> bool:
        """Return whether transport-wide feedback may be dropped unread (`Downlink.spares_feedback`)."""
        return self.downlink is not None and self.downlink.spares_feedback(now)

    def probe(self, forwarder: Forwarder, now: float) -> bool:
        """Send what is due of a burst that looks for more bandwidth; return whether it goes on."""
        return self.downlink is not None and self.downlink.probe(self.subscriptions.values(), forwarder, now)

    def handle_timeout(self, now: float, at_s: float) -> None:
        """Send sender reports when due."""
        sender = self.peer.sender
        if sender is None or now - self._reported_at < SENDER_REPORT_INTERVAL_S:
            return
        self._reported_at = now
        for subscription in self.subscriptions.values():
            report = sender_report(subscription, at_s)
            if report is not None:
                self.peer.send(sender.protect_rtcp(report))

    def quality(self, interval_s: float) -> tuple[float, int]:
        """Return (percent lost as reported, bit/s sent since the last call)."""
        flowing = [s.lost_reported for s in self.subscriptions.values() if s.layer is not None]
        sent = self.peer.bytes_sent
        bitrate = round((sent - self._quality) * 8 / interval_s)
        self._quality = sent
        return (100.0 * max(flowing) if flowing else 0.0), bitrate
