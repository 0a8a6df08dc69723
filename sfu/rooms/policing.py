"""What one peer may cause, however it behaves: far above anything honest, far below what would hurt others.

A publisher's share grows with its tracks. It is taken from authentic packets only, so that a stranger who forges the
sender's address cannot use it up; once it is used up, packets are dropped before they are decrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.congestion.allowance import Allowance

if TYPE_CHECKING:
    from control.tracks import TrackKind

BITRATE_BPS: dict[TrackKind, int] = {"audio": 1_000_000, "video": 12_000_000}
"""Per track, all layers, retransmissions and probes for bandwidth together."""
PACKETS_PER_S: dict[TrackKind, int] = {"audio": 500, "video": 2500}
PUBLISHER_BURST_S = 1.0
PAUSE_S = 0.02
"""Once a share is used up, nothing is even decrypted for so long."""

MAX_PAYLOAD_BYTES = 1400
"""With headers and tags this fits into 1,500 bytes on the way out; browsers send at most 1,200 in all."""

KEYFRAMES_PER_S = 1 / 3
KEYFRAMES_BURST_S = 12.0
"""Keyframes that one subscriber may cause for everybody: four at once, then one in three seconds."""

RETRANSMISSION_BPS = 4_000_000
RETRANSMISSION_BURST_S = 0.5
MAX_RETRANSMISSIONS = 10
"""Of the same packet to the same receiver; libwebrtc asks ten times."""


class PublisherShare:
    """How much one publisher may send: bytes and packets. Without tracks it is that of one microphone."""

    __slots__ = ("_bytes", "_kinds", "_packets", "_until")

    def __init__(self) -> None:
        self._kinds: list[TrackKind] = []
        self._until = 0.0
        self.set_tracks(["audio"])

    def set_tracks(self, kinds: list[TrackKind]) -> None:
        """Give a share of this size; one of the same size stays as used as it is."""
        kinds = sorted(kinds) or ["audio"]
        if kinds != self._kinds:
            self._kinds = kinds
            self._bytes = Allowance(sum(BITRATE_BPS[kind] for kind in kinds) / 8, PUBLISHER_BURST_S)
            self._packets = Allowance(sum(PACKETS_PER_S[kind] for kind in kinds), PUBLISHER_BURST_S)

    def is_used_up(self, now: float) -> bool:
        """Return whether nothing is taken at this time."""
        return now < self._until

    def take(self, size: int, now: float) -> bool:
        """Return whether an authentic packet of this many bytes is within the share."""
        if self._packets.take(1, now) and self._bytes.take(size, now):
            return True
        self._until = now + PAUSE_S
        return False


def keyframe_requests() -> Allowance:
    """Return what one subscription may ask for."""
    return Allowance(KEYFRAMES_PER_S, KEYFRAMES_BURST_S)


def retransmissions() -> Allowance:
    """Return how many bytes one receiver may have again."""
    return Allowance(RETRANSMISSION_BPS / 8, RETRANSMISSION_BURST_S)
