"""A track offered to a room, its layers, and what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.ids import ParticipantId, PublicationId
from control.tracks import Codec, TrackKind, TrackSource
from sfu.rooms.outlet import Fanout
from sfu.serial import unwrap
from sfu.streams.clock import PeerClock, StreamClock
from sfu.streams.keyframes import KeyframeRequests
from sfu.streams.nack import NackGenerator
from sfu.streams.pictures import PictureNumbering
from sfu.streams.receive import ReceiveStatistics
from sfu.streams.store import Packet, PacketStore
from sfu.wire.payloads import av1, h264, vp8, vp9

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfu.rooms.subscription import Subscription
    from sfu.wire.payloads.pictures import PictureNumbers

STORE_PACKETS = {"audio": 128, "video": 2048}
"""Packets kept per layer: about 2.5 s of audio, and of video at 8 Mbit/s."""

MEASURE_S = 0.5

MAX_REPORT_DISTANCE_S = 10.0
"""A sender report about a time further away from the newest packet is a mistake or a lie, and would move recordings."""

KEYFRAME_TESTS: dict[Codec, Callable[[bytes], bool]] = {
    "vp8": vp8.is_keyframe,
    "vp9": vp9.is_keyframe,
    "h264": h264.is_keyframe,
    "av1": av1.is_keyframe,
}

PICTURE_NUMBERS: dict[Codec, Callable[[bytes], PictureNumbers | None]] = {"vp8": vp8.numbers, "vp9": vp9.numbers}


class Layer:
    """One quality of a publication: one SSRC of the publisher (audio has just one)."""

    __slots__ = (
        "_measured_at", "_measured_bytes", "_peer_clock", "bitrate_bps", "clock", "fanouts", "highest", "keyframes",
        "last_packet_at", "nack", "newest_timestamp", "pending", "pictures", "publication", "rid", "rtx_ssrc", "ssrc",
        "statistics", "store", "subscribers", "waiting",
    )  # fmt: skip

    def __init__(self, publication: Publication, rid: str, peer_clock: PeerClock) -> None:
        self.publication = publication
        self.rid = rid
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.last_packet_at = float("-inf")
        self.keyframes = KeyframeRequests()
        self.subscribers: list[Subscription] = []
        """Who gets every packet of this layer now."""
        self.fanouts: dict[tuple[int, int], Fanout] = {}
        """Of the forwarder: the addresses of `subscribers`, by the position of the first one and the header's size."""
        self.waiting: list[Subscription] = []
        """Who is to get this layer from its next keyframe on (audio: from its next packet)."""
        self._peer_clock = peer_clock
        self._begin()

    def _begin(self) -> None:
        find = PICTURE_NUMBERS.get(self.publication.codec)
        self.pictures = None if find is None else PictureNumbering(find)
        self.highest = -1
        self.newest_timestamp = 0
        self.statistics = ReceiveStatistics(self.publication.clock_rate)
        self.nack = NackGenerator()
        self.clock = StreamClock(self._peer_clock, self.publication.clock_rate)
        self.store = PacketStore(STORE_PACKETS[self.publication.kind])
        self.pending: list[Packet] = []
        """Packets of this batch, in order, not forwarded yet."""
        self.bitrate_bps = 0.0
        """Of its payloads, over the last second or two."""
        self._measured_at = float("-inf")
        self._measured_bytes = 0

    def measure(self, now: float) -> None:
        """Bring `bitrate_bps` up to date; to be called now and then."""
        elapsed = now - self._measured_at
        if elapsed < MEASURE_S:
            return
        bps = (self.statistics.bytes - self._measured_bytes) * 8 / elapsed
        self.bitrate_bps = bps if not self.bitrate_bps else self.bitrate_bps + 0.5 * (bps - self.bitrate_bps)
        self._measured_at, self._measured_bytes = now, self.statistics.bytes

    def is_plausible(self, timestamp: int, now: float) -> bool:
        """Return whether a sender report may speak of this RTP timestamp: one of about the newest packet."""
        ahead = unwrap(timestamp, self.newest_timestamp, 32) - self.newest_timestamp
        silent_s = now - self.last_packet_at
        return abs(ahead) <= (MAX_REPORT_DISTANCE_S + silent_s) * self.publication.clock_rate

    def newest_pictures(self) -> PictureNumbers | None:
        """Return the numbers of the newest picture, if the codec has them: past holes and padding."""
        if self.pictures is not None:
            for index in range(self.highest, self.highest - 32, -1):
                packet = self.store.get(index)
                if packet is not None and (numbers := self.pictures.find(packet[3])) is not None:
                    return numbers
        return None

    def restart(self) -> None:
        """Begin anew: the publisher sends with another SSRC, whose numbers have nothing to do with the old ones.

        Those who receive the layer go on with its next keyframe.
        """
        for subscription in list(self.subscribers):
            subscription.wait_for(self)
        self._begin()


class Publication:
    """A microphone, camera or screen of one participant."""

    __slots__ = (
        "channels",
        "clock_rate",
        "codec",
        "fmtp",
        "id",
        "is_keyframe",
        "kind",
        "layers",
        "level_dbov",
        "mid",
        "participant",
        "paused",
        "payload_type",
        "rtx_payload_type",
        "source",
        "started",
        "subscriptions",
    )  # fmt: skip

    def __init__(
        self,
        *,
        id: PublicationId,
        participant: ParticipantId,
        source: TrackSource,
        kind: TrackKind,
        mid: str,
        codec: Codec,
        clock_rate: int,
        channels: int,
        fmtp: str,
        rids: list[str],
        peer_clock: PeerClock,
    ) -> None:
        self.id = id
        self.participant = participant
        self.source = source
        self.kind: TrackKind = kind
        self.mid = mid
        self.codec: Codec = codec
        self.clock_rate = clock_rate
        self.channels = channels
        self.fmtp = fmtp
        self.is_keyframe = KEYFRAME_TESTS.get(codec)
        """None for audio, where every packet can begin a stream."""
        self.layers = [Layer(self, rid, peer_clock) for rid in (rids or [""])]
        """Best first; a single one without simulcast."""
        self.payload_type = -1
        """What the publisher sends it as; nothing else is taken. -1 before it was agreed."""
        self.rtx_payload_type = -1
        self.paused = False
        self.started = False
        self.subscriptions: list[Subscription] = []
        self.level_dbov = -127
        """Smoothed audio level (RFC 6464), 0 is the loudest."""

    def layer(self, rid: str) -> Layer | None:
        """Return the layer with this RID."""
        return next((layer for layer in self.layers if layer.rid == rid), None)
