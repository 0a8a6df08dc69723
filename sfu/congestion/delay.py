"""The bitrate that the delay allows: additive and multiplicative increase, decrease on overuse (Google congestion
control, draft-ietf-rmcat-gcc-02 section 5.5; constants as in libwebrtc)."""

from __future__ import annotations

from math import sqrt

from sfu.congestion.throughput import INCREASE_PER_S, MIN_INCREASE_BPS, grown
from sfu.congestion.trend import Usage

DECREASE = 0.85
"""Of what arrived when the queue began to grow."""
RESPONSE_S = 0.1
PACKET_BITS = 1200 * 8
FRAMES_PER_S = 30
MIN_ADDITIVE_BPS = 4000.0
WEIGHT = 0.05
"""Of a new sample of the link's capacity."""


class _Capacity:
    """What the link carried when it was used too much: mean and relative deviation, in kbit/s."""

    __slots__ = ("_deviation", "mean_kbps")

    def __init__(self) -> None:
        self.mean_kbps: float | None = None
        self._deviation = 0.4

    def note(self, bps: float) -> None:
        sample = bps / 1000
        if self.mean_kbps is None:
            self.mean_kbps = sample
        else:
            self.mean_kbps += WEIGHT * (sample - self.mean_kbps)
        norm = max(self.mean_kbps, 1.0)
        error = self.mean_kbps - sample
        self._deviation = (1 - WEIGHT) * self._deviation + WEIGHT * error * error / norm
        self._deviation = max(0.4, min(2.5, self._deviation))

    def bounds_bps(self) -> tuple[float, float]:
        assert self.mean_kbps is not None
        margin = 3 * sqrt(self._deviation * self.mean_kbps)
        return max(0.0, self.mean_kbps - margin) * 1000, (self.mean_kbps + margin) * 1000


class DelayControl:
    """Bitrate from the usage that `sfu.congestion.trend` finds."""

    __slots__ = ("_capacity", "_decreased_at", "_updated_at", "recovering", "target_bps")

    def __init__(self, start_bps: float, now: float) -> None:
        self.target_bps = start_bps
        self._capacity = _Capacity()
        self.recovering = False
        """Whether the queue is being given time to empty."""
        self._updated_at = now
        self._decreased_at = float("-inf")

    def update(
        self, usage: Usage, throughput_bps: float | None, limited_bps: float | None, rtt_s: float, now: float
    ) -> float:
        """Take the state of the path and what arrives; return the target in bit/s.

        `limited_bps` is what the path carries if that is less than is sent. Otherwise what arrives is just what there
        was to send, and says little about the path.
        """
        elapsed = min(1.0, now - self._updated_at)
        self._updated_at = now
        if usage == "over":
            carried_bps = limited_bps or self.target_bps
            if self._may_decrease(carried_bps, rtt_s, now):
                self._decrease(carried_bps, now)
            self.recovering = True
        elif usage == "under":
            self.recovering = True
        elif self.recovering:
            self.recovering = False
        else:
            self._increase(throughput_bps, rtt_s, elapsed)
        return self.target_bps

    def probed(self, bps: float, now: float) -> None:
        """Take the result of a probe: so much was shown to fit."""
        self.target_bps = bps
        self._updated_at = now

    def _may_decrease(self, throughput_bps: float, rtt_s: float, now: float) -> bool:
        """Decrease once a round trip, or at once when far too much is being sent."""
        waited = now - self._decreased_at >= max(0.01, min(0.2, rtt_s))
        return waited or throughput_bps < 0.5 * self.target_bps

    def _decrease(self, throughput_bps: float, now: float) -> None:
        target = DECREASE * throughput_bps
        if target > self.target_bps and self._capacity.mean_kbps is not None:
            target = DECREASE * self._capacity.mean_kbps * 1000
        if self._capacity.mean_kbps is not None and throughput_bps < self._capacity.bounds_bps()[0]:
            self._capacity = _Capacity()  # it is another link now
        self.target_bps = min(self.target_bps, target)
        self._capacity.note(throughput_bps)
        self._decreased_at = now

    def _increase(self, throughput_bps: float | None, rtt_s: float, elapsed: float) -> None:
        capacity = self._capacity
        known = throughput_bps is not None and capacity.mean_kbps is not None
        if known and (throughput_bps or 0.0) > capacity.bounds_bps()[1]:
            capacity = self._capacity = _Capacity()
        if capacity.mean_kbps is not None:
            # Near what it carried: about one packet more in each response time.
            frame_bits = self.target_bps / FRAMES_PER_S
            packet_bits = frame_bits / max(1, -(-frame_bits // PACKET_BITS))
            step = max(MIN_ADDITIVE_BPS, packet_bits / (rtt_s + RESPONSE_S)) * elapsed
        else:
            step = max(MIN_INCREASE_BPS, self.target_bps * (INCREASE_PER_S**elapsed - 1))
        self.target_bps = grown(self.target_bps, step, throughput_bps)
