"""A peer that publishes: its streams, what is asked of it (NACK, PLI) and told to it (reports, feedback)."""

from __future__ import annotations

from struct import Struct

from control.ids import ParticipantId, PublicationId, RoomId
from sfu.congestion.feedback import ArrivalRecorder
from sfu.machines.negotiation import AgreedTrack
from sfu.machines.srtp import AuthenticationError, ReplayError, SrtpError
from sfu.peer.peer import Peer
from sfu.rooms.policing import MAX_PAYLOAD_BYTES, PublisherShare
from sfu.rooms.publication import Layer, Publication
from sfu.rooms.refusals import Refusals
from sfu.serial import unwrap
from sfu.streams import rtx
from sfu.streams.clock import PeerClock
from sfu.units import ntp_middle, unix_from_ntp
from sfu.wire import rtcp, rtp_extensions, twcc

HEADER = Struct("!BBHII")
EXTENSION = Struct("!HH")
REPORT_INTERVAL_S = 1.0
MAX_STREAMS = 48
"""SSRCs one peer may use: eight tracks, three layers each with its RTX."""

LOCAL_SSRC = 1
"""Our SSRC as a sender of RTCP towards publishers; libwebrtc uses 1 for receive-only endpoints as well."""


class _Extensions:
    """Ids of the header extensions of one peer; 0 means not negotiated. BUNDLE makes them the same in all sections."""

    __slots__ = ("audio_level", "mid", "repaired_rid", "rid", "transport_sequence")

    def __init__(self, ids: dict[str, int]) -> None:
        self.audio_level = ids.get(rtp_extensions.AUDIO_LEVEL, 0)
        self.mid = ids.get(rtp_extensions.MID, 0)
        self.rid = ids.get(rtp_extensions.RID, 0)
        self.repaired_rid = ids.get(rtp_extensions.REPAIRED_RID, 0)
        self.transport_sequence = ids.get(rtp_extensions.TRANSPORT_SEQUENCE_NUMBER, 0)


class PublisherPeer:
    """A publishing browser: SSRCs to layers, and RTCP both ways.

    `receive_rtp` returns the layer and the packet to be forwarded, or None.
    """

    def __init__(self, room: RoomId, participant: ParticipantId, peer: Peer, refusals: Refusals) -> None:
        self.room = room
        self.participant = participant
        self.peer = peer
        self.refusals = refusals
        self.share = PublisherShare()
        self.publications: dict[PublicationId, Publication] = {}
        self.clock = PeerClock()
        self.arrivals = ArrivalRecorder()
        self.rtt_s = 0.1
        """Guess of the round trip, from answered NACKs."""
        self._extensions = _Extensions({})
        self._by_ssrc: dict[int, Layer] = {}
        self._by_rtx_ssrc: dict[int, Layer] = {}
        self._reported_at = 0.0
        self._media_ssrc = 0
        self._feedback_count = 0
        self._quality: tuple[int, int, int] = (0, 0, 0)
        self._asked: dict[tuple[int, int], float] = {}

    # --- negotiation ----------------------------------------------------------------------------------------------

    def agree(self, tracks: list[AgreedTrack], ids: dict[str, PublicationId]) -> list[Publication]:
        """Take the tracks of an agreed offer (`ids` by mid); return the publications that are no longer in it."""
        extensions: dict[str, int] = {}
        for track in tracks:
            extensions.update(track.extensions)
            codec = track.codecs[0]
            publication = self.publications.get(ids[track.mid])
            if publication is None:
                publication = Publication(
                    id=ids[track.mid],
                    participant=self.participant,
                    source=track.source,
                    kind=track.kind,
                    mid=track.mid,
                    codec=codec.name,
                    clock_rate=codec.clock_rate,
                    channels=codec.channels,
                    fmtp=codec.fmtp,
                    rids=track.rids,
                    peer_clock=self.clock,
                )
                self.publications[publication.id] = publication
            if codec.name == publication.codec:
                publication.payload_type = codec.payload_type
                publication.rtx_payload_type = -1 if codec.rtx_payload_type is None else codec.rtx_payload_type
            for layer, (ssrc, rtx_ssrc) in zip(publication.layers, track.ssrcs.items(), strict=False):
                self._learn(layer, ssrc)
                if rtx_ssrc is not None:
                    self._learn_rtx(layer, rtx_ssrc)
        self._extensions = _Extensions(extensions)
        kept = {ids[track.mid] for track in tracks}
        gone = [publication for name, publication in self.publications.items() if name not in kept]
        for publication in gone:
            del self.publications[publication.id]
            for layer in publication.layers:
                _unlearn(self._by_ssrc, layer.ssrc, layer)
                _unlearn(self._by_rtx_ssrc, layer.rtx_ssrc, layer)
        self.share.set_tracks([publication.kind for publication in self.publications.values()])
        return gone

    # --- RTP ------------------------------------------------------------------------------------------------------

    def receive_rtp(
        self, data: bytes, now: float, at_s: float
    ) -> tuple[Layer, int, int, int, bytes, int | None] | None:
        """Take an SRTP packet; return (layer, index, timestamp, header bits, payload, audio level) or None."""
        receiver = self.peer.receiver
        length = len(data)
        if receiver is None or length < 12:
            self.refusals.note("malformed")
            return None
        if self.share.is_used_up(now):
            self.refusals.note("publisher_rate")
            return None
        first, second, sequence_number, timestamp, ssrc = HEADER.unpack_from(data)
        header_length = 12 + ((first & 0x0F) << 2)
        start = end = 0
        profile = 0
        if first & 0x10:
            if length < header_length + 4:
                self.refusals.note("malformed")
                return None
            profile, words = EXTENSION.unpack_from(data, header_length)
            start = header_length + 4
            end = header_length = start + (words << 2)
        try:
            index, payload = receiver.unprotect_rtp(data, length, ssrc, sequence_number, header_length)
        except SrtpError as error:
            self.refusals.note("unauthentic" if isinstance(error, AuthenticationError | ReplayError) else "malformed")
            return None
        if not self.share.take(length, now):
            self.refusals.note("publisher_rate")
            return None
        if len(payload) > MAX_PAYLOAD_BYTES:
            self.refusals.note("oversized")
            return None
        if first & 0x20 and not (payload and 0 < payload[-1] <= len(payload)):
            self.refusals.note("malformed")
            return None
        extensions = self._extensions
        level = None
        if end:
            if extensions.transport_sequence:
                value = rtp_extensions.find(data, profile, start, end, extensions.transport_sequence)
                if value is not None and len(value) == 2:
                    self.arrivals.received(value[0] << 8 | value[1], now)
                    self._media_ssrc = ssrc
            if extensions.audio_level:
                value = rtp_extensions.find(data, profile, start, end, extensions.audio_level)
                if value:
                    level = -(value[0] & 0x7F)
        payload_type = second & 0x7F
        layer = self._by_ssrc.get(ssrc)
        if layer is None:
            repaired = self._by_rtx_ssrc.get(ssrc)
            if repaired is None:
                found = self._identify(data, profile, start, end, ssrc, payload_type)
                if found is None:
                    self.refusals.note("unknown_stream")
                    return None
                layer, is_rtx = found
                repaired = layer if is_rtx else None
            if repaired is not None:
                if payload_type != repaired.publication.rtx_payload_type:
                    self.refusals.note("payload_type")
                    return None
                padding = payload[-1] if first & 0x20 else 0
                return self._receive_rtx(repaired, timestamp, second & 0x80, payload[: len(payload) - padding], now)
            assert layer is not None
        publication = layer.publication
        if payload_type != publication.payload_type:
            self.refusals.note("payload_type")
            return None
        layer.statistics.packet(index, timestamp, len(payload), now)
        layer.clock.received(timestamp, at_s)
        return (
            layer,
            index,
            timestamp,
            0x8000 | (first & 0x20) << 8 | (second & 0x80),
            payload,
            level if publication.kind == "audio" else None,
        )

    def _receive_rtx(
        self, layer: Layer, timestamp: int, marker: int, payload: bytes, now: float
    ) -> tuple[Layer, int, int, int, bytes, int | None] | None:
        """Take the payload of an RTX packet without its padding: an old packet again, or nothing but a probe."""
        if len(payload) <= 2 or layer.highest < 0:
            return None  # padding: a probe for bandwidth
        sequence_number, original = rtx.unwrap(payload)
        index = unwrap(sequence_number, layer.highest, 16)
        asked = self._asked.pop((layer.ssrc or 0, index), None)
        if asked is not None:
            self.rtt_s += (min(1.0, now - asked) - self.rtt_s) * 0.2
        if not 0 <= index <= layer.highest:
            return None  # what was never sent cannot be sent again
        return layer, index, timestamp, 0x8000 | marker, original, None

    def _identify(
        self, data: bytes, profile: int, start: int, end: int, ssrc: int, payload_type: int
    ) -> tuple[Layer, bool] | None:
        """Find whose SSRC this is, by MID and RID (RFC 8843 section 9.2, RFC 8852), else by payload type."""
        if len(self._by_ssrc) + len(self._by_rtx_ssrc) >= MAX_STREAMS:
            return None
        extensions = self._extensions

        def text(identifier: int) -> str | None:
            value = rtp_extensions.find(data, profile, start, end, identifier) if identifier and end else None
            return bytes(value).decode("ascii", "replace") if value else None

        mid, rid, repaired_rid = text(extensions.mid), text(extensions.rid), text(extensions.repaired_rid)
        candidates = [
            each
            for each in self.publications.values()
            if mid in (None, each.mid) and payload_type in (each.payload_type, each.rtx_payload_type)
        ]
        if len(candidates) != 1:
            return None
        (publication,) = candidates
        is_rtx = payload_type == publication.rtx_payload_type
        name = repaired_rid if is_rtx else rid
        layer = publication.layer(name) if name is not None else None
        if layer is None:
            if len(publication.layers) > 1:
                return None
            layer = publication.layers[0]
        if is_rtx:
            self._learn_rtx(layer, ssrc)
        else:
            self._learn(layer, ssrc)
        return layer, is_rtx

    def _learn(self, layer: Layer, ssrc: int) -> None:
        if layer.ssrc is not None and layer.ssrc != ssrc:
            _unlearn(self._by_ssrc, layer.ssrc, layer)
            layer.restart()
        layer.ssrc = ssrc
        self._by_ssrc[ssrc] = layer

    def _learn_rtx(self, layer: Layer, ssrc: int) -> None:
        _unlearn(self._by_rtx_ssrc, layer.rtx_ssrc, layer)
        layer.rtx_ssrc = ssrc
        self._by_rtx_ssrc[ssrc] = layer

    # --- RTCP -----------------------------------------------------------------------------------------------------

    def receive_rtcp(self, packets: list[rtcp.Packet], now: float, at_s: float) -> None:
        """Take authenticated RTCP: the sender reports in it."""
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                layer = self._by_ssrc.get(packet.ssrc)
                if layer is None or not layer.is_plausible(packet.rtp_timestamp, now):
                    continue
                ntp_s = unix_from_ntp(packet.ntp_time)
                self.clock.report(ntp_s, at_s)
                layer.clock.report(ntp_s, packet.rtp_timestamp)
                layer.statistics.sender_report(ntp_middle(packet.ntp_time), now)

    def handle_timeout(self, now: float) -> bool:
        """Send what is due: NACK, PLI, transport-wide feedback, receiver reports. Return whether more is due soon."""
        peer = self.peer
        sender = peer.sender
        if sender is None or peer.closed:
            return False
        out: list[bytes] = []
        waits = False
        for layer in self._by_ssrc.values():
            if layer.nack.missing:
                waits = True
                lost, gave_up = layer.nack.poll(now, self.rtt_s)
                if lost and layer.ssrc is not None:
                    for index in lost:
                        self._asked.setdefault((layer.ssrc, index), now)
                    out.append(rtcp.Nack(LOCAL_SSRC, layer.ssrc, [index & 0xFFFF for index in lost]).serialize())
                if gave_up and layer.publication.kind == "video":
                    layer.keyframes.want()
            if layer.keyframes.wanted and layer.ssrc is not None:
                waits = True
                if layer.keyframes.poll(now):
                    out.append(rtcp.Pli(LOCAL_SSRC, layer.ssrc).serialize())
        if len(self._asked) > 1024:
            self._asked.clear()
        begin, arrivals = self.arrivals.poll(now) or (None, {})
        for first, portion in twcc.portions(arrivals, begin):
            out.append(twcc.build(LOCAL_SSRC, self._media_ssrc, self._feedback_count & 0xFF, first, portion))
            self._feedback_count += 1
        if now - self._reported_at >= REPORT_INTERVAL_S and self._by_ssrc:
            self._reported_at = now
            blocks = [
                rtcp.ReportBlock(layer.ssrc or 0, *layer.statistics.report(now))
                for layer in self._by_ssrc.values()
                if layer.statistics.received
            ]
            for start in range(0, len(blocks), 31):
                out.insert(start // 31, rtcp.ReceiverReport(LOCAL_SSRC, blocks[start : start + 31]).serialize())
        for packet in out:
            peer.send(sender.protect_rtcp(packet))
        return waits

    def quality(self, interval_s: float) -> tuple[float, int]:
        """Return (percent lost, bit/s) of what the peer sent since the last call."""
        received = bytes_ = expected = 0
        for layer in self._by_ssrc.values():
            statistics = layer.statistics
            received += statistics.received
            bytes_ += statistics.bytes
            expected += statistics.expected
        before = self._quality
        self._quality = received, expected, bytes_
        wanted = expected - before[1]
        lost = max(0, wanted - (received - before[0]))
        bitrate = max(0, round((bytes_ - before[2]) * 8 / interval_s))
        return (100.0 * lost / wanted if wanted > 0 else 0.0), bitrate


def _unlearn(layers: dict[int, Layer], ssrc: int | None, layer: Layer) -> None:
    """Forget the SSRC of a layer, unless a publisher said the same of two layers and it is the other one's now."""
    if ssrc is not None and layers.get(ssrc) is layer:
        del layers[ssrc]
