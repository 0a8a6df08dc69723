"""What arrives: the bitrate that the receiver acknowledges, smoothed."""

from __future__ import annotations

from collections import deque

DELIVERY_S = 0.3
"""Packets sent within this time are judged together."""
INCREASE_PER_S = 1.08
"""A target grows by this factor in a second while nothing speaks against it."""
MIN_INCREASE_BPS = 1000.0
HEADROOM = 1.5
"""A target grows up to this multiple of what arrives: more was never shown to fit. A probe may show it."""
HEADROOM_BPS = 10_000.0
MIN_PACKETS = 8
CARRIED = 0.9
"""When less than this share of what is sent per second arrives per second, a queue grows."""
WINDOW_S = 0.15
FIRST_WINDOW_S = 0.5
UNCERTAINTY = 10.0
"""How much further a sample that is off counts less (libwebrtc's Bayesian estimate)."""
MIN_RATE_BPS = 40_000


def grown(target_bps: float, step_bps: float, throughput_bps: float | None) -> float:
    """Return a target after a step up: no further than what arrives supports, and never lower than it was."""
    if throughput_bps is None:
        return target_bps + step_bps
    return max(target_bps, min(target_bps + step_bps, HEADROOM * throughput_bps + HEADROOM_BPS))


class Throughput:
    """Acknowledged bitrate of one transport."""

    __slots__ = ("_bytes", "_since", "_variance", "bps")

    def __init__(self) -> None:
        self.bps: float | None = None
        """None before there was enough to say."""
        self._since: float | None = None
        self._bytes = 0
        self._variance = 50.0

    def add(self, size: int, arrived_at: float) -> None:
        """Note the arrival of a packet (receiver's clock)."""
        window = FIRST_WINDOW_S if self.bps is None else WINDOW_S
        if self._since is None:
            self._since = arrived_at
        elapsed = arrived_at - self._since
        if elapsed < 0 or elapsed > 2 * window + 1.0:  # a stall, or another clock: begin anew
            self._since, self._bytes = arrived_at, 0
        elif elapsed >= window:
            self._sample(self._bytes * 8 / elapsed)
            self._since, self._bytes = arrived_at, 0
        self._bytes += size

    def _sample(self, bps: float) -> None:
        if self.bps is None:
            self.bps = bps
            return
        uncertainty = UNCERTAINTY * abs(self.bps - bps) / (self.bps + min(bps, MIN_RATE_BPS) + 1)
        weight = uncertainty * uncertainty
        predicted = self._variance + 5.0
        self.bps = (weight * self.bps + predicted * bps) / (weight + predicted)
        self._variance = weight * predicted / (weight + predicted)


class Delivery:
    """Whether the path carries what is put on it: bitrate at arrival over bitrate at departure of the same packets."""

    __slots__ = ("_packets",)

    def __init__(self) -> None:
        self._packets: deque[tuple[float, float, int]] = deque()

    def add(self, sent_at: float, arrived_at: float, size: int) -> None:
        """Note a packet that arrived (each time on its own clock)."""
        packets = self._packets
        packets.append((sent_at, arrived_at, size))
        while sent_at - packets[0][0] > DELIVERY_S:
            packets.popleft()

    @property
    def limited_bps(self) -> float | None:
        """What the path carries where it carries less than is put on it, else None; None while too little is known."""
        packets = self._packets
        if len(packets) < MIN_PACKETS:
            return None
        sending = packets[-1][0] - packets[0][0]
        receiving = packets[-1][1] - packets[0][1]
        if receiving <= 0 or sending >= CARRIED * receiving:
            return None
        return sum(size for *_, size in packets) * 8 / receiving
